# SPDX-License-Identifier: Apache-2.0
"""What goes to guests: committed command rows, sealed when they are sent.

A command is sent when it is due and again every ``resend_interval`` seconds until the guest has accepted it. Its frame
has the deadline by which the guest is to begin, counted from the sending, because it cannot begin before. A command
whose outcome a silent guest has left unknown is sent once more when the guest is back, without arguments and with the
deadline that has passed: it is a question, which the guest answers from its journal.

Whenever anything is sent to a guest, every command it has not accepted yet goes along in order, so that a lost one is
not overtaken by its successor. A command that the guest's agent does not know is failed here, with a remedy, instead of
there. Most are refused before (:mod:`trove.objects.guest_support`), but not those written before the guest has spoken.
"""

import datetime
import logging
from collections.abc import Callable, Collection

from sqlalchemy.orm import Session

from trove.common import clock, exception
from trove.conductor import reports, sealing
from trove.db.api import Database, retry_on_conflict
from trove.guestbus.envelope import EnvelopeError
from trove.objects import guest_command, guest_identity, guest_support
from trove.objects.guest_command import GuestCommand
from trove.objects.guest_identity import GuestIdentity
from trove.objects.guest_support import Support
from trove.wire import command

LOG = logging.getLogger(__name__)

#: A guest is told no more than this at once, in bytes.
_MAX_BATCH_BYTES = 4 * 1024 * 1024
#: Instances that one call of :meth:`Outbox.expire` looks at.
LATE_INSTANCES = 200
#: Commands of one instance that are given up in one transaction.
GIVEN_UP = 50
_TOO_OLD = ("guest.too_old", "The agent of this instance is too old for this; ask the operator to upgrade it.")
_TOO_LARGE = ("command.too_large", "the command is too large to be sent to the guest")
_EXPIRED = "The guest could not be reached in time, so nothing was changed; try again."


class Superseded(Exception):
    """The agent that would get the commands has been followed by another."""


class Outbox:
    """Makes envelopes of due commands. Thread-safe; several conductors may share one database.

    :param resend_interval: seconds.
    :param wake: hint that a workflow has something to do; called after the commit and must not raise.
    :param silence: seconds after which a guest that was not heard counts as silent.
    :param listening_since: since when guests could report, on the monotonic clock; ``None``: from now on.
    """

    def __init__(
        self,
        db: Database,
        signals: reports.Signals,
        *,
        resend_interval: float,
        wake: Callable[[str], None],
        silence: float = 90.0,
        listening_since: float | None = None,
    ) -> None:
        self._db = db
        self._signals = signals
        self._resend = datetime.timedelta(seconds=resend_interval)
        self._wake = wake
        self._silence = silence
        self._listening_since = clock.monotonic() if listening_since is None else listening_since
        #: The last instance that :meth:`expire` has looked at; empty: it begins anew.
        self._late_after = ""

    def envelopes_for(
        self, instance_id: str, limit: int = 32, *, boot: int | None = None, enrolled: bool = False
    ) -> list[bytes]:
        """Seal up to ``limit`` commands that are to be sent to a guest now, in order, and count them as sent.

        :param boot: which start of the guest's agent will get them; a command must not go to one that has been followed
            by another.
        :param enrolled: they go with the answer that gives the guest its key, so it need not have used that before.
        :returns: an empty list when nothing is due or the guest has not enrolled.
        :raises Superseded: when ``boot`` is not the latest.
        """
        if not enrolled and not self._waits(instance_id, boot):
            return []
        return self.send(instance_id, limit, boot=boot, enrolled=enrolled)

    def send(
        self, instance_id: str, limit: int = 32, *, boot: int | None = None, enrolled: bool = False
    ) -> list[bytes]:
        """The same for who has looked (:meth:`waiting`) whether there is anything."""
        states = (guest_identity.ENROLLED, guest_identity.EXCHANGING) if enrolled else (guest_identity.ENROLLED,)
        envelopes, wake = self._send(instance_id, limit, boot, states)
        self._wake_all(wake)
        return envelopes

    def waiting(self, instance_ids: Collection[str]) -> dict[str, guest_command.Waiting]:
        """Return for each of these guests whether anything is to be sent now; one query. Those that do not exist are
        left out."""
        with self._db.reader() as session:  # the usual answer of a poll must not take a write lock
            return guest_command.waiting(session, instance_ids, self._db.now(session))

    def _waits(self, instance_id: str, boot: int | None) -> bool:
        found = self.waiting([instance_id]).get(instance_id)
        if found is None:
            return False
        if boot not in (None, found.boot):
            raise Superseded
        return found.due

    @retry_on_conflict
    def _send(
        self, instance_id: str, limit: int, boot: int | None, states: Collection[str]
    ) -> tuple[list[bytes], list[str]]:
        """Return the envelopes, and the workflows to wake after the commit."""
        wake: list[str] = []
        envelopes: list[bytes] = []
        sent: list[str] = []
        with self._db.writer() as session:
            now = self._db.now(session)
            try:
                identity = GuestIdentity.get(session, instance_id, for_update=True)
            except exception.NotFound:
                return [], []
            if boot not in (None, identity.boot):
                raise Superseded
            if identity.state not in states:
                return [], []
            found = self._unaccepted(session, instance_id, now, limit)
            support = guest_support.get(session, instance_id)
            for row in found:
                sealed = self._seal(identity, support, row, now)
                if isinstance(sealed, tuple):
                    wake += self._fail(session, row, sealed, now)
                    continue
                if sum(len(item) for item in (*envelopes, sealed)) > _MAX_BATCH_BYTES:
                    break
                envelopes.append(sealed)
                sent.append(row.id)
            asked = [row.id for row in found if row.state == guest_command.UNKNOWN]
            guest_command.mark_sent(session, [item for item in sent if item not in asked], now + self._resend)
            later = now + datetime.timedelta(seconds=guest_command.ASK_AGAIN)
            guest_command.mark_sent(session, [item for item in sent if item in asked], later)
        return envelopes, wake

    def due(self, transport: str, limit: int, after: str = "") -> list[str]:
        """Return ids of instances with an enrolled guest on ``transport`` that have something to be sent now: up to
        ``limit`` above ``after``, in order."""
        with self._db.reader() as session:
            return guest_command.due_instances(session, self._db.now(session), limit, transport, after)

    def transport_of(self, instance_id: str) -> str | None:
        """Return the transport an instance's guest was made with; ``None`` when there is no such guest."""
        with self._db.reader() as session:
            try:
                return str(GuestIdentity.get(session, instance_id, for_update=False).transport)
            except exception.NotFound:
                return None

    def expire(self) -> int:
        """Give up commands whose deadline has passed or whose guest has fallen silent, and tell who waits for them; of
        up to :data:`LATE_INSTANCES`. The next call goes on with the others.

        :returns: how many.
        """
        count = 0
        try:
            with self._db.reader() as session:  # asked every second, and hardly ever true
                now = self._db.now(session)
                late = guest_command.late_instances(
                    session, now, self._silent_since(now), LATE_INSTANCES, self._late_after
                )
            for instance_id in late.instance_ids:
                given_up = GIVEN_UP
                while given_up == GIVEN_UP:
                    given_up, wake = self._give_up(instance_id)
                    self._wake_all(wake)
                    count += given_up
            self._late_after = late.last or ""
        except Exception:
            self._listening_since = clock.monotonic()  # nor could anybody have written down a report
            raise
        return count

    def _silent_since(self, now: datetime.datetime) -> datetime.datetime | None:
        """Return when a guest must have reported last not to count as silent; ``None`` as long as guests may have
        reported in vain, because there was no conductor or no database."""
        if clock.monotonic() - self._listening_since < self._silence:
            return None
        return now - datetime.timedelta(seconds=self._silence)

    @retry_on_conflict
    def _give_up(self, instance_id: str) -> tuple[int, list[str]]:
        with self._db.writer() as session:
            now = self._db.now(session)
            try:
                given_up = guest_command.give_up(session, instance_id, now, self._silent_since(now), GIVEN_UP)
            except exception.NotFound:
                return 0, []  # deleted meanwhile
            for row in given_up:
                LOG.warning("command %s '%s' of %s is given up: %s", row.id, row.name, instance_id, row.state)
            # Of an outcome that is unknown no signal is given: the one that says more would find its name taken. Who
            # waits looks at the row now and then.
            ended = [row for row in given_up if row.state == guest_command.EXPIRED]
            wake = [w for row in ended for w in reports.signal_command(session, self._signals, row, _EXPIRED)]
        return len(given_up), wake

    def _unaccepted(self, session: Session, instance_id: str, now: datetime.datetime, limit: int) -> list[GuestCommand]:
        """Return what is due, and with it what was sent a moment ago and not accepted yet."""
        found = guest_command.pending(session, instance_id, now + self._resend, limit)
        # None is due when another conductor was faster.
        return found if any(row.send_at <= now for row in found) else []

    def _seal(
        self, identity: GuestIdentity, support: Support, row: GuestCommand, now: datetime.datetime
    ) -> bytes | tuple[str, str]:
        """Return the envelope, or why there cannot be one."""
        if not support.understands(row.name, row.version, in_term=row.set_id is not None):
            return _TOO_OLD
        allowance = row.deadline - row.created_at
        deadline = row.deadline if row.state == guest_command.UNKNOWN else max(row.deadline, now + allowance)
        frame = command.CommandFrame(
            id=row.id,
            command=row.name,
            command_version=row.version,
            workflow_id=row.workflow_id,
            epoch=row.epoch,
            set_id=row.set_id,
            term=row.term or 0,
            args=row.args or {},
            deadline=sealing.milliseconds(deadline),
            allowance=max(0, int(allowance.total_seconds() * 1000)),
        )
        try:
            return sealing.seal(
                identity, frame, now, generation=sealing.current(identity), not_after=deadline, sequence=row.sequence
            )
        except EnvelopeError:
            return _TOO_LARGE

    def _fail(self, session: Session, row: GuestCommand, reason: tuple[str, str], now: datetime.datetime) -> list[str]:
        symbol, message = reason
        LOG.warning("command %s '%s' of %s cannot be sent: %s", row.id, row.name, row.instance_id, message)
        answer = guest_command.Answer(guest_command.FAILED, None, symbol, message)
        done = guest_command.record_result(session, row.instance_id, row.id, answer, now)
        return reports.signal_command(session, self._signals, done, message) if done is not None else []

    def _wake_all(self, workflow_ids: list[str]) -> None:
        for workflow_id in workflow_ids:
            self._wake(workflow_id)
