# SPDX-License-Identifier: Apache-2.0
"""The local provider's memory: small JSON files below one directory.

Several taskmanagers may share the directory. A record is replaced as a whole (written beside, synced, renamed), so a
reader needs no lock and never sees half of one; whoever decides on the ground of what it read holds
:meth:`Store.lock` (:mod:`.locks`).

::

    base_dir/                     0711   .lock
      host                               the name that rows know this host by
      ports/<slug>.json                  addresses given out
      volumes/<slug>/volume.json         volumes/<slug>/data is the instance's account's (0700), see :mod:`.volumes`
      servers/<slug>/server.json         servers/<slug>/state is the instance's account's (0700)
      gateway/                           a socket of the gateway, when that is on this host; these accounts may enter
      templates/                         prepared data directories, shared by the engines of one account
      trash/                             what is being deleted, see :mod:`.trash`

Whatever a guest can write to lies in the directories of its account (:mod:`.accounts`); records and the directories
around them do not, so a guest cannot tell this process what to read, write or kill.

Each wait for the disk takes as long as a commit of the file system's journal, so there is one for each change: what is
written goes to the disk, then gets its name, and one commit makes both last. The order in between is kept because a
journal keeps the order of changes to names and sizes. ext4 and XFS have one journal, in which the last change takes all
earlier ones along; elsewhere each file and directory is told to the disk.
"""

import contextlib
import ctypes
import errno
import functools
import hashlib
import json
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from trove.common import clock
from trove.providers import base
from trove.providers.local import locks
from trove.providers.local.accounts import Accounts
from trove.providers.local.faults import AT_ONCE, Faults
from trove.providers.local.privileges import Account
from trove.providers.local.trash import Trash

_INSTANCE_TAG = re.compile(r"^instance:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(server|volume|port)$")

KINDS = {"server": "servers", "volume": "volumes", "port": "ports"}

Record = dict[str, Any]

# <linux/fs.h>: begin to write; wait for what is being written, write the rest, wait for that.
_SYNC_FILE_RANGE_WRITE = 2
_SYNC_FILE_RANGE_ALL = 1 | 2 | 4
_libc = ctypes.CDLL(None, use_errno=True)

#: What statfs(2) calls ext4 and XFS.
_ONE_JOURNAL = frozenset((0xEF53, 0x58465342))


def slug(kind: str, tag: str) -> str:
    """Return the file name of the thing ``kind`` (a key of :data:`KINDS`) with ``tag``: the instance's id, or a
    readable name with a digest where the tag is not an instance's."""
    match = _INSTANCE_TAG.match(tag)
    if match and match.group(2) == kind:
        return match.group(1)
    readable = re.sub(r"[^0-9A-Za-z]+", "-", tag).strip("-")[:40]
    return f"{readable}.{hashlib.sha256(tag.encode()).hexdigest()[:16]}"


def write_file(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace ``path`` by ``data``: after a crash there is the old content or the new one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = None
    try:
        handle = _put(temporary, data, mode)
        _arrive(handle)
        os.replace(temporary, path)
        _commit(path.parent, [handle])
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        if handle is not None:
            os.close(handle)


def _commit(directory: Path, handles: Sequence[int], others: Sequence[Path] = ()) -> None:
    """Have what was done last in ``directory`` survive a crash of the host, and what was done before in files and other
    directories of the same file system."""
    if not _has_one_journal(directory):
        for handle in handles:
            os.fsync(handle)
        for other in others:
            sync_directory(other)
    sync_directory(directory)


@functools.lru_cache(maxsize=256)
def _has_one_journal(directory: Path) -> bool:
    found = ctypes.create_string_buffer(256)  # struct statfs begins with the type, a long
    if _libc.statfs(os.fsencode(directory), found) != 0:
        return False
    return ctypes.c_long.from_buffer(found).value in _ONE_JOURNAL


def _put(path: Path, data: bytes, mode: int = 0o600, owner: Account | None = None) -> int:
    """Write a new file and begin to send its content to the disk; return its descriptor."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        if owner is not None:
            os.fchown(handle, owner.uid, owner.gid)
        if os.write(handle, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        _libc.sync_file_range(handle, ctypes.c_int64(0), ctypes.c_int64(0), ctypes.c_uint(_SYNC_FILE_RANGE_WRITE))
    except BaseException:
        os.close(handle)
        raise
    return handle


def _arrive(handle: int) -> None:
    """Wait until the content of a file is on the disk; its names and its size are not, for all anybody knows."""
    if _libc.sync_file_range(handle, ctypes.c_int64(0), ctypes.c_int64(0), ctypes.c_uint(_SYNC_FILE_RANGE_ALL)) != 0:
        os.fsync(handle)


def sync_directory(path: Path) -> None:
    """Have the entries of a directory survive a crash of the host."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _encode(record: Record) -> bytes:
    return json.dumps(record, indent=1, sort_keys=True).encode()


class Store:
    """Records below ``base_dir``.

    :ivar accounts: who owns the guests' directories.
    :ivar host: name of this host, written into each record.
    :ivar trash: where what was discarded is until it is removed.
    """

    def __init__(self, base_dir: Path, accounts: Accounts | None = None, host: str = "localhost") -> None:
        self.base_dir = base_dir
        self.host = host
        self._faults = Faults(pauses=AT_ONCE)
        self.accounts = accounts or Accounts(None)
        self.trash = Trash(base_dir / "trash")
        shared = 0o711 if self.accounts.shared else 0o700
        try:
            for path in (base_dir, *(base_dir / name for name in (*KINDS.values(), "trash"))):
                if not path.is_dir():
                    path.mkdir(mode=shared, parents=True, exist_ok=True)
                    path.chmod(shared)
            self._make_private(base_dir / "templates", self.accounts.shared)
            self._make_gateway()
        except OSError as err:
            raise base.FatalError(f"[local] base_dir {base_dir} cannot be used: {err}") from err

    def _make_gateway(self) -> None:
        # Guests may pass, and not write: whoever could replace the socket would shut out all other guests.
        path = self.base_dir / "gateway"
        if not path.is_dir():
            path.mkdir(mode=0o700)
        if self.accounts.shared:
            os.chown(path, os.getuid(), self.accounts.shared.gid)
        path.chmod(0o750 if self.accounts.shared else 0o700)

    @functools.cached_property
    def known_host(self) -> str:
        """The name of the host that this directory is on, by which rows say where instances are: that of the first
        process that has used it, so that it outlives a new name of the host."""
        path = self.base_dir / "host"
        with contextlib.suppress(FileNotFoundError):
            return path.read_text("utf-8").strip()
        with self.lock():
            if not path.exists():
                write_file(path, f"{self.host}\n".encode(), mode=0o644)
        return path.read_text("utf-8").strip()

    def lock(self) -> AbstractContextManager[None]:
        """Keep every other thread and process on this ``base_dir`` from changing a record.

        :raises locks.LockTimeout: on entering, when somebody else does not let go of it.
        """
        return locks.hold(self.base_dir / ".lock")

    def directory(self, kind: str, tag: str) -> Path:
        """Return where the server or volume with ``tag`` has its files."""
        return self.base_dir / KINDS[kind] / slug(kind, tag)

    def file(self, kind: str, tag: str) -> Path:
        """Return the file with the record."""
        if kind == "port":
            return self.base_dir / KINDS[kind] / f"{slug(kind, tag)}.json"
        return self.directory(kind, tag) / f"{kind}.json"

    def read(self, kind: str, tag: str) -> Record | None:
        """Return the record, or ``None`` when there is none.

        :raises base.ConflictError: when another tag has the same file name.
        :raises base.FatalError: when the file does not hold a record.
        """
        record = self._load(self.file(kind, tag))
        if record is not None and record["tag"] != tag:
            raise base.ConflictError(f"{self.file(kind, tag)} belongs to {record['tag']}, not to {tag}")
        return record

    def write(self, kind: str, record: Record) -> None:
        """Save the record of an existing thing, or of a new port. The caller holds the lock."""
        record.setdefault("host", self.host)
        write_file(self.file(kind, record["tag"]), _encode(record))

    def origin(self) -> Record:
        """Return what the record of a new thing says of where and when it was made (UTC)."""
        return {"host": self.host, "created_at": clock.utcnow().isoformat()}

    def all(self, kind: str) -> list[Record]:
        """Return all records of a kind, in the order of their names. One that cannot be read hides no other: it is
        reported, and left out."""
        return self._readable(kind)[0]

    def unreadable(self, kind: str) -> list[Path]:
        """Return the files that should hold records of a kind and do not."""
        return self._readable(kind)[1]

    def _readable(self, kind: str) -> tuple[list[Record], list[Path]]:
        found, broken = [], []
        for path in self._files(kind):
            def load(path: Path = path) -> None:
                record = self._load(path)
                if record is not None and self.file(kind, record["tag"]) == path:
                    found.append(record)

            if self._faults.attempt(str(path), load) is not None:
                broken.append(path)
        return found, broken

    def slugs(self, kind: str) -> set[str]:
        """Return the names of all things of a kind, also of those whose records cannot be read."""
        return {path.stem if kind == "port" else path.name for path in (self.base_dir / KINDS[kind]).iterdir()}

    def _files(self, kind: str) -> list[Path]:
        pattern = "*.json" if kind == "port" else f"*/{kind}.json"
        return sorted((self.base_dir / KINDS[kind]).glob(pattern))

    def make_directory(
        self, kind: str, record: Record, private: str | None, files: dict[str, bytes], owner: Account | None = None
    ) -> None:
        """Make the directory of a thing with its record in it, all at once. The caller holds the lock.

        :param private: name of the directory in it that belongs to the owner; ``None``: it has none, nor files.
        :param files: files of the owner to put there.
        :param owner: the instance's account; ``None``: the user this process runs as.
        """
        final = self.directory(kind, record["tag"])
        building = self.trash.new_name()
        building.mkdir(mode=0o700)
        handles: list[int] = []
        try:
            if private is not None:
                self._make_private(building / private, owner)
                for name, data in files.items():
                    handles.append(_put(building / private / name, data, owner=owner))
            handles.append(_put(building / f"{kind}.json", _encode(record)))
            if self.accounts.shared:
                building.chmod(0o711)
            for handle in handles:
                _arrive(handle)
            building.rename(final)
            try:
                _commit(final.parent, handles, [final, final / private] if private is not None else [final])
            except OSError:
                final.rename(building)  # what may not last was never made
                raise
        finally:
            for handle in handles:
                os.close(handle)

    @staticmethod
    def _make_private(path: Path, owner: Account | None) -> None:
        """Make a directory that only its owner may enter, unless it exists."""
        if not path.is_dir():
            path.mkdir(mode=0o700, exist_ok=True)
            if owner:
                os.chown(path, owner.uid, owner.gid, follow_symlinks=False)

    def discard(self, kind: str, tag: str) -> Path | None:
        """Take the thing's files out of sight, record included; return what the trash must remove. The caller holds
        the lock."""
        path = self.file(kind, tag) if kind == "port" else self.directory(kind, tag)
        aside = self.trash.take(path)
        if aside is not None:
            sync_directory(path.parent)
        return aside

    @staticmethod
    def _load(path: Path) -> Record | None:
        try:
            record: Record = json.loads(path.read_bytes())
            if not isinstance(record["tag"], str):
                raise TypeError("its tag is not a text")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError, KeyError) as err:
            raise base.FatalError(
                f"the record {path} cannot be read ({err}); restore it, or remove its directory"
            ) from err
        return record
