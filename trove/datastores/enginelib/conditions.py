# SPDX-License-Identifier: Apache-2.0
"""Why an engine is down or cannot write, in words an owner can act on: what is wrong, and what helps.

Recognised from what is there to see, never by asking the engine: the errno of a failed call, the free space of the file
system, the kernel's count of processes killed for memory in our cgroup, and the last lines of the engine's log. A log
line alone proves little, because it may be old: "no space left" counts only while there is little space.
"""

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["disk-full", "out-of-memory"]

#: A file system with less than this free (or a hundredth of it, if that is less) is full: engines refuse to write
#: before the last byte.
FULL_BYTES = 16 * 2**20
#: With more than this free (or a twentieth), an old "no space left" in the log explains nothing any more.
ROOMY_BYTES = 256 * 2**20

_DISK = re.compile(
    r"no space left on device|disk is full|disk full|errno:? ?28\b|error 28\b|could not extend file|"
    r"write error saving DB|MISCONF|disk quota exceeded",
    re.IGNORECASE,
)
_MEMORY = re.compile(
    r"cannot allocate memory|can't allocate memory|out of memory|errno:? ?12\b|could not map anonymous shared memory|"
    r"cannot allocate \d+ bytes|failed to allocate memory",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Condition:
    """A recognised cause with its remedy; both are complete sentences."""

    kind: Kind
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.cause} {self.remedy}"


DISK_FULL = Condition(
    "disk-full",
    "The data volume is full.",
    "Resize the volume or delete data; the database goes on by itself.",
)
OUT_OF_MEMORY = Condition(
    "out-of-memory",
    "The database server ran out of memory.",
    "Resize the instance to a larger flavor, or let it do less at a time.",
)


def from_error(error: BaseException | None) -> Condition | None:
    """Return what a failed system call says, looking through the causes of ``error``."""
    while error is not None:
        number = getattr(error, "errno", None)
        if number in (errno.ENOSPC, errno.EDQUOT):
            return DISK_FULL
        if number == errno.ENOMEM:
            return OUT_OF_MEMORY
        error = error.__cause__ or error.__context__
    return None


def free_bytes(directory: Path) -> tuple[int, int] | None:
    """Return (free, total) bytes of the file system of ``directory`` for an ordinary process, ``None`` if unknown."""
    try:
        found = os.statvfs(directory)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def is_full(directory: Path) -> bool:
    """Tell whether practically nothing more can be written below ``directory``."""
    space = free_bytes(directory)
    return space is not None and space[0] < min(FULL_BYTES, space[1] // 100)


def _is_roomy(directory: Path) -> bool:
    space = free_bytes(directory)
    return space is None or space[0] >= min(ROOMY_BYTES, space[1] // 20)


def from_log(text: str, directory: Path) -> Condition | None:
    """Return what the end of an engine's log says about why it ended.

    :param directory: its data, to tell whether a "no space left" is still true.
    """
    last: Condition | None = None
    for line in text.splitlines():
        if _DISK.search(line):
            last = DISK_FULL
        elif _MEMORY.search(line):
            last = OUT_OF_MEMORY
    if last is DISK_FULL and _is_roomy(directory):
        return None
    return last


class MemoryKills:
    """Counts processes of our own cgroup that the kernel killed for want of memory.

    Version 2: ``oom_kill`` in ``memory.events``; version 1: ``oom_kill`` in ``memory.oom_control``. In a cgroup without
    limits the count is of the whole machine or stays 0, and says nothing; that is as good as not knowing.

    :param proc: the file that says which cgroups we are in.
    :param root: where cgroup file systems are mounted.
    """

    def __init__(self, proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> None:
        self._files = [*_event_files(proc, root)]
        self._seen = self._count()

    def since_last_forgiven(self) -> bool:
        """Tell whether one was killed since the object was made or :meth:`forgive` was called."""
        return self._count() > self._seen

    def forgive(self) -> None:
        """Begin to count anew."""
        self._seen = self._count()

    def _count(self) -> int:
        for path in self._files:
            try:
                for line in path.read_text().splitlines():
                    key, _, value = line.partition(" ")
                    if key == "oom_kill":
                        return int(value)
            except (OSError, ValueError):
                continue
        return 0


def _event_files(proc: Path, root: Path) -> list[Path]:
    try:
        lines = proc.read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        # The root group has no limit of its own, and on version 1 it counts everybody's.
        if group in ("", "/"):
            continue
        if controllers == "":
            found += [place / group.lstrip("/") / "memory.events" for place in (root, root / "unified")]
        elif "memory" in controllers.split(","):
            found.append(root / "memory" / group.lstrip("/") / "memory.oom_control")
    return found
