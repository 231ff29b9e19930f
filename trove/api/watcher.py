# SPDX-License-Identifier: Apache-2.0
"""Learns of the end of workflows, for all who wait in this process: one thread, which asks one query for all of them.

It waits for rows, not for messages: the guest answers the conductor, and which process carries a workflow out is not
known here.
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from trove.common import clock
from trove.common.log_limit import LogLimit
from trove.workflow.listing import Operation

LOG = logging.getLogger(__name__)

#: Seconds between two looks while anybody waits.
INTERVAL = 0.05
#: Seconds without anybody after which the thread ends; the next one who waits starts another.
_IDLE_SECONDS = 5.0

#: Given the operation when it has ended, ``None`` when it has not in time. Called in the watcher's thread; must be
#: quick and not raise.
Told = Callable[[Operation | None], None]


@dataclass(frozen=True, eq=False)
class Watch:
    """Somebody who waits.

    :ivar until: when to give up, on the monotonic clock.
    """

    operation_id: str
    until: float
    told: Told


class Watcher:
    """All who wait in one process. Thread-safe.

    :param ended: returns those of the given operations that have ended; may raise whatever a database raises.
    """

    def __init__(self, ended: Callable[[Collection[str]], Iterable[Operation]]) -> None:
        self._ended = ended
        self._lock = threading.Lock()
        self._watches: set[Watch] = set()
        self._came = threading.Event()
        self._running = False
        self._failures = LogLimit(LOG)

    def watch(self, operation_id: str, seconds: float, told: Told) -> Watch:
        """Have ``told`` called once: when the operation has ended, or ``seconds`` have passed."""
        watch = Watch(operation_id, clock.monotonic() + seconds, told)
        with self._lock:
            self._watches.add(watch)
            if not self._running:
                # When it cannot be started, the next one who waits tries again.
                threading.Thread(target=self._loop, name="operation-watcher", daemon=True).start()
                self._running = True
        self._came.set()
        return watch

    def forget(self, watch: Watch) -> None:
        """Call nobody for this one any more."""
        with self._lock:
            self._watches.discard(watch)

    def look(self) -> None:
        """Tell whom there is something to tell."""
        with self._lock:
            watches = list(self._watches)
        if not watches:
            return
        found: dict[str, Operation] = {}
        try:
            found = {operation.id: operation for operation in self._ended({watch.operation_id for watch in watches})}
        except Exception as err:  # boundary: the database may be back at the next look, and who waits gives up in time
            kind = type(err).__name__
            self._failures.log(logging.WARNING, kind, f"The database does not say which operations have ended: {kind}")
        now = clock.monotonic()
        for watch in watches:
            operation = found.get(watch.operation_id)
            if operation is None and now < watch.until:
                continue
            with self._lock:
                if watch not in self._watches:
                    continue
                self._watches.remove(watch)
            watch.told(operation)

    def _loop(self) -> None:
        while True:
            self._came.clear()
            self.look()
            with self._lock:
                idle = not self._watches
            if not idle:
                clock.sleep(INTERVAL)
            elif not clock.wait(self._came, _IDLE_SECONDS):
                with self._lock:
                    if not self._watches:
                        self._running = False
                        return
