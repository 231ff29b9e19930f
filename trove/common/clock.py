# SPDX-License-Identifier: Apache-2.0
"""The process's clock: the only module that reads the time or sleeps.

Everything that is stored or must be agreed between processes (leases, deadlines) uses the *database's* clock instead,
see :meth:`trove.db.api.Database.now`. This one is for log lines, time-outs within a process, and tests, which replace
it.
"""

import datetime
import threading
import time


def utcnow() -> datetime.datetime:
    """Return the current time in UTC as a naive datetime with microseconds."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def timestamp() -> float:
    """Return seconds since the Unix epoch."""
    return time.time()


def monotonic() -> float:
    """Return seconds on a clock that never goes backwards; only differences mean something."""
    return time.monotonic()


def boottime() -> float:
    """Return seconds on a clock that never goes backwards and goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def sleep(seconds: float) -> None:
    """Block the calling thread for ``seconds``.

    A loop of a service must use :func:`wait` instead, so that it can be stopped.
    """
    time.sleep(seconds)


def wait(event: threading.Event, seconds: float) -> bool:
    """Wait until ``event`` is set or ``seconds`` have passed; return whether it is set."""
    return event.wait(seconds)


def isoformat(moment: datetime.datetime) -> str:
    """Render ``moment`` as the API does: UTC, whole seconds, no zone (``2026-05-02T08:00:00``)."""
    return moment.replace(microsecond=0, tzinfo=None).isoformat()
