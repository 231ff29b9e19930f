# SPDX-License-Identifier: Apache-2.0
"""Limits of memory, processor time and processes, by the kernel's control groups.

Version 1 has a tree for each controller, version 2 one for all; which one a host has is looked up once
(:func:`find`). An instance's group is ``<parent>/trove-<digest>/<slug>`` in each tree. ``parent`` is, unless
configured, the group this process is in itself (version 1: what limits the service goes on to limit its instances) or
the top of the tree (version 2, where a group with processes in it cannot have limited groups below).

A smaller memory limit is only put in force once the processes fit into it: nobody is killed for a resize. See
cgroups(7) and the kernel's admin-guide, cgroup-v1/memory and cgroup-v2.
"""

import contextlib
import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trove.domain.shape import Shape
from trove.providers import base

CONTROLLERS = ("memory", "cpu", "pids")

#: Microseconds in which the share of processor time is counted; the kernel's own default.
PERIOD = 100_000
#: Processes and threads: a base, and one more for each 2 MiB. A database has one for each connection at most.
PROCESSES = 1024

MIB = 2**20

_PROC = Path("/proc/self")


def processes(shape: Shape) -> int:
    """Return how many processes and threads an instance of this shape may have."""
    return PROCESSES + shape.ram_mib // 2


@dataclass(frozen=True)
class Cgroups:
    """The trees of this host.

    :ivar version: 1 or 2.
    :ivar parents: where the groups of this service are made: one directory for each tree.
    """

    version: int
    parents: tuple[Path, ...]

    def plan(self, slug: str) -> list[str]:
        """Return the directories of an instance's groups, existing or not."""
        return [str(parent / slug) for parent in self.parents]

    def make(self, groups: Sequence[str], shape: Shape) -> None:
        """Make the groups and set their limits; groups that exist get the limits of ``shape``.

        :raises base.RetryableError: when the kernel refuses.
        """
        try:
            for group in groups:
                directory = Path(group)
                directory.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                if self.version == 2:
                    for above in (directory.parent.parent, directory.parent):
                        _enable(above)
                directory.mkdir(mode=0o755, exist_ok=True)
            self.fit(groups, shape)
        except OSError as err:
            raise base.RetryableError(f"the limits of the instance cannot be set: {err}") from err

    @staticmethod
    def fit(groups: Sequence[str], shape: Shape) -> bool:
        """Set the limits of ``shape``; ``False`` while the processes need more memory than it allows."""
        fitted = True
        for directory in map(Path, groups):
            _put(directory / "cpu.cfs_period_us", PERIOD)
            _put(directory / "cpu.cfs_quota_us", PERIOD * shape.vcpus)
            _put(directory / "cpu.max", f"{PERIOD * shape.vcpus} {PERIOD}")
            _put(directory / "pids.max", processes(shape))
            fitted &= _limit_memory(directory, shape.ram_mib * MIB)
        return fitted

    @staticmethod
    def remove(groups: Sequence[str]) -> bool:
        """Remove the groups, and what is above them once that is empty; ``False`` while a process is left in one."""
        for directory in map(Path, groups):
            try:
                directory.rmdir()
            except FileNotFoundError:
                pass
            except OSError as err:
                if err.errno == errno.EBUSY:
                    return False
                raise
            with contextlib.suppress(OSError):
                directory.parent.rmdir()
        return True

    def slugs(self) -> set[str]:
        """Return the instances that have a group below the present parents."""
        parents = [parent for parent in self.parents if parent.is_dir()]
        return {entry.name for parent in parents for entry in parent.iterdir() if entry.is_dir()}


def members(groups: Sequence[str]) -> set[int]:
    """Return the numbers of the processes in the groups."""
    found: set[int] = set()
    for group in groups:
        with contextlib.suppress(OSError):
            found.update(map(int, (Path(group) / "cgroup.procs").read_text().split()))
    return found


def find(mark: str, parent: str | None = None, *, proc: Path = _PROC) -> Cgroups:
    """Return the trees of this host.

    :param mark: name of the directory for the groups of this service.
    :param parent: path inside each tree below which it is made; the module's docstring says what it is otherwise.
    :raises base.FatalError: when a controller is in neither version; the text names it.
    """
    own = _own_groups(proc)
    trees = _trees(proc)
    if all(name in trees for name in CONTROLLERS):
        parents = []
        for name in CONTROLLERS:
            mount, root = trees[name]
            inside = parent if parent is not None else _below(own.get(name, "/"), root)
            directory = mount / inside.strip("/") / mark
            if directory not in parents:  # cpu and cpuacct may share one tree, and so may any two
                parents.append(directory)
        return Cgroups(1, tuple(parents))
    if "" in trees:
        mount, _ = trees[""]
        top = mount / (parent or "/").strip("/")
        with contextlib.suppress(OSError):
            available = (top / "cgroup.controllers").read_text().split()
            if all(name in available for name in CONTROLLERS):
                return Cgroups(2, (top / mark,))
    missing = [name for name in CONTROLLERS if name not in trees]
    raise base.FatalError(f"no cgroup controller for {', '.join(missing)} in version 1 or 2")


def _trees(proc: Path) -> dict[str, tuple[Path, str]]:
    """Return ``{controller: (mount point, its path inside the tree)}``; version 2 under the empty name."""
    found: dict[str, tuple[Path, str]] = {}
    for line in (proc / "mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        fields, kind, options = before.split(), after.split()[0], after.split()[-1]
        place = (Path(fields[4]), fields[3])
        if kind == "cgroup":
            for name in options.split(","):
                if name in CONTROLLERS:
                    found.setdefault(name, place)
        elif kind == "cgroup2":
            found.setdefault("", place)
    return found


def _own_groups(proc: Path) -> dict[str, str]:
    own: dict[str, str] = {}
    for line in (proc / "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        own.update(dict.fromkeys(names.split(","), path))
    return own


def _below(path: str, root: str) -> str:
    """Return ``path`` as it is seen from a mount of ``root``; in a container both begin alike."""
    return path.removeprefix(root) if root != "/" and path.startswith(root) else path


def _enable(directory: Path) -> None:
    control = directory / "cgroup.subtree_control"
    if missing := [name for name in CONTROLLERS if name not in control.read_text().split()]:
        control.write_text(" ".join(f"+{name}" for name in missing))


def _put(file: Path, value: int | str) -> None:
    """Write a limit where this version and tree has the file."""
    if file.exists() and file.read_text().strip() != str(value):
        file.write_text(str(value))


def _limit_memory(directory: Path, limit: int) -> bool:
    old, new = directory / "memory.limit_in_bytes", directory / "memory.max"
    if old.exists():
        try:
            _put(old, limit)  # the kernel drops caches to make it fit
        except OSError as err:
            if err.errno != errno.EBUSY:
                raise
            return False
    elif new.exists():
        _put(directory / "memory.swap.max", 0)
        _put(directory / "memory.high", limit)  # has the kernel reclaim; it kills nobody, as a lower memory.max would
        if int((directory / "memory.current").read_text()) > limit:
            return False
        _put(new, limit)
        _put(directory / "memory.high", "max")
    return True


def join_files(groups: Sequence[str]) -> list[str]:
    """Return the files into which a process writes its number to join the groups."""
    return [os.path.join(group, "cgroup.procs") for group in groups]
