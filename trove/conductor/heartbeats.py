# SPDX-License-Identifier: Apache-2.0
"""Heartbeats and polls: the highest-rate messages, many per transaction.

They are authenticated as they come; their replay positions are judged again and stored together with their effect, in
one transaction for up to a few hundred guests. What does not pass then has no effect, and of two heartbeats that
different conductors took, the one received later stays. Nothing here is acknowledged: when a batch is lost, the next
heartbeat says more than the lost one.
"""

import datetime
import logging
import threading
from collections.abc import Sequence
from typing import NamedTuple

from oslo_db import exception as db_exc

from trove.common import clock
from trove.conductor import reports, sealing
from trove.db.api import Database, retry_on_conflict
from trove.guestbus.envelope import Header
from trove.guestbus.replay import Position
from trove.objects import guest_position, heartbeat
from trove.wire import report

LOG = logging.getLogger(__name__)

#: Rows of one transaction.
BATCH = 200
#: Messages kept while the database does not answer; beyond them the newest are dropped.
_MAX_PENDING = 20 * BATCH
#: Guests whose last service status is remembered.
_MAX_STATUSES = 20000
#: Seconds between two looks when nothing comes.
_IDLE = 60.0


class Item(NamedTuple):
    """An authenticated message whose position is not recorded yet; ``message`` is ``None`` for one that only counts (a
    poll).

    :ivar enrolled_at: of the identity whose key opened it.
    :ivar received: on this process's monotonic clock, in seconds.
    """

    header: Header
    message: report.Heartbeat | None
    enrolled_at: datetime.datetime | None
    received: float


class HeartbeatBatcher:
    """Collects items and writes them together.

    :param interval: seconds an item waits for others at most. Nothing waits when :data:`BATCH` have come, or when a
        guest says another service status than before: somebody may be waiting for that.
    """

    def __init__(self, db: Database, *, interval: float = 2.0) -> None:
        self._db = db
        self._interval = interval
        self._lock = threading.Lock()
        self._pending: dict[tuple[str, int, int], Item] = {}
        self._statuses: dict[str, str] = {}
        self._some = threading.Event()
        self._urgent = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def add(self, header: Header, message: report.Heartbeat | None, enrolled_at: datetime.datetime | None) -> bool:
        """Take one item for the next batch; for the arguments see :class:`Item`.

        :returns: whether it was taken; not when the same position already waits (a replay) or too much is waiting.
        """
        key = (header.instance_id, header.boot, header.sequence)
        with self._lock:
            if key in self._pending or len(self._pending) >= _MAX_PENDING:
                return False
            self._pending[key] = Item(header, message, enrolled_at, clock.monotonic())
            if self._is_news(header.instance_id, message) or len(self._pending) >= BATCH:
                self._urgent.set()
        self._some.set()
        return True

    def flush(self) -> None:
        """Write everything that waits. Called by the own thread, and by tests."""
        while items := self._next():
            try:
                self._write(items)
            except db_exc.DBConnectionError as err:
                LOG.warning("%d heartbeats are lost: %s", len(items), sealing.describe(err))
            except Exception as err:  # boundary: one guest's row must not spoil the others'
                LOG.warning("a batch of %d heartbeats failed: %s", len(items), sealing.describe(err))
                self._write_each(items)

    def start(self) -> None:
        """Start the thread that flushes."""
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="heartbeats", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits and end the thread, within 10 seconds."""
        self._stopping = True
        self._urgent.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join(10)
            self._thread = None

    def _is_news(self, instance_id: str, message: report.Heartbeat | None) -> bool:
        # Caller holds the lock.
        if message is None or self._statuses.get(instance_id) == message.service_status:
            return False
        if len(self._statuses) >= _MAX_STATUSES:  # guests come and go; to forget one costs an early batch
            self._statuses.clear()
        self._statuses[instance_id] = message.service_status
        return True

    def _loop(self) -> None:
        while not self._stopping:
            clock.wait(self._some, _IDLE)
            clock.wait(self._urgent, self._interval)
            self._some.clear()
            self._urgent.clear()
            try:
                self.flush()
            except Exception as err:  # boundary: the thread must live on
                LOG.error("flushing heartbeats failed: %s", sealing.describe(err))

    def _next(self) -> list[Item]:
        with self._lock:
            chosen = list(self._pending)[:BATCH]
            return [self._pending.pop(key) for key in chosen]

    def _write_each(self, items: Sequence[Item]) -> None:
        if len(items) == 1:
            return  # it was alone and failed
        for item in items:
            try:
                self._write([item])
            except Exception as err:  # boundary: the next one may be well
                LOG.warning("the heartbeat of %s failed: %s", item.header.instance_id, sealing.describe(err))

    @retry_on_conflict
    def _write(self, items: Sequence[Item]) -> None:
        with self._db.writer() as session:
            now, here = self._db.now(session), clock.monotonic()
            held = guest_position.hold(session, {item.header.instance_id for item in items})
            records: list[heartbeat.HeartbeatRecord] = []
            moved: dict[str, guest_position.PositionRow] = {}
            # In the order they were sent: of several heartbeats of one guest the last one counts.
            for item in sorted(items, key=lambda item: (item.header.boot, item.header.sequence)):
                header = item.header
                row = moved.get(header.instance_id) or held.get(header.instance_id)
                if row is None or (row.generation, row.enrolled_at) != (header.generation, item.enrolled_at):
                    continue  # deleted, or given a new identity, since it was opened
                position = Position.load(row.boot, row.sequence, row.window).accept(header.boot, header.sequence)
                if position is None:
                    LOG.warning("refused a '%s' of %s: replayed", header.name, header.instance_id)
                    continue
                moved[header.instance_id] = row._replace(
                    boot=position.boot, sequence=position.sequence, window=position.window
                )
                if item.message is not None:
                    received_at = now - datetime.timedelta(seconds=here - item.received)
                    records.append(reports.heartbeat_record(header.instance_id, item.message, received_at))
            guest_position.advance(session, moved.values())
            heartbeat.record(session, records)
