# SPDX-License-Identifier: Apache-2.0
"""Compares our rows with what providers list, removes what was deleted and is there all the same, and reports the rest.

What brings such things about are late effects: a call to a provider that returns, or begins to work, after its workflow
was taken over, finished, and the instance was deleted. The lease (:mod:`trove.providers.guarded`) prevents the second
such call, nothing prevents the first.

Every taskmanager looks; one at a time compares one provider, under a claim, and each look does a bounded part of a
comparison. A provider that knows only this host is compared by each host for itself. What counts as a difference, and
what may be removed, is decided in :mod:`trove.domain.reconciliation`. Nothing is ever made here.
"""

import datetime
import logging
from collections.abc import Callable, Sequence

from sqlalchemy import orm

from trove.common import clock, service
from trove.common.lease import Lease, LeaseEnded
from trove.common.log_limit import LogLimit
from trove.conf import notifications
from trove.conf import reconciler as options
from trove.domain import reconciliation as rules
from trove.domain.reconciliation import Finding, Owner, Problem, Seen, Standing
from trove.objects import finding as findings
from trove.objects import notification, ownership
from trove.objects import reconciliation as progress
from trove.objects.reconciliation import Position, Scope
from trove.providers import base
from trove.providers.guarded import Guarded
from trove.taskmanager.environment import Environment
from trove.workflow.listing import Listing

LOG = logging.getLogger(__name__)
_LIMITED = LogLimit(LOG, 600.0)

#: Seconds between two looks whether there is something to do.
LOOK_INTERVAL = 10.0
#: Seconds that a taskmanager has for what it does at one look; then it stops, and another one may go on.
CLAIM_SECONDS = 300.0
#: Items of a provider's page, and pages at one look.
PAGE = 1000
PAGES = 5
#: Owners whose things are removed at one look, and seconds until those of one owner are tried again.
OWNERS = 20
RETRY_SECONDS = 60.0
#: Differences reported at one look.
REPORTS = 50
#: Told of what a live instance misses.
MISSING_EVENT = "trove.instance.missing_resource"


class Reconciler:
    """Compares the rows of ``db`` with one provider.

    :param owner: name of this process in claims; no other live process has it.
    :param scope: what is compared.
    """

    def __init__(self, env: Environment, owner: str, provider: base.Provider, scope: Scope) -> None:
        self._conf = env.conf
        self._db = env.db
        self._owner = owner
        self._provider = provider
        self._scope = scope

    def look(self) -> None:
        """Do a bounded part of what is due, if anything is and nobody else is at it."""
        if self._conf.reconciler.action == options.OFF or not self._is_due():
            return
        token = Lease(clock.boottime() + CLAIM_SECONDS)
        with self._db.writer() as session:
            if not progress.claim(session, self._scope, self._owner, self._db.now(session), CLAIM_SECONDS):
                return
        provider = Guarded(self._provider, token)
        try:
            self._compare(provider)
            self._report()
            if self._conf.reconciler.action == options.REMOVE:
                self._remove(provider)
        except (LeaseEnded, _Overtaken) as err:
            LOG.warning("The comparison with provider %s is left to another taskmanager: %s", self._scope.provider, err)
        except base.ProviderError as err:
            text = f"Provider {self._scope.provider} could not be compared with our rows, which is tried again: {err}"
            _LIMITED.log(logging.WARNING, self._scope.provider, text)
        finally:
            with self._db.writer() as session:
                progress.release(session, self._scope, self._owner)

    def _is_due(self) -> bool:
        with self._db.reader() as session:
            now = self._db.now(session)
            known = progress.get(session, self._scope)
            if known is None:
                return True
            if known.is_taken(self._owner, now):
                return False
            unfinished = known.position is not None
            return unfinished or now - known.started_at >= self._interval or bool(self._orphans(session, now, 1))

    @property
    def _interval(self) -> datetime.timedelta:
        return datetime.timedelta(seconds=self._conf.reconciler.interval)

    @property
    def _grace(self) -> datetime.timedelta:
        return datetime.timedelta(seconds=self._conf.reconciler.grace_period)

    # comparing

    def _compare(self, provider: base.Provider) -> None:
        """Look at some pages; begin again when it is time."""
        with self._db.writer() as session:
            now, known = self._db.now(session), progress.get(session, self._scope)
            assert known is not None  # the claim has made it
            started_at, position = known.started_at, known.position
            if position is None and now - started_at >= self._interval:
                self._require(progress.begin(session, self._scope, self._owner, now))
                started_at, position = now, Position()
        for _ in range(PAGES):
            if position is None:
                return
            page = provider.list(rules.PREFIXES[position.prefix], position.marker, PAGE)
            position = self._record(position, page, started_at)

    def _record(self, position: Position, page: base.Page, started_at: datetime.datetime) -> Position | None:
        """Remember what is wrong with what is on a page, or should be; return where the next one begins."""
        following = _following(position, page)
        with self._db.writer() as session:
            now = self._db.now(session)
            seen = [*_strays(session, page), *_missing(session, self._scope, position, page)]
            known = findings.of_tags(session, self._scope, {item.tag for item in seen})
            saved = [rules.remember(known.get((item.kind, item.tag)), item, now) for item in seen]
            findings.save(session, self._scope, saved)
            if following is None:
                findings.forget_unseen(session, self._scope, started_at)
            self._require(progress.advance(session, self._scope, self._owner, following))
        return following

    # reporting

    def _report(self) -> None:
        """Tell once of each difference that is confirmed and is going to stay."""
        removes = self._conf.reconciler.action == options.REMOVE
        problems = set(Problem) - ({Problem.ORPHANED} if removes else set())
        with self._db.writer() as session:
            now = self._db.now(session)
            due = findings.unreported(session, self._scope, problems, before=now - self._grace, limit=REPORTS)
            told = [item for item in due if rules.is_confirmed(item, self._grace)]
            findings.mark_reported(session, self._scope, [item.seen for item in told], now)
            lost = [item for item in told if item.seen.problem is Problem.MISSING]
            if notifications.enabled(self._conf):
                payloads = [self._payload(item) for item in lost]
                notification.add(session, MISSING_EVENT, f"taskmanager.{self._conf.host}", payloads)
        for item in told:
            level = logging.ERROR if item.seen.problem is Problem.MISSING else logging.WARNING
            LOG.log(level, "%s", self._sentence(item))

    def _payload(self, item: Finding) -> dict[str, str]:
        return {
            "instance_id": item.seen.owner.id,
            "kind": item.seen.kind,
            "tag": item.seen.tag,
            "first_seen_at": clock.isoformat(item.first_seen_at),
            **self._scope._asdict(),
        }

    def _sentence(self, item: Finding) -> str:
        seen, where = item.seen, f"provider {self._scope.provider} {self._scope.host}".rstrip()
        since = f"since {clock.isoformat(item.first_seen_at)} at least"
        if seen.problem is Problem.MISSING:
            return f"{where} has not had the {seen.kind} {seen.tag} of a live instance {since}; nothing is done"
        of_what = "belongs to something deleted" if seen.problem is Problem.ORPHANED else "has an id that is not ours"
        return f"{where} has had a {seen.kind} {seen.tag} ({seen.outside_id} {seen.detail}) {since}, which {of_what}"

    # removing

    def _orphans(self, session: orm.Session, now: datetime.datetime, limit: int) -> list[Owner]:
        if self._conf.reconciler.action != options.REMOVE:
            return []
        pause = datetime.timedelta(seconds=RETRY_SECONDS)
        return findings.orphans(
            session, self._scope, seen_before=now - self._grace, tried_before=now - pause, limit=limit
        )

    def _remove(self, provider: base.Provider) -> None:
        with self._db.reader() as session:
            owners = self._orphans(session, self._db.now(session), OWNERS)
        for owner in owners:
            with self._db.reader() as session:  # as it is now: this may be an hour after the last look
                rows = findings.of_owner(session, owner, self._scope)
                standing = standings(session, [owner]).get(owner)
            leftovers = rules.removals((row.finding for row in rows), standing, self._grace)
            error = remove(provider, leftovers, self._gone)
            if error is not None:
                text = f"What is left of deleted {owner.kind} {owner.id} could not be removed yet: {error}"
                _LIMITED.log(logging.WARNING, owner.id, text)
            with self._db.writer() as session:
                findings.tried(session, self._scope, owner, self._db.now(session), error)

    def _gone(self, seen: Seen) -> None:
        LOG.info("Removed %s %s (%s) from provider %s: it was left of %s %s, which is deleted",
                 seen.kind, seen.tag, seen.outside_id, self._scope.provider, *seen.owner)  # fmt: skip
        with self._db.writer() as session:
            findings.forget(session, self._scope, seen)

    @staticmethod
    def _require(moved: bool) -> None:
        if not moved:
            raise _Overtaken("it has taken over")


def remove(provider: base.Provider, leftovers: Sequence[Seen], gone: Callable[[Seen], object]) -> str | None:
    """Remove things of one owner in the given order, until one of them is not gone at once.

    :param gone: called with each that is.
    :returns: why it stopped; ``None``: everything is gone.
    """
    removers: dict[str, Callable[[str], bool | None]] = {
        "server": provider.remove_server,
        "volume": provider.remove_volume,
        "port": provider.remove_port,
        "server_group": provider.remove_server_group,
    }
    for seen in leftovers:
        try:
            if removers[seen.kind](seen.tag) is False:
                return f"{seen.kind} {seen.tag} is being removed"
        except base.ProviderError as err:
            return f"{seen.kind} {seen.tag}: {type(err).__name__}: {err}"
        gone(seen)
    return None


def standings(session: orm.Session, owners: Sequence[Owner]) -> dict[Owner, Standing]:
    """Return what our rows say of owners; one that they have never had is left out."""
    of_kind = {kind: {owner.id for owner in owners if owner.kind == kind} for kind in rules.KINDS}
    busy = Listing().unfinished(session, of_kind[rules.INSTANCE])
    instances = ownership.instances(session, of_kind[rules.INSTANCE])
    found = {Owner(rules.INSTANCE, i): Standing.BUSY if i in busy else known for i, known in instances.items()}
    groups = ownership.server_groups(session, of_kind[rules.SERVER_GROUP])
    return found | {Owner(rules.SERVER_GROUP, i): known for i, known in groups.items()}


def _strays(session: orm.Session, page: base.Page) -> list[Seen]:
    """Return what is on a page and should not be. What has no tag that we make is none of our business."""
    owners = [(item, owner) for item in page.items if (owner := rules.owner_of(item.tag)) is not None]
    known = standings(session, [owner for _, owner in owners])
    return [
        Seen(str(item.kind), item.tag, problem, owner, item.id, item.detail)
        for item, owner in owners
        if (problem := rules.problem_of(known.get(owner))) is not None
    ]


def _missing(session: orm.Session, scope: Scope, position: Position, page: base.Page) -> list[Seen]:
    """Return what should be on a page and is not."""
    if rules.PREFIXES[position.prefix] != f"{rules.INSTANCE}:":
        return []
    until = None if page.marker is None else _seen_up_to(position.after, page)
    listed = {(str(item.kind), item.tag) for item in page.items}
    found: list[Seen] = []
    for span in rules.spans(position.after, until):
        after: str | None = span.after
        while after is not None:
            ids = ownership.having(session, span.kind, after, span.until, PAGE, scope=scope)
            gone = rules.missing(span.kind, ids, listed)
            busy = Listing().unfinished(session, {item.owner.id for item in gone})
            found += [item for item in gone if item.owner.id not in busy]
            after = ids[-1] if len(ids) == PAGE else None
    return found


def _seen_up_to(after: rules.Place, page: base.Page) -> rules.Place:
    known = ((str(item.kind), owner.id) for item in page.items if (owner := rules.owner_of(item.tag)) is not None)
    return max((rules.Place(*place) for place in known), default=after)


def _following(position: Position, page: base.Page) -> Position | None:
    if page.marker is not None:
        return Position(position.prefix, page.marker, _seen_up_to(position.after, page))
    following = position.prefix + 1
    return Position(following) if following < len(rules.PREFIXES) else None


class _Overtaken(Exception):
    """Another taskmanager has taken over; rolls the transaction back."""


def scope_of(provider: base.Provider) -> Scope:
    """Return what a process sees of ``provider``: everything, or what is on the host that it is tied to."""
    return Scope(provider.name, provider.host or "")


def parts(env: Environment, owner: str) -> list[service.Part]:
    """Return what a taskmanager runs to compare its providers with our rows."""
    return [
        service.Periodic(f"reconcile-{name}", LOOK_INTERVAL, Reconciler(env, owner, provider, scope_of(provider)).look)
        for name, provider in env.providers.served.items()
    ]
