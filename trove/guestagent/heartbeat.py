# SPDX-License-Identifier: Apache-2.0
"""When to send a heartbeat, and what it says.

At once after the start and at each change of the service status, and otherwise at the interval of the bootstrap
document. A heartbeat is not stored and not repeated: the next one makes up for a lost one.

Where commands are polled for, polls say what is due at the interval, and are held for a little less than that. So a
guest needs one connection most of the time. A change goes apart, because a poll may be held when it happens.
"""

import random
import threading
from collections.abc import Callable

from trove.common import clock, ids
from trove.datastores import spi
from trove.wire import base, report

#: Share of the interval by which each beat may come earlier. A control plane that comes back, or a host that starts a
#: hundred guests, would otherwise make them all beat in the same instant for ever; each beat draws anew, so that herds
#: dissolve. Never later: the expiry on the other side counts whole intervals.
JITTER = 0.2
#: Share of the time until the next heartbeat for which a poll is held, so that the next poll says it before it is due
#: to be sent apart.
POLL_SHARE = 0.9
#: Seconds for which a poll is held at least, however short the interval: ever new polls would cost more than heartbeats
#: that go apart.
POLL_LEAST = 2.0
#: Seconds after which a probe that has not returned is itself the news.
PROBE_PATIENCE = 40.0


class Heartbeats:
    """Holds the last known status and tells when to send it; may be used from several threads.

    :param interval: seconds.
    :param measure: returns (used, total) bytes of the data volume.
    """

    def __init__(
        self,
        interval: float,
        *,
        agent_version: str,
        handler_version: str,
        measure: Callable[[], tuple[int | None, int | None]],
    ) -> None:
        self._interval = interval
        self._agent_version = agent_version
        self._handler_version = handler_version
        self._measure = measure
        self._lock = threading.Lock()
        self._status: spi.EngineStatus | None = None
        self._probed_at = 0.0
        self._told: str | None = None
        self._next = 0.0

    def publish(self, status: spi.EngineStatus) -> bool:
        """Take the result of a probe; return whether a heartbeat is due at once because of it."""
        with self._lock:
            self._status, self._probed_at = status, clock.monotonic()
            return status.status != self._told

    def seconds_left(self) -> float:
        """Return the seconds until the next heartbeat is due: 0 when it is, infinity before the first probe."""
        with self._lock:
            status = self._current()
            if status is None:
                return float("inf")
            return 0.0 if status.status != self._told else max(0.0, self._next - clock.monotonic())

    def compose(self) -> report.Heartbeat:
        """Return the heartbeat to send now and plan the next.

        A heartbeat that could not be sent must be followed by :meth:`missed`.
        """
        volume = self._measure()
        with self._lock:
            return self._compose(self._current() or spi.EngineStatus("building"), volume)

    def for_poll(self, longest: float) -> tuple[report.Heartbeat | None, float]:
        """Return what a poll says that begins now, and for how many seconds it is held, ``longest`` at most.

        It says nothing while a change is to be sent, which must not depend on the peer's reading heartbeats in polls.
        A heartbeat that was not taken must be followed by :meth:`missed`.
        """
        volume = self._measure()
        with self._lock:
            status = self._current()
            if status is None or status.status != self._told:
                beat, left = None, self._interval * (1 - JITTER)
            else:
                beat, left = self._compose(status, volume), self._next - clock.monotonic()
        return beat, min(longest, max(POLL_LEAST, POLL_SHARE * left))

    def missed(self) -> None:
        """The last heartbeat may not have arrived: the next one is due at once, as soon as anything can be sent."""
        with self._lock:
            self._told = None

    def _compose(self, status: spi.EngineStatus, volume: tuple[int | None, int | None]) -> report.Heartbeat:
        # Caller holds the lock.
        self._told = status.status
        # Not cryptography: it only spreads load.
        self._next = clock.monotonic() + self._interval * (1 - JITTER * random.random())
        used, total = volume
        return report.Heartbeat(
            report_id=ids.new_id(),
            service_status=status.status,
            reason=None if status.reason is None else status.reason[:255],
            agent_version=self._agent_version,
            handler_version=self._handler_version,
            protocol_min=base.PROTOCOL_MIN,
            protocol_max=base.PROTOCOL_MAX,
            volume_used_bytes=used,
            volume_total_bytes=total,
            wal_bytes=status.wal_bytes,
        )

    def _current(self) -> spi.EngineStatus | None:
        # Caller holds the lock.
        silent = clock.monotonic() - self._probed_at
        if self._status is not None and silent > PROBE_PATIENCE:
            return spi.EngineStatus(
                "blocked", f"The probe of the engine has not returned for {PROBE_PATIENCE:g} seconds."
            )
        return self._status
