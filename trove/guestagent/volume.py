# SPDX-License-Identifier: Apache-2.0
"""How full the data volume is.

Where the data directory is a mount point the file system knows (``statvfs``). Where a volume is only a directory with
an agreed size, the files below it are counted, as ``du`` does: allocated blocks, links not followed. Counting a large
tree takes time that a heartbeat does not have, so the walk goes on a slice at a time and the last complete count is
what is told.
"""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from trove.common import clock

GIB = 1024**3
#: Seconds one call may spend counting.
SLICE = 0.1
#: Seconds that a complete count is good for.
FRESH_FOR = 30.0
#: Unit of ``st_blocks``, whatever the file system's own block size (stat(2)).
_BLOCK = 512
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Bytes of a path after which those below get an anchor of their own: the kernel takes 4095 (PATH_MAX).
_LONG = 2000


class VolumeGauge:
    """Measures one data directory. Thread-safe: who sends heartbeats asks, and who polls.

    :param size_gib: asks for the agreed size of a volume that is a directory, ``None`` when nobody has said.
    """

    def __init__(self, data_dir: Path, size_gib: Callable[[], int | None]) -> None:
        self._data_dir = data_dir
        self._size_gib = size_gib
        self._lock = threading.Lock()
        self._walk: Iterator[int] | None = None
        self._sum = 0
        self._counted: int | None = None
        self._counted_at = 0.0

    def measure(self) -> tuple[int | None, int | None]:
        """Return (used, total) in bytes; ``None`` for what is not known, or not yet."""
        try:
            if os.path.ismount(self._data_dir):
                found = os.statvfs(self._data_dir)
                total = found.f_blocks * found.f_frsize
                return total - found.f_bfree * found.f_frsize, total
        except OSError:
            return None, None
        size = self._size_gib()
        with self._lock:
            return self._count(), None if size is None else size * GIB

    def _count(self) -> int | None:
        # Caller holds the lock.
        now = clock.monotonic()
        if self._walk is None:
            if self._counted is not None and now - self._counted_at < FRESH_FOR:
                return self._counted
            self._walk, self._sum = _sizes(self._data_dir), 0
        for size in self._walk:
            self._sum += size
            if clock.monotonic() - now > SLICE:
                return self._counted
        self._walk, self._counted, self._counted_at = None, self._sum, clock.monotonic()
        return self._counted


class _Anchor:
    """A directory that longer paths are relative to; closed with the last of them."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __del__(self) -> None:
        os.close(self.handle)


def _sizes(directory: Path) -> Iterator[int]:
    """Yield the bytes on disk of each file below ``directory``, however deep; what vanishes meanwhile counts
    nothing."""
    try:
        waiting = [(_Anchor(os.open(directory, _OPEN)), ".")]
    except OSError:
        return
    while waiting:
        anchor, path = waiting.pop()
        try:
            handle = os.open(path, _OPEN, dir_fd=anchor.handle)
        except OSError:
            continue
        if len(os.fsencode(path)) > _LONG:
            anchor, path = _Anchor(os.dup(handle)), "."
        try:
            with os.scandir(handle) as entries:
                for entry in entries:
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append((anchor, f"{path}/{entry.name}"))
                        yield entry.stat(follow_symlinks=False).st_blocks * _BLOCK
                    except OSError:
                        continue
        except OSError:
            continue
        finally:
            os.close(handle)
