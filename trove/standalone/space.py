# SPDX-License-Identifier: Apache-2.0
"""Room on the disk, looked at before something is begun: a full disk shows later in a hundred ways, few of which say
so."""

import shutil
from pathlib import Path

MIB = 2**20
#: MiB that the service's own files need to begin with.
FOR_SERVICE = 16
#: MiB that a new, empty database of any engine needs, with the template that the next ones are copied from.
FOR_DATABASE = 256


class NoSpace(Exception):
    """There is too little room on a file system; the text says where and what to do."""


def free_mib(path: Path) -> int:
    """Return the MiB that an ordinary user may still write on the file system of ``path``, or of the nearest directory
    above that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free // MIB


def require(path: Path, mib: int, what: str) -> None:
    """Check for room.

    :param what: subject of the sentence, with its verb: ``a new database needs``.
    :raises NoSpace: when there is less than ``mib``.
    """
    left = free_mib(path)
    if left < mib:
        raise NoSpace(
            f"no space left: {what} {mib} MiB, and the file system of {path} has {left} MiB free; free some, or choose "
            f"another directory with --data-dir"
        )
