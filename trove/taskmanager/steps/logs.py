# SPDX-License-Identifier: Apache-2.0
"""Steps on a log of an instance: what was published of it is removed, what is pending is published.

A publication hands the guest a ticket, made in the transaction that submits the command, so that there is never one
without the other, and closed when the workflow ends.
"""

import datetime
import functools
import secrets
from pathlib import Path

from sqlalchemy.orm import Session

from trove.domain import guest_logs
from trove.objects import errors, guest_log, published_log
from trove.objects.guest_identity import GuestIdentity
from trove.objects.instance import Instance
from trove.objectstore import base as stores
from trove.taskmanager.environment import Environment
from trove.taskmanager.members import Member, MemberStep
from trove.taskmanager.steps import commands, outside
from trove.wire import command
from trove.workflow.model import Done, Failed, Result, Retry, StepContext

#: Seconds a guest has for a publication, and a ticket is good for.
PUBLISH_TIMEOUT = 180.0
#: Seconds until a store that did not answer is asked again, and how often.
_STORE_PAUSE = 5.0
_STORE_ATTEMPTS = 5

_NO_STORE = Failed("log.no_store", "This service has no object store to publish logs to; ask the operator.")
_GONE = Failed("log.not_found", "The instance no longer has this log; list its logs to see what there is.")


def make_set_log(ctx: StepContext, _instance: Instance) -> command.Command | None:
    """Build the command that switches the log, when it is to be switched."""
    enabled = ctx.inputs["enabled"]
    return None if enabled is None else command.SetLog(log=ctx.inputs["log"], enabled=enabled)


class RemovePublished(MemberStep):
    """Remove the objects of the log and what tells of them; safe to repeat."""

    name = "remove-published-log"

    def run(self, ctx: StepContext) -> Result:
        env: Environment = ctx.env
        if not ctx.inputs["discard"]:
            return Done()
        store = outside.objects(ctx)
        if store is None:
            return _NO_STORE
        member = self.member(ctx)
        try:
            self._remove(member, store, str(env.conf.guest_log_container_name))
        except stores.StoreUnavailable as err:
            if ctx.attempt >= _STORE_ATTEMPTS:
                return Failed("log.store_away", "The object store does not answer; try again later.", str(err))
            return Retry(_STORE_PAUSE, str(err))
        except stores.StoreError as err:
            return Failed("log.store_refused", "The object store refused; ask the operator.", str(err))

        def forget(session: Session) -> None:
            guest_log.discarded(session, member.id, ctx.inputs["log"], env.db.now(session))

        ctx.at_checkpoint(forget)
        return Done()

    def undo(self, ctx: StepContext) -> Result:
        return Done()

    @staticmethod
    def _remove(member: Member, store: stores.ObjectStore, container: str) -> None:
        ctx = member.ctx
        of_log = (member.id, ctx.inputs["manager"], ctx.inputs["log"])
        for item in store.find(ctx.project_id, container, guest_logs.prefix(*of_log)):
            store.remove(ctx.project_id, container, item.name)
        store.remove(ctx.project_id, container, guest_logs.metafile(*of_log))


class Publish(MemberStep):
    """Give the guest a ticket and have it publish the log."""

    name = "publish-log"

    def run(self, ctx: StepContext) -> Result:
        env: Environment = ctx.env
        if not ctx.inputs["publish"]:
            return Done()
        if ctx.signal is not None:
            return commands.outcome(ctx, "publish the log")
        if ctx.timed_out:
            return Failed("guest.timeout", "The guest did not publish the log in time; publish it again.")
        if env.objects is None:
            return _NO_STORE
        member = self.member(ctx)
        with env.db.reader() as session:
            try:
                guest_log.get(session, member.id, ctx.inputs["log"])
            except errors.LogNotFound:
                return _GONE
            owner = (ctx.project_id, member.id)
            used, limits = published_log.use(session, *owner, env.db.now(session)), published_log.limits(env.conf)
        if not guest_logs.allowance(used, limits):
            return Failed("log.quota_exceeded", guest_logs.refusal(used, limits))
        # Files are read here: a transaction is no place for that.
        path = env.conf.guest_bus.gateway_ca_file
        ca = Path(path).read_text(encoding="ascii") if path else None
        order = functools.partial(_make, member, ca)
        return commands.submit(member, order, "run", PUBLISH_TIMEOUT) or commands.NO_GUEST

    def undo(self, ctx: StepContext) -> Result:
        return Done()


def _make(member: Member, ca: str | None, session: Session) -> command.Command:
    """Issue the ticket and build the command that brings it."""
    ctx = member.ctx
    env: Environment = ctx.env
    row = guest_log.get(session, member.id, ctx.inputs["log"], for_update=True)
    now = env.db.now(session)
    publication = published_log.Publication(ctx.inputs["ticket_id"], ctx.project_id, member.id, row.name)
    kept = datetime.timedelta(seconds=PUBLISH_TIMEOUT + int(env.conf.guest_log_expiry))
    # It may be less than there was a moment ago, or nothing: then the guest's first object is refused.
    most = published_log.reserve(session, publication, published_log.limits(env.conf), now, expires_at=now + kept)
    ticket = guest_log.Ticket(
        ticket_id=publication.ticket_id,
        secret=secrets.token_urlsafe(32),
        expires_at=now + datetime.timedelta(seconds=PUBLISH_TIMEOUT),
        limit=most,
    )
    prefix = guest_logs.prefix(member.id, ctx.inputs["manager"], row.name)
    guest_log.issue(session, row, ticket, now, prefix=prefix)
    # A guest of the gateway keeps to the URL that it was made with.
    transport = GuestIdentity.get(session, member.id, for_update=False).transport
    url = None if transport == "gateway" else env.gateway_url or env.conf.guest_bus.gateway_url
    return command.PublishLog(
        log=row.name,
        ticket_id=ticket.ticket_id,
        ticket=ticket.secret,
        position=row.position,
        limit=max(1, min(int(env.conf.guest_log_limit), most)),
        url=url,
        ca=ca if url else None,
    )
