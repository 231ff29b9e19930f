# SPDX-License-Identifier: Apache-2.0
"""The engine's log files: read their end, keep them from growing without bound.

What an engine logs is for its tenants to say: statements, errors, a ``RAISE LOG`` in a loop. So each log is a *ring*:
of one file that is rotated (:func:`rotate`) or of files that the engine begins by itself (:func:`bound`), with a size
of its own, which it has again after each look, however much was written since the last one.

A server that writes to its standard error is never told that its log was moved, so a log is *copied and truncated*: the
process has it open for appending and simply goes on at the beginning. A line written between the two may be lost; that
is the price of needing no cooperation from the engine.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

#: Bytes of a log that are looked at for a cause.
TAIL_BYTES = 16 * 1024
#: Bytes after which a log is rotated, and how many old ones are kept beside it.
MAX_BYTES = 10 * 1024 * 1024
KEEP = 3
_BLOCK = 256 * 1024


def tail(path: Path, limit: int = TAIL_BYTES) -> str:
    """Return the last ``limit`` bytes of a log as text; empty when it cannot be read."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - limit))
            return stream.read(limit).decode(errors="replace")
    except OSError:
        return ""


def rotate(path: Path, max_bytes: int = MAX_BYTES, keep: int = KEEP) -> bool:
    """Copy and truncate ``path`` when it is larger than ``max_bytes``; return whether it was.

    Of a log that has grown to more than twice that since the last look, the last ``max_bytes`` are kept; any other is
    kept whole, so that a publication finds it again (:mod:`trove.guestagent.log_files`). Never raises: a log must not
    end the agent. On a full disk, where there is nowhere to copy to, it is truncated all the same: it may be what has
    filled it.
    """
    try:
        taken = path.stat().st_size
        if taken <= max_bytes:
            return False
        with contextlib.suppress(OSError):
            _push(path, taken - max_bytes if taken > 2 * max_bytes else 0, keep)
        os.truncate(path, 0)
    except OSError:
        return False
    return True


def _push(path: Path, start: int, keep: int) -> None:
    """Make room for another rotated log, and copy ``path`` from ``start`` on into it."""
    for number in range(keep, 1, -1):
        with contextlib.suppress(FileNotFoundError):
            os.replace(numbered(path, number - 1), numbered(path, number))
    if not keep:
        return
    copy = os.open(numbered(path, 1), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(path, "rb") as source, open(copy, "wb") as target:
        # Up to where it ends now: the engine may write faster than this reads.
        left = os.fstat(source.fileno()).st_size - source.seek(start)
        while left > 0 and (block := source.read(min(_BLOCK, left))):
            target.write(block)
            left -= len(block)


def numbered(path: Path, number: int) -> Path:
    """Return the name of the rotated log; 1 is the newest."""
    return path.with_name(f"{path.name}.{number}")


def with_rotated(path: Path, keep: int = KEEP) -> list[Path]:
    """Return the files of one log that exist, newest last."""
    return [found for found in [*(numbered(path, n) for n in range(keep, 0, -1)), path] if found.exists()]


def bound(paths: Sequence[Path], max_bytes: int, max_files: int) -> None:
    """Remove the oldest of ``paths`` (newest last) until those that are left have at most ``max_bytes`` and are at most
    ``max_files``. The last one, which the engine has open, is truncated when it alone is larger. Never raises.
    """
    sizes = [size(path) for path in paths]
    total, left = sum(sizes), len(paths)
    for path, taken in zip(paths[:-1], sizes[:-1], strict=True):
        if total <= max_bytes and left <= max_files:
            return
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            total, left = total - taken, left - 1
    if paths and sizes[-1] > max_bytes:
        with contextlib.suppress(OSError):
            os.truncate(paths[-1], 0)


def size(path: Path) -> int:
    """Return the bytes in a file; 0 when there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
