# SPDX-License-Identifier: Apache-2.0
"""One agent at a time: a lock that the kernel gives back when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path
from types import TracebackType


class AlreadyLocked(Exception):
    """Another process holds the lock; the text names its pid when it is known."""


class FileLock:
    """Holds ``path`` locked while entered. The file stays: removing it would let two processes lock two files of one
    name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> "FileLock":
        """Take the lock at once or not at all.

        :raises AlreadyLocked: another process has it.
        :raises OSError: when the file cannot be made.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # flock, not lockf: a POSIX lock is lost as soon as any part of the process closes the file.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise AlreadyLocked(f"{self._path} is locked by process {holder or 'unknown'}") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, b"%d\n" % os.getpid())
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
