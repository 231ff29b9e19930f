# SPDX-License-Identifier: Apache-2.0
"""The pid file, which is also the lock that keeps two services out of one data directory.

The lock belongs to the process, so a pid file left by a killed service says nothing: :func:`running` looks at the lock.
The file itself is never removed: two processes could otherwise each lock a file of that name.
"""

import contextlib
import fcntl
import os
from pathlib import Path

from trove.common import clock

#: Seconds for which a lock may be held by somebody who only looks, or has not written its pid yet.
_MOMENT = 0.5
_PAUSE = 0.01
#: Width of a pid in the file.
_DIGITS = 10


class AlreadyRunning(Exception):
    """Another service holds the data directory."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        super().__init__(f"a service already runs on this data directory (pid {pid})")


class PidFile:
    """Holds the lock from :meth:`acquire` until the process ends or :meth:`release` is called."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock and write this process's pid.

        :raises AlreadyRunning: when another process has it.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        give_up = clock.monotonic() + _MOMENT
        while not _lock(descriptor, fcntl.LOCK_EX):
            if clock.monotonic() >= give_up:
                os.close(descriptor)
                raise AlreadyRunning(read(self._path))
            clock.sleep(_PAUSE)
        self._descriptor = descriptor
        try:
            self._write(os.getpid())
        except OSError:
            self.release()
            raise

    def release(self) -> None:
        """Give the lock back; the file names nobody any more."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                self._write(0)
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, pid: int) -> None:
        # In place and always as long: on a disk that has become full the service must still be stopped under this lock.
        assert self._descriptor is not None
        os.pwrite(self._descriptor, f"{pid:<{_DIGITS}}\n".encode(), 0)


def read(path: Path) -> int:
    """Return the pid in the file, 0 when there is none."""
    try:
        return int(path.read_text().strip() or 0)
    except (OSError, ValueError):
        return 0


def running(path: Path) -> int:
    """Return the pid of the service that holds the lock, 0 when none does."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return 0
    give_up = clock.monotonic() + _MOMENT
    try:
        while not _lock(descriptor, fcntl.LOCK_SH):
            pid = read(path)
            if pid or clock.monotonic() >= give_up:
                return pid
            clock.sleep(_PAUSE)
    finally:
        os.close(descriptor)
    return 0


def _lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
