# SPDX-License-Identifier: Apache-2.0
"""What goes to guests: committed command rows, sealed when they are sent.

A command is sent when it is due and again every ``resend_interval`` seconds until the guest has accepted it or its
deadline has passed. Whenever anything is sent to a guest, every command it has not accepted yet goes along in order, so
that a lost one is not overtaken by its successor. A command that the guest's agent does not know is failed here, with a
remedy, instead of there.
"""

import datetime
import logging
from collections.abc import Callable, Collection

from sqlalchemy.orm import Session

from trove.common import clock, exception
from trove.conductor import reports, sealing
from trove.db.api import Database, retry_on_conflict
from trove.guestbus import keys
from trove.guestbus.envelope import EnvelopeError
from trove.objects import guest_command, guest_identity
from trove.objects.guest_command import GuestCommand
from trove.objects.guest_identity import GuestIdentity
from trove.wire import command

LOG = logging.getLogger(__name__)

#: A guest is told no more than this at once, in bytes.
_MAX_BATCH_BYTES = 4 * 1024 * 1024
_TOO_OLD = ("guest.too_old", "agent too old, upgrade it")
_TOO_LARGE = ("command.too_large", "the command is too large to be sent to the guest")
_EXPIRED = "the guest did not finish the command in time"
_SILENT = "the agent of the instance does not report, so nobody carries this out; try again when it does"


class Superseded(Exception):
    """The agent that would get the commands has been followed by another."""


class Outbox:
    """Makes envelopes of due commands. Thread-safe; several conductors may share one database.

    :param resend_interval: seconds.
    :param wake: hint that a workflow has something to do; called after the commit and must not raise.
    :param silence: seconds without a report after which a guest is not waited for any more; ``None``: it always is.
    """

    def __init__(
        self,
        db: Database,
        signals: reports.Signals,
        *,
        resend_interval: float,
        wake: Callable[[str], None],
        silence: float | None = None,
    ) -> None:
        self._db = db
        self._signals = signals
        self._resend = datetime.timedelta(seconds=resend_interval)
        self._wake = wake
        self._silence = silence
        self._listening_since = clock.monotonic()

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
        states = (guest_identity.ENROLLED, guest_identity.EXCHANGING) if enrolled else (guest_identity.ENROLLED,)
        envelopes, wake = self._send(instance_id, limit, boot, states)
        self._wake_all(wake)
        return envelopes

    def _waits(self, instance_id: str, boot: int | None) -> bool:
        with self._db.reader() as session:  # the usual answer of a poll must not take a write lock
            found = guest_command.waiting(session, instance_id, self._db.now(session))
        if found is None:
            return False
        if boot not in (None, found[0]):
            raise Superseded
        return found[1]

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
            for row in self._unaccepted(session, instance_id, now, limit):
                sealed = self._seal(identity, row, now)
                if isinstance(sealed, tuple):
                    wake += self._fail(session, row, sealed, now)
                    continue
                if sum(len(item) for item in (*envelopes, sealed)) > _MAX_BATCH_BYTES:
                    break
                envelopes.append(sealed)
                sent.append(row.id)
            guest_command.mark_sent(session, sent, now + self._resend)
        return envelopes, wake

    def due(self, transport: str, limit: int) -> list[str]:
        """Return ids of instances with an enrolled guest on ``transport`` that have something to be sent now."""
        with self._db.reader() as session:
            return guest_command.due_instances(session, self._db.now(session), limit, transport)

    def transport_of(self, instance_id: str) -> str | None:
        """Return the transport an instance's guest was made with; ``None`` when there is no such guest."""
        with self._db.reader() as session:
            try:
                return str(GuestIdentity.get(session, instance_id, for_update=False).transport)
            except exception.NotFound:
                return None

    def expire(self) -> int:
        """End commands whose deadline has passed or whose guest is silent, and tell the workflows that wait for them;
        return how many."""
        try:
            with self._db.reader() as session:  # asked every second, and hardly ever true
                now = self._db.now(session)
                if not guest_command.any_late(session, now, self._silent_since(now)):
                    return 0
            count, wake = self._expire()
        except Exception:
            self._listening_since = clock.monotonic()  # nor could anybody have written down a report
            raise
        self._wake_all(wake)
        return count

    def _silent_since(self, now: datetime.datetime) -> datetime.datetime | None:
        """Return when a guest must have reported last not to count as silent; ``None`` as long as guests may have
        reported in vain, because there was no conductor or no database."""
        if self._silence is None or clock.monotonic() - self._listening_since < self._silence:
            return None
        return now - datetime.timedelta(seconds=self._silence)

    @retry_on_conflict
    def _expire(self) -> tuple[int, list[str]]:
        wake: list[str] = []
        with self._db.writer() as session:
            now = self._db.now(session)
            expired = guest_command.expire(session, now, self._silent_since(now))
            for row in expired:
                why = _EXPIRED if row.deadline <= now else _SILENT
                wake += reports.signal_command(session, self._signals, row, why)
        return len(expired), wake

    def _unaccepted(self, session: Session, instance_id: str, now: datetime.datetime, limit: int) -> list[GuestCommand]:
        """Return what is due, and with it what was sent a moment ago and not accepted yet."""
        found = guest_command.pending(session, instance_id, now + self._resend, limit, expires_after=now)
        # None is due when another conductor was faster.
        return found if any(row.send_at <= now for row in found) else []

    def _seal(self, identity: GuestIdentity, row: GuestCommand, now: datetime.datetime) -> bytes | tuple[str, str]:
        """Return the envelope, or why there cannot be one."""
        if row.version not in (identity.commands or {}).get(row.name, ()):
            return _TOO_OLD
        frame = command.CommandFrame(
            id=row.id,
            command=row.name,
            command_version=row.version,
            workflow_id=row.workflow_id,
            epoch=row.epoch,
            args=row.args or {},
        )
        try:
            return sealing.seal(
                identity, frame, now, generation=keys.ENROLLED, not_after=row.deadline, sequence=row.sequence
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
