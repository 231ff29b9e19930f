# SPDX-License-Identifier: Apache-2.0
"""Accounts of instances: with a service of root, each instance has a user id that nobody else on the host has.

An id comes out of a range (``[local] uid_range_start``, ``uid_range_size``) and is taken together with the instance's
volume, whose record names it; the agent and the engine run under it, in a group of the same number. So whoever breaks
out of one engine reaches neither the files nor the processes of another instance.

The ids of all services of a host are in one directory, :data:`REGISTRY`: a symbolic link with the id as its name leads
to the directory of the volume that has taken it. The id is free again when that directory is gone, and nothing that is
deleted, runs or lies in a public directory belongs to the id any more. Ids that the host's user database knows are
never taken.

A volume without an id in its record was made before there was a range: its instance keeps the shared account
``[local] user``.
"""

import ctypes
import grp
import hashlib
import os
import pwd
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from trove.common import trees
from trove.providers import base
from trove.providers.local import locks, processes
from trove.providers.local.privileges import Account, with_rights_of

#: systemd's range for dynamic users, which it does not give to anybody who has processes either.
DEFAULT_RANGE = range(61184, 65520)
#: Which id is taken by which volume, for all services of this host.
REGISTRY = Path("/var/lib/trove-uids")
#: Where every user of a host may leave files.
PUBLIC_DIRECTORIES = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))

_PROC = Path("/proc")
#: By kind of System V IPC: what /proc/sysvipc calls its column of ids, and the function that removes one.
_IPC: dict[str, tuple[str, Callable[[ctypes.CDLL, int], int]]] = {
    "shm": ("shmid", lambda libc, number: int(libc.shmctl(number, 0, None))),
    "sem": ("semid", lambda libc, number: int(libc.semctl(number, 0, 0))),
    "msg": ("msqid", lambda libc, number: int(libc.msgctl(number, 0, None))),
}
_libc = ctypes.CDLL(None, use_errno=True)


class Accounts:
    """Accounts of the instances below one ``base_dir``.

    :param shared: the account of ``[local] user``; ``None``: this process, like all instances, is an
        ordinary user.
    :param ids: the range; an empty one: new instances have the shared account.
    """

    def __init__(self, shared: Account | None, ids: range = DEFAULT_RANGE) -> None:
        self.shared = shared
        self._ids = ids

    def of(self, volume: Mapping[str, Any]) -> Account | None:
        """Return the account of an instance by the record of its volume."""
        uid = volume.get("uid")
        return self.shared if uid is None or self.shared is None else self._account(uid)

    def _account(self, uid: int) -> Account:
        # The shared group may enter the directory of the gateway's socket.
        groups = (self.shared.gid,) if self.shared is not None else ()
        return Account(f"trove-{uid}", uid, uid, groups)

    @contextmanager
    def taken(self, directory: Path) -> Iterator[Account | None]:
        """Take an id for a volume that is made in the context, in this directory, and return the account. The caller
        holds the store's lock.

        :raises base.QuotaError: when every id of the range is taken.
        """
        if self.shared is None or not self._ids:
            yield self.shared
            return
        REGISTRY.mkdir(mode=0o755, parents=True, exist_ok=True)
        with locks.hold(REGISTRY / ".lock"):
            real = os.path.realpath(directory)
            uid = self._choose(real)
            _register(uid, real)
            yield self._account(uid)

    def retake(self, uid: int, directory: Path) -> None:
        """Take the id of a volume that exists, where the registry has lost it or the volume was moved.

        :raises base.ConflictError: when another volume has it by now.
        """
        if self.shared is None or holds(uid, directory):
            return
        REGISTRY.mkdir(mode=0o755, parents=True, exist_ok=True)
        with locks.hold(REGISTRY / ".lock"):
            other = _volume_of(uid)
            if other is not None and other.exists():
                raise base.ConflictError(f"user id {uid} of {directory} belongs to {other} as well; move one away")
            _register(uid, os.path.realpath(directory))

    def _choose(self, seed: str) -> int:
        busy, public = running(), _owners_in_public()
        public |= {uid for kind in _IPC for uid, _ in _ipc(kind)}
        offset = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) % len(self._ids)
        for step in range(len(self._ids)):
            uid = self._ids[(offset + step) % len(self._ids)]
            if uid in busy or uid in public or _is_known(uid):
                continue
            volume = _volume_of(uid)
            if volume is None or not (volume.exists() or uid in _owners_in_trash(volume.parents[1] / "trash")):
                _require_mapped(uid)
                return uid
        raise base.QuotaError(
            f"all {len(self._ids)} user ids from [local] uid_range_start {self._ids.start} are taken by instances, or "
            "by files and processes that instances have left; delete instances, or set a larger uid_range_size"
        )


def holds(uid: int | None, directory: Path) -> bool:
    """Tell whether an id is taken by the volume in this directory and nobody else."""
    try:
        return uid is not None and os.readlink(REGISTRY / str(uid)) == os.path.realpath(directory)
    except OSError:
        return False


def clean_up(account: Account) -> None:
    """Remove what an instance without processes has left outside of its directories, as far as one pass comes.

    What stays keeps its id from being taken again.
    """
    for kind, (_, remove) in _IPC.items():
        for uid, number in _ipc(kind):
            if uid == account.uid:
                remove(_libc, number)
    for directory in PUBLIC_DIRECTORIES:
        with suppress(OSError):
            names = [entry.name for entry in os.scandir(directory) if _owner(entry) == account.uid]
            if names:
                with_rights_of(account, partial(_remove, directory, names))


def _remove(directory: Path, names: list[str]) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            with suppress(OSError):
                if not stat.S_ISDIR(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=handle)
                    continue
                below = trees.open_directory(name, handle)
                try:
                    trees.empty(below)
                finally:
                    os.close(below)
                os.rmdir(name, dir_fd=handle)
    finally:
        os.close(handle)


def _register(uid: int, directory: str) -> None:
    link = REGISTRY / str(uid)
    link.unlink(missing_ok=True)
    link.symlink_to(directory)


def _volume_of(uid: int) -> Path | None:
    try:
        return Path(os.readlink(REGISTRY / str(uid)))
    except OSError:
        return None


def _is_known(uid: int) -> bool:
    """Tell whether the host's databases of users and groups have the number."""
    for find in (pwd.getpwuid, grp.getgrgid):
        with suppress(KeyError):
            find(uid)
            return True
    return False


def _require_mapped(uid: int) -> None:
    # See user_namespaces(7): in a container, ids that are not mapped cannot be given to files.
    for line in (_PROC / "self/uid_map").read_text().splitlines():
        start, _, count = map(int, line.split())
        if start <= uid < start + count:
            return
    raise base.FatalError(f"[local] uid_range_start: user id {uid} does not exist in this service's user namespace")


def _owner(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_uid
    except OSError:
        return -1


def running() -> set[int]:
    """Return the effective user ids of all living processes. See proc(5): the directory of a process is its user's."""
    pids: dict[int, list[int]] = {}
    for entry in os.scandir(_PROC):
        if entry.name.isdigit():
            pids.setdefault(_owner(entry), []).append(int(entry.name))
    # One that only waits to be reaped has no rights any more, and nobody may ever reap it.
    return {uid for uid, found in pids.items() if uid == 0 or any(map(processes.identify, found))}


def _owners_in_public() -> set[int]:
    found: set[int] = set()
    for directory in PUBLIC_DIRECTORIES:
        with suppress(OSError):
            found.update(_owner(entry) for entry in os.scandir(directory))
    return found


def _owners_in_trash(trash: Path) -> set[int]:
    """Return who owns what is being deleted: the directories right inside of items."""
    found: set[int] = set()
    with suppress(OSError):
        for item in os.scandir(trash):
            found.add(_owner(item))
            with suppress(OSError):
                found.update(_owner(part) for part in os.scandir(item.path))
    return found


def _ipc(kind: str) -> list[tuple[int, int]]:
    """Return owner and id of each object of System V IPC."""
    try:
        head, *lines = [line.split() for line in (_PROC / "sysvipc" / kind).read_text().splitlines()]
    except (OSError, ValueError):
        return []
    owner, number = head.index("uid"), head.index(_IPC[kind][0])
    return [(int(line[owner]), int(line[number])) for line in lines]
