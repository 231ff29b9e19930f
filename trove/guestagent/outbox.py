# SPDX-License-Identifier: Apache-2.0
"""Send what the guest has to say: heartbeats when they are due, reports until they are acknowledged.

Reports go out in the order in which they were journalled. How often one was tried is kept in memory only: after a start
everything is due at once.
"""

import logging
import threading
from collections.abc import Sequence

from trove.common import clock, ids
from trove.common.backoff import Backoff, Failures
from trove.guestagent.heartbeat import Heartbeats
from trove.guestagent.journal import Journal
from trove.guestagent.link import Link
from trove.guestbus.envelope import EnvelopeError
from trove.guestbus.transport import TransportError
from trove.wire import report

LOG = logging.getLogger(__name__)

#: Waits until a report that arrived but was not acknowledged is sent again.
RESEND = Backoff(first=5.0, cap=300.0)
#: For how long the control plane is left alone after it could not be reached.
UNREACHABLE = Backoff(first=0.5, cap=20.0)
#: Failed attempts after which a report lets others pass: what is wrong may be the report, not the way.
PATIENT_ATTEMPTS = 3
#: Longest time in seconds between two looks at the outbox.
LOOK_INTERVAL = 30.0


class _Attempts:
    """How often a report was tried, and when it may be tried again."""

    def __init__(self) -> None:
        self.failed = 0
        self.due = float("-inf")
        self.waits = Failures(RESEND)


class Outbox:
    """What the agent has to say; :meth:`step` is for one thread, :meth:`listen` for one, everything else for any."""

    def __init__(self, journal: Journal, heartbeats: Heartbeats) -> None:
        self._journal = journal
        self._heartbeats = heartbeats
        self._lock = threading.Lock()
        self._attempts: dict[str, _Attempts] = {}
        self._unreachable = Failures(UNREACHABLE)
        self._quiet_until = float("-inf")
        #: When the thread that sends did something last, on the monotonic clock.
        self.at_work = clock.monotonic()
        #: Set when there may be something new to send.
        self.wake = threading.Event()

    def submit(self, reports: Sequence[report.Report]) -> None:
        """Journal ``reports`` and see that they are sent soon.

        :raises JournalError: they are not journalled.
        """
        self._journal.add_reports(reports)
        self.wake.set()

    def acknowledged(self, report_ids: Sequence[str]) -> None:
        """Forget what the control plane has persisted.

        :raises JournalError: then they are sent once more, which does no harm.
        """
        self._journal.forget(report_ids)
        with self._lock:
            for item in report_ids:
                self._attempts.pop(item, None)

    def step(self, link: Link) -> float:
        """Send everything that is due; return the seconds until something may be due again.

        :raises NotEnrolled: see :meth:`Link.establish`.
        :raises JournalError: the outbox cannot be read.
        """
        self.at_work = clock.monotonic()
        wait = self._quiet_until - self.at_work
        if wait > 0:
            return wait
        try:
            if not link.ready.is_set():
                link.establish()
            self._beat(link)
            for item in self._due():
                self._send(link, item)
                self._beat(link)  # a long outbox must not make the guest look dead
        except (TransportError, OSError) as err:
            wait = self._unreachable.next(getattr(err, "retry_after", None))
            LOG.info("the control plane was not reached (%s); trying again in %.1f s", err, wait)
            self._quiet_until = clock.monotonic() + wait
            return wait
        self._unreachable.reset()
        return max(0.0, min(self._heartbeats.seconds_left(), self._next_due(), LOOK_INTERVAL))

    def listen(self, link: Link, longest: float) -> bool:
        """Wait up to ``longest`` seconds for commands and take them; return whether anything came.

        A poll says what a heartbeat would; when the answer does not say that it was taken, it is sent apart.

        :raises TransportError: try again after a while.
        """
        if not link.needs_poll:
            return link.listen(None, longest)
        beat, wait = self._heartbeats.for_poll(longest)
        taken = beat is None
        try:
            came = link.listen(report.Poll(report_id=ids.new_id(), wait=wait, heartbeat=beat), wait)
            taken = taken or link.heartbeat_taken
        finally:
            if not taken:
                self._heartbeats.missed()
                self.wake.set()
        return came

    def _beat(self, link: Link) -> None:
        if self._heartbeats.seconds_left() > 0:
            return
        try:
            link.send(self._heartbeats.compose())
        except (TransportError, OSError):
            self._heartbeats.missed()
            raise

    def _send(self, link: Link, item: report.Report) -> None:
        self.at_work = clock.monotonic()
        with self._lock:
            attempts = self._attempts.setdefault(item.report_id, _Attempts())
        try:
            link.send(item)
        except EnvelopeError as err:
            # It will never fit. Keeping it would only block the queue; the log has the fact.
            LOG.error("report %s (%s) cannot be sent and is dropped: %s", item.report_id, item.name, err)
            self.acknowledged([item.report_id])
        except TransportError:
            attempts.failed += 1
            if attempts.failed >= PATIENT_ATTEMPTS:
                attempts.due = clock.monotonic() + attempts.waits.next()
            raise
        else:
            # If the acknowledgement came with the answer, nobody looks at this any more.
            attempts.due = clock.monotonic() + attempts.waits.next()

    def _due(self) -> list[report.Report]:
        now = clock.monotonic()
        waiting = self._journal.unacknowledged()
        with self._lock:
            keep = {item.report_id for item in waiting}
            for gone in [key for key in self._attempts if key not in keep]:
                del self._attempts[gone]
            return [
                item
                for item in waiting
                if item.report_id not in self._attempts or self._attempts[item.report_id].due <= now
            ]

    def _next_due(self) -> float:
        with self._lock:
            due = [item.due for item in self._attempts.values()]
        return min(due) - clock.monotonic() if due else float("inf")
