# SPDX-License-Identifier: Apache-2.0
"""The engine's log files: read their end, keep them from growing without bound.

A server that writes to its standard error is never told that its log was moved, so a log is *copied and truncated*: the
process has it open for appending and simply goes on at the beginning. A line written between the two may be lost; that
is the price of needing no cooperation from the engine.
"""

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

#: Bytes of a log that are looked at for a cause.
TAIL_BYTES = 16 * 1024
#: Bytes after which a log is rotated, and how many old ones are kept beside it.
MAX_BYTES = 10 * 1024 * 1024
KEEP = 3


def tail(path: Path, limit: int = TAIL_BYTES) -> str:
    """Return the last ``limit`` bytes of a log as text; empty when it cannot be read."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - limit))
            return stream.read(limit).decode(errors="replace")
    except OSError:
        return ""


def rotate(path: Path, max_bytes: int = MAX_BYTES, keep: int = KEEP) -> bool:
    """Copy and truncate ``path`` when it is larger than ``max_bytes``; return whether it was. Never raises: a log must
    not end the agent, and on a full disk there is nowhere to copy to.
    """
    try:
        if path.stat().st_size <= max_bytes:
            return False
        for number in range(keep, 1, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(numbered(path, number - 1), numbered(path, number))
        if keep:
            shutil.copyfile(path, numbered(path, 1))
            numbered(path, 1).chmod(0o600)
        os.truncate(path, 0)
    except OSError:
        return False
    return True


def numbered(path: Path, number: int) -> Path:
    """Return the name of the rotated log; 1 is the newest."""
    return path.with_name(f"{path.name}.{number}")


def with_rotated(path: Path, keep: int = KEEP) -> list[Path]:
    """Return the files of one log that exist, newest last."""
    return [found for found in [*(numbered(path, n) for n in range(keep, 0, -1)), path] if found.exists()]


def prune(paths: Sequence[Path], keep: int) -> None:
    """Remove all but the last ``keep`` of ``paths``; one that is gone or cannot be removed is no error."""
    for old in paths[: max(0, len(paths) - keep)]:
        with contextlib.suppress(OSError):
            old.unlink(missing_ok=True)
