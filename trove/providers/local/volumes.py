# SPDX-License-Identifier: Apache-2.0
"""Volumes: a directory with a size that is only written down or, in tier 2, a file system of that size.

Tier 1: nothing stops an engine from using more (``REAL_VOLUME_SIZE`` is not among the provider's capabilities); the
agent compares what is used with what was promised. Growing changes the record and is done at once.

Tier 2: ``volumes/<slug>/disk.img`` is mounted on ``volumes/<slug>/data`` (:mod:`.disks`). A volume is mounted when it
is made and again, after a boot of the host, before a server is started on it. The record says from when on the file
must exist; a file that has vanished since is a failure to be looked into, never made anew.
"""

from collections.abc import Collection
from pathlib import Path

from trove.providers import base
from trove.providers.local import disks
from trove.providers.local.faults import Faults
from trove.providers.local.isolation import Isolation
from trove.providers.local.privileges import Account
from trove.providers.local.records import Record, Store, slug

DATA = "data"
IMAGE = "disk.img"


class Volumes:
    """Data directories and their records.

    :param isolation: tells whether new volumes get a file system of their own.
    :param unit: bytes of a GiB; tests make it smaller.
    """

    def __init__(self, store: Store, isolation: Isolation | None = None, *, unit: int = disks.GIB) -> None:
        self._store = store
        self._isolation = isolation
        self._unit = unit
        self._faults = Faults()

    def directory(self, tag: str) -> Path:
        """Return the directory of the volume, which is this process's own."""
        return self._store.directory("volume", tag)

    def data_dir(self, tag: str) -> Path:
        """Return where an engine keeps its data on this volume."""
        return self._store.directory("volume", tag) / DATA

    def find(self, tag: str) -> base.Volume | None:
        """Return the volume with ``tag``."""
        record = self._store.read("volume", tag)
        return None if record is None else self._volume(record)

    def ensure(self, spec: base.VolumeSpec) -> base.Volume:
        """Return the volume of the tag, made or grown now if need be."""
        with self._store.lock():
            record = self._store.read("volume", spec.tag)
            if record is None:
                record = self._create(spec)
            if _is_disk(record):
                self._realise(record)
            if spec.size_gib > record["size_gib"]:
                if _is_disk(record):
                    disks.grow(self._image(record), self.data_dir(spec.tag), spec.size_gib * self._unit)
                record["size_gib"] = spec.size_gib
                self._store.write("volume", record)
        return self._volume(record)

    def require(self, tag: str) -> Account | None:
        """Have the volume where :meth:`data_dir` says, mounted if it is one to be mounted, and return the account of
        its instance. The caller holds the lock.

        :raises disks.NotMounted: when nothing may be written there.
        :raises base.ConflictError: when another instance has the account.
        """
        record = self._store.read("volume", tag)
        if record is None:
            raise base.NotFoundError(f"there is no volume {tag}")
        if _is_disk(record):
            self._realise(record)
        if record.get("uid") is not None:
            self._store.accounts.retake(record["uid"], self._store.directory("volume", tag))
        return self._store.accounts.of(record)

    def remove(self, tag: str) -> None:
        """Delete the volume with everything on it.

        :raises base.ConflictError: while a server has it.
        """
        with self._store.lock():
            for server in self._store.all("server"):
                if server["volume_tag"] == tag:
                    raise base.ConflictError(f"volume {tag} is in use by server {server['tag']}")
            for path in self._store.unreadable("server"):
                if path.parent.name == slug("volume", tag):
                    raise base.ConflictError(f"volume {tag} may be in use: the record {path} cannot be read")
            record = self._store.read("volume", tag)
            if record is not None and _is_disk(record):
                disks.unmount(self._image(record), self.data_dir(tag))
            discarded = self._store.discard("volume", tag)
        if discarded is not None:
            self._store.trash.sweep(discarded)

    def release(self, but: Collection[str] = ()) -> dict[str, str]:
        """Unmount every volume; all data stays. Return which are left, by tag, and why.

        :param but: tags of those whose servers may still run.
        """
        left: dict[str, str] = {}
        for record in self._store.all("volume"):
            tag = record["tag"]
            if not _is_disk(record) or tag in but:
                continue
            # Its data is safe in any case; the next mount takes the same device.
            if (error := self._faults.attempt(f"volume {tag}", self._release, record, now=True)) is not None:
                left[tag] = str(error)
        return left

    def _release(self, record: Record) -> None:
        with self._store.lock():
            disks.unmount(self._image(record), self.data_dir(record["tag"]))

    def _create(self, spec: base.VolumeSpec) -> Record:
        isolated = self._isolation is not None and self._isolation.for_new
        record = {"tag": spec.tag, "size_gib": spec.size_gib, "type": spec.type, "tier": 2 if isolated else 1}
        record |= self._store.origin()
        if isolated:
            record["formatted"] = False
        with self._store.accounts.taken(self._store.directory("volume", spec.tag)) as account:
            record["uid"] = None if account is None or account == self._store.accounts.shared else account.uid
            self._store.make_directory("volume", record, None if isolated else DATA, {}, account)
        return record

    def _image(self, record: Record) -> Path:
        return self._store.directory("volume", record["tag"]) / IMAGE

    def _realise(self, record: Record) -> None:
        """Make what is missing of a file system that the record promises, and mount it. The caller holds the lock."""
        account = self._store.accounts.of(record)
        if account is None:
            raise base.FatalError(f"volume {record['tag']} is a file system of its own; only root can mount it")
        image, directory = self._image(record), self.data_dir(record["tag"])
        if not record["formatted"]:
            if not image.exists():
                disks.make(image, record["size_gib"] * self._unit)
            record["formatted"] = True
            self._store.write("volume", record)
        if not image.exists():
            raise disks.NotMounted(f"the file {image} of volume {record['tag']} has vanished; it is not made anew")
        disks.make_mountpoint(directory)
        disks.mount(image, directory, account)

    def _volume(self, record: Record) -> base.Volume:
        status, detail = base.Status.READY, ""
        if _is_disk(record) and not disks.is_mounted(self._image(record), self.data_dir(record["tag"])):
            status, detail = base.Status.PENDING, "is not mounted"
        return base.Volume(record["tag"], slug("volume", record["tag"]), record["size_gib"], status, detail)


def _is_disk(record: Record) -> bool:
    return bool(record.get("tier", 1) == 2)
