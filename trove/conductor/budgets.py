# SPDX-License-Identifier: Apache-2.0
"""What one guest may ask of the service: so many messages, and so many rows of its inventory.

A guest is hostile, and what it reports is written into a database that all share. Each has a budget of messages and one
of rows (:mod:`trove.domain.token_bucket`). Beyond the first its message is not looked at, and it is told when to come
again. Beyond the second an inventory is written as far as the budget goes and not acknowledged, so that the guest sends
it again and the rest follows. Nobody else notices. Whoever is slowed is remembered (:meth:`Budgets.slowed`), for the
log, the instance's owner and whoever is notified: see :mod:`trove.conductor.slowed`.

The budgets are this process's: a guest that talks to several conductors has one at each.
"""

import threading
from collections import OrderedDict
from typing import NamedTuple

from oslo_config import cfg

from trove.common import clock
from trove.domain.token_bucket import TokenBucket

#: Seconds' worth of messages that may come at once.
BURST_SECONDS = 10
#: Bytes of a message that cost as much as one more message.
BYTES_PER_MESSAGE = 64 * 1024
#: To compare so many rows costs as much as to write one.
COMPARED_PER_ROW = 20
#: A guest that is told to come later is told no more than this (seconds), so that its heartbeats do not stay away.
MAX_WAIT = 30.0
#: Guests whose budget is remembered; one that is forgotten gets a full one.
_MAX_GUESTS = 20000


class Slowed(NamedTuple):
    """How often a guest was slowed since this was asked last."""

    instance_id: str
    messages: int
    inventories: int


class _Budget:
    """Of one guest."""

    __slots__ = ("inventories", "messages", "refused", "rows")

    def __init__(self, message_rate: float, rows_per_minute: float, now: float) -> None:
        self.messages = TokenBucket.full(message_rate, message_rate * BURST_SECONDS, now)
        self.rows = TokenBucket.full(rows_per_minute / 60, rows_per_minute, now)
        self.refused = 0
        self.inventories = 0


class Budgets:
    """The budgets of all guests. Thread-safe."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._lock = threading.Lock()
        self._guests: OrderedDict[str, _Budget] = OrderedDict()
        self._exceeded: set[str] = set()

    def admit(self, instance_id: str, size: int) -> float:
        """Count one message of an authenticated guest; return 0, or the seconds after which it may come again.

        :param size: of the message, in bytes.
        """
        now = clock.monotonic()
        with self._lock:
            budget = self._of(instance_id, now)
            wait = budget.messages.take(1 + size // BYTES_PER_MESSAGE, now)
            if not wait:
                return 0.0
            budget.refused += 1
            self._exceeded.add(instance_id)
        return min(max(wait, 1.0), MAX_WAIT)

    def rows(self, instance_id: str) -> int:
        """Return how many rows of an inventory may be written now."""
        now = clock.monotonic()
        with self._lock:
            return max(0, int(self._of(instance_id, now).rows.available(now)))

    def spend_compared(self, instance_id: str, count: int) -> None:
        """Count rows that are compared with what is stored."""
        self.spend_rows(instance_id, count / COMPARED_PER_ROW)

    def spend_rows(self, instance_id: str, count: float) -> None:
        """Count rows that were written."""
        now = clock.monotonic()
        with self._lock:
            self._of(instance_id, now).rows.spend(count, now)

    def cut_short(self, instance_id: str) -> None:
        """An inventory of this guest was not written to its end."""
        with self._lock:
            self._of(instance_id, clock.monotonic()).inventories += 1
            self._exceeded.add(instance_id)

    def slowed(self, limit: int) -> list[Slowed]:
        """Return up to ``limit`` guests that were slowed since this said so last."""
        with self._lock:
            found = []
            for instance_id in sorted(self._exceeded)[:limit]:
                self._exceeded.discard(instance_id)
                budget = self._guests.get(instance_id)
                if budget is not None:
                    found.append(Slowed(instance_id, budget.refused, budget.inventories))
                    budget.refused = budget.inventories = 0
            return found

    def _of(self, instance_id: str, now: float) -> _Budget:
        # Caller holds the lock.
        budget = self._guests.get(instance_id)
        if budget is None:
            options = self._conf.guest_bus
            budget = _Budget(options.guest_message_rate, options.guest_rows_per_minute, now)
            self._guests[instance_id] = budget
            if len(self._guests) > _MAX_GUESTS:
                self._guests.popitem(last=False)
        else:
            self._guests.move_to_end(instance_id)
        return budget
