# SPDX-License-Identifier: Apache-2.0
"""Where a server's Unix socket is: in a directory of its own that nobody else can enter, and never inside the data.

It belongs beside the agent's state. A path there may be longer than the system allows for a socket; then it is in a
directory of a random name below the temporary directory. Nobody removes that one when an instance is deleted from
outside, so whoever needs a new one sweeps those that no living server uses.
"""

import contextlib
import os
import tempfile
from pathlib import Path

from trove.common import clock, trees
from trove.datastores.enginelib import files

_PREFIX = "trove-socket-"
#: Longest path of a Unix socket that every Linux accepts (``sun_path`` of 108 bytes with its terminating zero).
MAX_PATH_BYTES = 107
#: Seconds for which a directory without a living server is left alone: its server may be about to start.
_SWEEP_AFTER = 600.0


def path_fits(directory: Path, name: str) -> bool:
    """Tell whether a socket called ``name`` in ``directory`` stays within what the system allows for its path."""
    return len(bytes(directory / name)) <= MAX_PATH_BYTES


def usable_directory(preferred: Path, current: str | None, name: str) -> str:
    """Return a directory that exists for the socket ``name``: ``preferred`` where the path is short enough, else
    ``current`` while it is there and ours, else a new one.

    The server must keep a file ``<name>.lock`` there that begins with its pid, as PostgreSQL, MySQL and
    :func:`write_lock` do.

    :raises OSError: when none can be made.
    """
    if path_fits(preferred, name):
        return str(files.private_directory(preferred))
    if current is not None and _is_ours(Path(current)):
        return current
    sweep(Path(tempfile.gettempdir()))
    return tempfile.mkdtemp(prefix=_PREFIX)


def sweep(parent: Path) -> None:
    """Remove directories of sockets below ``parent`` that are ours, old, and of no living server."""
    for directory in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            old = clock.timestamp() - directory.lstat().st_mtime > _SWEEP_AFTER
            if old and _is_ours(directory) and not _in_use(directory):
                trees.remove(directory)


def write_lock(directory: Path, name: str, pid: int) -> None:
    """Say that ``pid`` uses the socket ``name`` in ``directory``, for an engine that does not do so itself.

    :raises OSError: when it cannot be written.
    """
    files.write_private(directory / f"{name}.lock", f"{pid}\n")


def _is_ours(directory: Path) -> bool:
    return directory.is_dir() and not directory.is_symlink() and directory.stat().st_uid == os.geteuid()


def _in_use(directory: Path) -> bool:
    """Tell whether a process that wrote a lock file here may be alive; its first word is the pid."""
    for lock in (path for path in directory.iterdir() if path.name.endswith(".lock")):
        try:
            os.kill(int(lock.read_text().split()[0]), 0)
        except (ValueError, IndexError, ProcessLookupError):
            continue
        except OSError:
            return True
        return True
    return False
