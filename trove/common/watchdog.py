# SPDX-License-Identifier: Apache-2.0
"""A file by which a process tells another one on the same host that it has not hung.

Its time of modification is set to the monotonic clock, which all processes of a host share, which nobody can set, and
which stands still while the host sleeps. To set it takes no room on a disk, so a full one makes nobody look hung.
"""

import os
from pathlib import Path

from trove.common import clock

#: Name of an agent's file in its state directory.
FILE = "watchdog"
#: Seconds between two signs of life.
INTERVAL = 5.0

_NANOSECONDS = 10**9


def beat(path: Path) -> None:
    """Say that the caller is alive now.

    :raises OSError: when the file cannot be made.
    """
    moment = int(clock.monotonic() * _NANOSECONDS)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        os.utime(handle, ns=(moment, moment))
    finally:
        os.close(handle)


def last(path: Path) -> float | None:
    """Return when the other process was alive, in seconds of the monotonic clock; ``None`` when it has never said.

    Nothing is opened or followed: the file is in a directory of the other's.
    """
    try:
        return path.lstat().st_mtime_ns / _NANOSECONDS
    except OSError:
        return None
