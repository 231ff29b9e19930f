# SPDX-License-Identifier: Apache-2.0
"""What comes from guests: prove who speaks, let the report take effect once, answer.

``peek`` → identity → open → {replay position, effect} in one transaction → acknowledgement. The guest sends a report
again until it is acknowledged, each time in a new envelope; a lost answer therefore costs a repetition, and repeating
is harmless (see
:mod:`trove.conductor.reports`). Whatever cannot be proven raises :class:`Refused`: the peer learns nothing but that,
and the log gets one line without content.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from trove.common import exception
from trove.conductor import enrolment, sealing
from trove.conductor.heartbeats import HeartbeatBatcher
from trove.conductor.reports import Outcome, Reports, known_commands
from trove.conductor.sealing import Refused
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


@dataclass
class Received:
    """One message that was accepted.

    :ivar boot: which start of the guest's agent said it.
    :ivar replies: sealed envelopes for the guest.
    :ivar poll_wait: seconds that the guest is ready to wait for commands; ``None`` when it does not take any with this
        answer.
    :ivar enrolled: whether the guest got its key with this; it can open what is sealed under that in the same answer.
    :ivar wake: workflows to be told of it once the guest has its answer, see :meth:`Intake.wake`.
    """

    instance_id: str
    boot: int
    replies: list[bytes] = field(default_factory=list)
    poll_wait: float | None = None
    enrolled: bool = False
    wake: tuple[str, ...] = ()


class Intake:
    """Takes envelopes from any transport. Thread-safe.

    :param batcher: takes heartbeats and the positions of polls.
    :param wake: hint that a workflow has something to do; called after the commit and must not raise.
    """

    def __init__(
        self, db: Database, reports: Reports, *, batcher: HeartbeatBatcher, wake: Callable[[str], None]
    ) -> None:
        self._db = db
        self._reports = reports
        self._batcher = batcher
        self._wake = wake

    def receive(self, data: bytes) -> list[bytes]:
        """Take one envelope and return the sealed answers; see :meth:`take`."""
        received = self.take(data)
        self.wake(received.wake)
        return received.replies

    def take(self, data: bytes) -> Received:
        """Take one envelope.

        :raises Refused: when it is not a fresh message of one of our guests; it had no effect.
        :raises Exception: whatever the database raises; nothing was written and the guest will send again.
        """
        claimed = "somebody"
        try:
            header = envelope.peek(data)
            claimed = f"'{header.instance_id}'"
            return self._take(header, data)
        except (Refused, EnvelopeError) as err:
            LOG.warning("refused a message in the name of %s: %s", claimed, err)
            raise Refused(str(err)) from None

    def _take(self, claimed: Header, data: bytes) -> Received:
        with self._db.reader() as session:  # a message that proves nothing must not get as far as a write lock
            identity = _identity(session, claimed.instance_id, for_update=False)
            master = sealing.key_for(identity, claimed.generation)
            header, body = envelope.open_envelope(
                data, master, instance_id=identity.instance_id, direction=keys.TO_CONTROL
            )
            sealing.check_allowed(identity, header)
            try:
                message = base.decode(report.TO_CONTROL, header.name, header.version, body)
            except base.MalformedMessage as err:
                LOG.warning("a '%s' of %s cannot be read: %s", header.name, header.instance_id, err)
                return Received(header.instance_id, header.boot, self._refuse_report(session, identity, header, body))
        if isinstance(message, report.Heartbeat | report.Poll):
            return self._frequent(header, message, identity)
        return self._effective(header, message, master)

    def _frequent(self, header: Header, message: report.Heartbeat | report.Poll, identity: GuestIdentity) -> Received:
        """Judge now by what is known; the batch judges again when it records the position."""
        position = Position.load(identity.boot, identity.sequence, identity.window)
        kept = message if isinstance(message, report.Heartbeat) else None
        fresh = position.accept(header.boot, header.sequence) is not None
        if not fresh or not self._batcher.add(header, kept, identity.enrolled_at):
            raise Refused(f"'{header.name}': {position.judge(header.boot, header.sequence).value}")
        return Received(header.instance_id, header.boot, poll_wait=None if kept else getattr(message, "wait", None))

    def _effective(self, header: Header, message: report.Report, master: bytes) -> Received:
        outcome, sealed = self._commit(header, message, master)
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

    @retry_on_conflict  # a taskmanager locks the workflow first and the guest second
    def _commit(self, header: Header, message: report.Report, master: bytes) -> tuple[Outcome, list[bytes]]:
        """Record the position and let the report take effect, in one transaction."""
        with self._db.writer() as session:
            identity = _identity(session, header.instance_id, for_update=True)
            # Another message may have changed the keys since the envelope was opened.
            if sealing.key_for(identity, header.generation) != master:
                raise Refused("the key was replaced meanwhile")
            sealing.check_allowed(identity, header)
            _advance(identity, header)
            outcome = self._apply(session, identity, message)
            identity.save(session)
            replies = outcome.replies
            if header.generation != keys.ONE_TIME:
                replies = [command.Acknowledge(report_ids=[message.report_id]), *replies]
            now = self._db.now(session)
            sealed = [sealing.seal(identity, reply, now, generation=header.generation) for reply in replies]
        return outcome, sealed

    def _apply(self, session: Session, identity: GuestIdentity, message: report.Report) -> Outcome:
        if isinstance(message, report.Enrol):
            answer = enrolment.accept(identity, message)
            identity.commands = known_commands(message.commands)
            # What was sent under the key of an earlier attempt opens nowhere.
            guest_command.make_due(session, identity.instance_id, self._db.now(session))
            return Outcome(replies=[answer], enrolled=isinstance(answer, command.Enrolled))
        return self._reports.handlers[type(message)](session, identity, message)

    def _refuse_report(
        self, session: Session, identity: GuestIdentity, header: Header, body: dict[str, object]
    ) -> list[bytes]:
        """Tell an authenticated guest that a report will never be understood here, so that it stops sending it."""
        try:
            stub = base.decode({("stub", 1): report.Report}, "stub", 1, body)
        except base.MalformedMessage:
            raise Refused(f"'{header.name}' without a report id") from None
        refusal = command.Refused(
            symbol="guest.report",
            remedy=f"The control plane does not understand this '{header.name}' (version {header.version}).",
            report_id=stub.report_id,
        )
        return [sealing.seal(identity, refusal, self._db.now(session), generation=header.generation)]


def _identity(session: Session, instance_id: str, *, for_update: bool) -> GuestIdentity:
    try:
        return GuestIdentity.get(session, instance_id, for_update=for_update)
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
