# SPDX-License-Identifier: Apache-2.0
"""Heartbeats and polls: the highest-rate messages, many per transaction.

They are authenticated as they come; their replay positions are judged again and stored together with their effect, in
one transaction for up to a few hundred guests. What does not pass then has no effect, and of two heartbeats that
different conductors took, the one received later stays. Nothing here is acknowledged: when a batch is lost, the next
heartbeat says more than the lost one. Who took a poll looks what became of it (:attr:`Item.outcome`), because a poll
that was taken before must get no commands.
"""

import datetime
import enum
import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oslo_db import exception as db_exc
from sqlalchemy.orm import Session

from trove.common import clock
from trove.conductor import renewal, reports, sealing
from trove.db.api import Database, retry_on_conflict
from trove.guestbus.envelope import Header
from trove.guestbus.replay import Position
from trove.objects import guest_position, heartbeat
from trove.objects.guest_identity import GuestIdentity
from trove.wire import report

LOG = logging.getLogger(__name__)

#: Rows of one transaction.
BATCH = 500
#: Messages kept while the database does not answer; beyond them the newest are dropped.
_MAX_PENDING = 20 * BATCH
#: Guests whose last service status is remembered.
_MAX_STATUSES = 20000
#: Seconds between two looks when nothing comes.
_IDLE = 60.0


class Outcome(enum.Enum):
    """What became of an item."""

    WAITS = "waits"
    RECORDED = "recorded"
    REFUSED = "refused"
    LOST = "lost"


@dataclass(slots=True, eq=False)
class Item:
    """An authenticated message whose position is not recorded yet.

    :ivar message: what it says; ``None`` for a poll that says nothing.

    :ivar enrolled_at: of the identity whose key opened it.
    :ivar received: on this process's monotonic clock, in seconds.
    """

    header: Header
    message: report.Heartbeat | None
    enrolled_at: datetime.datetime | None
    received: float
    outcome: Outcome = Outcome.WAITS


class HeartbeatBatcher:
    """Collects items and writes them together.

    :param interval: seconds an item waits for others at most. Nothing waits when :data:`BATCH` have come, or when a
        guest says another service status than before: somebody may be waiting for that.
    :ivar on_written: called with the items of each batch once their outcome is known; must not raise.
    """

    def __init__(self, db: Database, *, interval: float = 2.0) -> None:
        self._db = db
        self._interval = interval
        self.on_written: Callable[[Sequence[Item]], None] = lambda items: None
        self._lock = threading.Lock()
        self._pending: dict[tuple[str, int, int], Item] = {}
        self._statuses: dict[str, str] = {}
        self._some = threading.Event()
        self._urgent = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def add(
        self, header: Header, message: report.Heartbeat | None, enrolled_at: datetime.datetime | None
    ) -> Item | None:
        """Take one item for the next batch; for the arguments see :class:`Item`.

        :returns: ``None`` when the same position already waits (a replay) or too much is waiting.
        """
        key = (header.instance_id, header.boot, header.sequence)
        with self._lock:
            if key in self._pending or self.full:
                return None
            item = self._pending[key] = Item(header, message, enrolled_at, clock.monotonic())
            urgent = self._is_news(header.instance_id, message) or len(self._pending) >= BATCH
        if urgent:
            self._urgent.set()
        if not self._some.is_set():
            self._some.set()
        return item

    @property
    def full(self) -> bool:
        """Whether nothing is taken, because too much waits."""
        return len(self._pending) >= _MAX_PENDING

    def hurry(self) -> None:
        """Somebody waits for what becomes of an item."""
        self._urgent.set()

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
            for item in items:
                if item.outcome is Outcome.WAITS:
                    item.outcome = Outcome.LOST
            self.on_written(items)

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

    @staticmethod
    def _renewed(session: Session, header: Header, now: datetime.datetime) -> None:
        """A guest speaks under the key that was agreed on: the one before it is erased. Happens once for each key."""
        identity = GuestIdentity.get(session, header.instance_id, for_update=True)
        renewal.complete(identity, header.generation, now)
        identity.save(session)

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
            chosen = list(itertools.islice(self._pending, BATCH))
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
        # In the order they were sent: of several heartbeats of one guest the last one counts.
        ordered = sorted(items, key=lambda item: (item.header.boot, item.header.sequence))
        with self._db.writer() as session:
            now, here = self._db.now(session), clock.monotonic()
            held = guest_position.hold(session, {item.header.instance_id for item in items})
            records: list[heartbeat.HeartbeatRecord] = []
            moved: dict[str, Position] = {}
            refused = []
            for item in ordered:
                header = item.header
                row = held.get(header.instance_id)
                # The next generation counts from when it is agreed on, the row's until that was used.
                generations = () if row is None else (row.generation, row.generation + 1)
                if row is None or header.generation not in generations or row.enrolled_at != item.enrolled_at:
                    refused.append(item)  # deleted, or given a new identity, since it was opened
                    continue
                before = moved.get(header.instance_id) or Position.load(row.boot, row.sequence, row.window)
                after = before.accept(header.boot, header.sequence)
                if after is None:
                    LOG.warning("refused a '%s' of %s: replayed", header.name, header.instance_id)
                    refused.append(item)
                    continue
                moved[header.instance_id] = after
                if header.generation != row.generation:
                    self._renewed(session, header, now)
                if item.message is not None:
                    received_at = now - datetime.timedelta(seconds=here - item.received)
                    records.append(reports.heartbeat_record(header.instance_id, item.message, received_at))
            guest_position.advance(
                session,
                (
                    held[name]._replace(boot=position.boot, sequence=position.sequence, window=position.window)
                    for name, position in moved.items()
                ),
            )
            heartbeat.record(session, records)
        for item in items:
            item.outcome = Outcome.RECORDED
        for item in refused:
            item.outcome = Outcome.REFUSED
