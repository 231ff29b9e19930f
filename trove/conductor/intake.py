# SPDX-License-Identifier: Apache-2.0
"""What comes from guests: prove who speaks, let the report take effect once, answer.

``peek`` → who that would be → :meth:`Intake.prove` → {replay position, effect} in one transaction → acknowledgement.
The guest sends a report again until it is acknowledged, each time in a new envelope; a lost answer therefore costs a
repetition, and repeating is harmless (see :mod:`trove.conductor.reports`). Whatever cannot be proven raises
:class:`Refused`: the peer learns nothing but that, and the log gets one line without content.

A message is proven by what is remembered of its guest (:mod:`trove.conductor.identities`), which needs no database.
Heartbeats and polls (:meth:`Intake.frequent`) then wait for a batch, which judges again; everything else
(:meth:`Intake.effective`) is judged again in its own transaction. :meth:`Intake.take` does all of it, for callers that
may wait; the gateway, which may not, calls the parts.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from sqlalchemy.orm import Session

from trove.common import exception
from trove.conductor import enrolment, renewal, sealing
from trove.conductor.budgets import Budgets
from trove.conductor.heartbeats import HeartbeatBatcher, Item
from trove.conductor.identities import Identities, Known
from trove.conductor.inventories import Overtaken, Writing
from trove.conductor.reports import Outcome, Reports, record_statement
from trove.conductor.sealing import RefusalLog, Refused
from trove.db.api import Database, retry_on_conflict
from trove.guestbus import envelope, keys
from trove.guestbus.envelope import EnvelopeError, Header
from trove.guestbus.replay import Position
from trove.objects import guest_command
from trove.objects.guest_identity import GuestIdentity
from trove.wire import base, command, report

LOG = logging.getLogger(__name__)

#: Messages that may begin a new boot of a guest.
_OPENING = (report.Enrol.name, report.Hello.name)
#: Messages that wait for a batch.
FREQUENT = (report.Heartbeat.name, report.Poll.name)
#: Seconds after which to send a heartbeat again when too many wait to be written.
_FULL_WAIT = 5.0


class _Stub(report.Report, frozen=True, kw_only=True):
    """What is read of a report that cannot be read."""

    max_bytes = envelope.MAX_BYTES


class Throttled(Exception):
    """The message had no effect: its guest has used up its budget, or too much waits to be written.

    :ivar retry_after: seconds after which it may be sent again.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"to be sent again in {retry_after:.0f} s")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Opened:
    """A message that is a guest's.

    :ivar plain: its body.
    :ivar master: the key of its guest that opened it.
    """

    header: Header
    plain: bytes
    known: Known
    master: bytes

    @property
    def frequent(self) -> bool:
        """Whether it is for :meth:`Intake.frequent`."""
        return self.header.name in FREQUENT


@dataclass
class Received:
    """One message that was accepted.

    :ivar boot: which start of the guest's agent said it.
    :ivar replies: sealed envelopes for the guest.
    :ivar poll_wait: seconds that the guest is ready to wait for commands; ``None`` when it does not take any with this
        answer.
    :ivar enrolled: whether the guest got its key with this; it can open what is sealed under that in the same answer.
    :ivar wake: workflows to be told of it once the guest has its answer, see :meth:`Intake.wake`.
    :ivar item: what waits for the batch, of a poll.
    """

    instance_id: str
    boot: int
    replies: list[bytes] = field(default_factory=list)
    poll_wait: float | None = None
    enrolled: bool = False
    wake: tuple[str, ...] = ()
    item: Item | None = None


class Intake:
    """Takes envelopes from any transport. Thread-safe.

    :param batcher: takes heartbeats and the positions of polls.
    :param budgets: what each guest may send.
    :param wake: hint that a workflow has something to do; called after the commit and must not raise.
    """

    def __init__(
        self,
        db: Database,
        reports: Reports,
        *,
        batcher: HeartbeatBatcher,
        budgets: Budgets,
        wake: Callable[[str], None],
    ) -> None:
        self._db = db
        self._reports = reports
        self.batcher = batcher
        self._budgets = budgets
        self._wake = wake
        self._refusals = RefusalLog()
        self.identities = Identities(db)

    def receive(self, data: bytes) -> list[bytes]:
        """Take one envelope and return the sealed answers; see :meth:`take`."""
        received = self.take(data)
        self.wake(received.wake)
        return received.replies

    def take(self, data: bytes) -> Received:
        """Take one envelope; waits for the database.

        :raises Refused: when it is not a fresh message of one of our guests; it had no effect.
        :raises Throttled: when its guest may not say more now; it had no effect.
        :raises Exception: whatever the database raises; nothing was written and the guest will send again.
        """
        try:
            claimed = envelope.peek(data)
        except EnvelopeError as err:
            self.refuse(None, err)
        known = self.identities.recall(claimed.instance_id)
        if known is None:
            known = self.identities.load([claimed.instance_id])[claimed.instance_id]
        try:
            opened = self.prove(known, claimed, data)
        except Refused as err:
            if not known.may_look():
                self.refuse(claimed, err)
            known = self.identities.load([claimed.instance_id])[claimed.instance_id]
            opened = self.prove_again(known, claimed, data)
        self.admit(opened, len(data))
        return self.frequent(opened) if opened.frequent else self.effective(opened)

    def prove(self, known: Known, claimed: Header, data: bytes) -> Opened:
        """Open an envelope with what is known of its guest. Asks no database.

        :param claimed: its header.
        :raises Refused: when it is not a fresh message of that guest, as far as is known.
        """
        identity = known.row
        if identity is None:
            raise Refused("no such guest")
        master = sealing.key_for(identity, claimed.generation)
        try:
            header, plain = envelope.unseal(
                data,
                known.derived(master, claimed.generation),
                instance_id=identity.instance_id,
                direction=keys.TO_CONTROL,
            )
        except EnvelopeError as err:
            raise Refused(str(err)) from None
        sealing.check_allowed(identity, header)
        if header.name in FREQUENT:
            verdict = known.position.judge(header.boot, header.sequence)
            if known.position.accept(header.boot, header.sequence) is None:
                raise Refused(f"'{header.name}': {verdict.value}")
        return Opened(header, plain, known, master)

    def prove_again(self, known: Known, claimed: Header, data: bytes) -> Opened:
        """The same with what the database says now; what does not pass is logged.

        :raises Refused: see :meth:`prove`.
        """
        try:
            return self.prove(known, claimed, data)
        except Refused as err:
            self.refuse(claimed, err)

    def admit(self, opened: Opened, size: int) -> None:
        """Count a message of ``size`` bytes against its guest's budget.

        :raises Throttled: when it is used up.
        """
        wait = self._budgets.admit(opened.header.instance_id, size)
        if wait:
            raise Throttled(wait)

    def frequent(self, opened: Opened) -> Received:
        """Take a heartbeat or poll: judged by what is known, and again by the batch that records its position. Asks no
        database, but for a body that nobody can read.

        :raises Refused: when it was taken before.
        :raises Throttled: when too many wait to be written.
        """
        header = opened.header
        message = self._decoded(opened)
        if isinstance(message, Received):
            return message
        if self.identities.accept(opened.known, header.boot, header.sequence) is None:
            self.refuse(header, Refused(f"'{header.name}': seen before"))
        assert opened.known.row is not None
        polling = message if isinstance(message, report.Poll) else None
        beat = message if isinstance(message, report.Heartbeat) else message.heartbeat if polling else None
        item = self.batcher.add(header, beat, opened.known.row.enrolled_at)
        if item is None:
            if self.batcher.full:  # the database does not answer
                raise Throttled(_FULL_WAIT)
            self.refuse(header, Refused(f"'{header.name}': seen before"))
        return Received(header.instance_id, header.boot, poll_wait=polling.wait if polling else None, item=item)

    def effective(self, opened: Opened) -> Received:
        """Take any other report; waits for the database.

        :raises Refused: when it was taken before or may not be said any more.
        """
        message = self._decoded(opened)
        if isinstance(message, Received):
            return message
        try:
            return self._effective(opened, message)
        except Refused as err:
            self.refuse(opened.header, err)
        finally:
            self.identities.expire(opened.header.instance_id)

    def _effective(self, opened: Opened, message: report.Report) -> Received:
        header = opened.header
        if isinstance(message, report.Inventory):
            return Received(header.instance_id, header.boot, self._inventory(opened, message))
        outcome, sealed = self._commit(opened, message, self._apply)
        if isinstance(message, report.Hello):
            # It gets what waits for it with the answer, without a poll of its own; the workflow, which waits for much
            # more than this, is told after that.
            return Received(header.instance_id, header.boot, sealed, 0.0, wake=tuple(outcome.wake))
        if isinstance(message, report.Enrol) and message.commands and outcome.enrolled:
            return Received(header.instance_id, header.boot, sealed, 0.0, enrolled=True)
        self.wake(outcome.wake)
        return Received(header.instance_id, header.boot, sealed)

    def wake(self, workflow_ids: Iterable[str]) -> None:
        """Give the hint that these workflows have something to do."""
        for workflow_id in workflow_ids:
            self._wake(workflow_id)

    def refuse(self, claimed: Header | None, reason: Exception) -> NoReturn:
        """Log that a message is refused.

        :param claimed: its header, as far as there is one.
        :raises Refused: always.
        """
        self._refusals.note("somebody" if claimed is None else f"'{claimed.instance_id}'", str(reason))
        raise Refused(str(reason)) from None

    def _decoded(self, opened: Opened) -> report.Report | Received:
        """Return the message, or the answer to one that cannot be read."""
        header = opened.header
        try:
            return base.decode_json(report.TO_CONTROL, header.name, header.version, opened.plain)
        except base.MalformedMessage as err:
            LOG.warning("a '%s' of %s cannot be read: %s", header.name, header.instance_id, err)
            return Received(header.instance_id, header.boot, self._refuse_report(opened))

    @retry_on_conflict  # a taskmanager locks the workflow first and the guest second
    def _commit(
        self,
        opened: Opened,
        message: report.Report,
        effect: Callable[[Session, GuestIdentity, report.Report], Outcome],
        *,
        fresh: bool = True,
    ) -> tuple[Outcome, list[bytes]]:
        """Record the position and let the report take effect, in one transaction.

        :param fresh: the message has not been counted yet: not so for the later parts of one with several transactions.
        """
        header = opened.header
        with self._db.writer() as session:
            identity = _identity(session, header.instance_id)
            # Another message may have changed the keys since the envelope was opened.
            if sealing.key_for(identity, header.generation) != opened.master:
                raise Refused("the key was replaced meanwhile")
            sealing.check_allowed(identity, header)
            if fresh:
                _advance(identity, header)
            renewal.complete(identity, header.generation, self._db.now(session))
            outcome = effect(session, identity, message)
            identity.save(session)
            replies = outcome.replies
            if header.generation != keys.ONE_TIME and outcome.acknowledge:
                replies = [command.Acknowledge(report_ids=[message.report_id]), *replies]
            now = self._db.now(session)
            # A refused enrolment leaves no other key, and its answer goes under this one anyway.
            generation = keys.ONE_TIME if header.generation == keys.ONE_TIME else sealing.current(identity)
            sealed = [sealing.seal(identity, reply, now, generation=generation) for reply in replies]
        return outcome, sealed

    def _inventory(self, opened: Opened, message: report.Inventory) -> list[bytes]:
        """Write what differs from the stored inventory, in short transactions, as far as the guest's budget goes."""
        writing = Writing(self._db, self._budgets, opened.header, message)
        sealed: list[bytes] = []
        for number, effect in enumerate(writing.effects()):
            try:
                _outcome, sealed = self._commit(opened, message, effect, fresh=number == 0)
            except Overtaken:
                return []  # a newer one is being written, and will be acknowledged
        return sealed

    def _apply(self, session: Session, identity: GuestIdentity, message: report.Report) -> Outcome:
        if isinstance(message, report.Enrol):
            answer = enrolment.accept(identity, message)
            record_statement(session, identity, message)
            # What was sent under the key of an earlier attempt opens nowhere.
            guest_command.make_due(session, identity.instance_id, self._db.now(session))
            return Outcome(replies=[answer], enrolled=isinstance(answer, command.Enrolled))
        return self._reports.handlers[type(message)](session, identity, message)

    def _refuse_report(self, opened: Opened) -> list[bytes]:
        """Tell an authenticated guest that a report will never be understood here, so that it stops sending it."""
        header = opened.header
        try:
            stub = base.decode_json({("stub", 1): _Stub}, "stub", 1, opened.plain)
        except base.MalformedMessage:
            self.refuse(header, Refused(f"'{header.name}' without a report id"))
        refusal = command.Refused(
            symbol="guest.report",
            remedy=f"The control plane does not understand this '{header.name}' (version {header.version}).",
            report_id=stub.report_id,
        )
        with self._db.reader() as session:
            now = self._db.now(session)
        assert opened.known.row is not None
        return [sealing.seal(opened.known.row, refusal, now, generation=header.generation)]


def _identity(session: Session, instance_id: str) -> GuestIdentity:
    try:
        return GuestIdentity.get(session, instance_id, for_update=True)
    except exception.NotFound:
        raise Refused("no such guest") from None


def _advance(identity: GuestIdentity, header: Header) -> None:
    """Put the message's position into ``identity``.

    An ``enrol`` must also be the newest message of its guest: the latest enrolment wins, so one that was overtaken must
    not.

    :raises Refused: for a message that was taken before, or may not be taken any more.
    """
    position = Position.load(identity.boot, identity.sequence, identity.window)
    opens = header.name in _OPENING
    after = position.accept(header.boot, header.sequence, opens=opens)
    newest = (header.boot, header.sequence) > (position.boot, position.sequence)
    if after is None or (header.name == report.Enrol.name and not newest):
        raise Refused(f"'{header.name}': {position.judge(header.boot, header.sequence, opens=opens).value}")
    if after.boot != identity.boot:  # assigned only when it is another: a hello asks for that
        identity.boot = after.boot
    identity.sequence, identity.window = after.sequence, after.window
