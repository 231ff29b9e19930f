# SPDX-License-Identifier: Apache-2.0
"""Make places ahead (:mod:`.spares`), in a thread of low priority, and remove those of processes that are gone.

A place is made when nobody has asked for anything for :data:`QUIET` seconds, there is none, and the host has memory and
disk to spare. Nothing depends on it: whatever fails is told once and tried again after :data:`PAUSE` seconds.
"""

import atexit
import contextlib
import json
import logging
import os
import secrets
import signal
import threading
from pathlib import Path

from trove.common import clock
from trove.providers import base
from trove.providers.local import cgroups, disks, ports, privileges, processes, spares
from trove.providers.local.isolation import Isolation
from trove.providers.local.records import Store
from trove.providers.local.spares import Place, Shelf
from trove.providers.local.starting import STATE, Starter
from trove.providers.local.volumes import DATA, IMAGE
from trove.providers.local.warm import Warm

LOG = logging.getLogger(__name__)

#: Seconds without a request before a place is made; it takes about a tenth of one.
QUIET = 0.6
#: Seconds until another attempt.
PAUSE = 30.0
#: What the host must have available, beside what the place itself takes.
MEMORY_RESERVE = 256 * 2**20

_NICENESS = 10
_MEMORY = Path("/proc/meminfo")
_SETTLE = 1.0
#: Seconds in which the agents' program must be loaded; else the place has no process.
_LOADED = 5.0


class Maker:
    """Keeps a place on a shelf.

    :param count: option ``[local] spare_places``.
    :param unit: bytes of the smallest volume.
    """

    def __init__(
        self, store: Store, shelf: Shelf, addresses: ports.Ports, starter: Starter, warm: Warm | None, *, count: int,
        unit: int,
    ) -> None:  # fmt: skip
        self._store = store
        self._shelf = shelf
        self._ports = addresses
        self._starter = starter
        self._warm = warm
        self._count = count
        self._unit = unit
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._boot = processes.boot_id()
        shelf.clear = self.clear

    @property
    def _isolation(self) -> Isolation | None:
        return self._starter.isolation

    def start(self) -> None:
        """Begin to keep a place, unless that has begun or is not wanted."""
        if self._count and self._thread is None and not self._stopping:
            atexit.register(self.stop)  # a service that is killed leaves it to the next one
            self._thread = threading.Thread(target=self._loop, name="spare-places", daemon=True)
            self._thread.start()

    def tend(self) -> None:
        """Replace a place whose process has ended, or has code that is not installed any more. Call it now and then."""
        self.start()
        place = self._shelf.place
        if place is None or place.instance is not None or self._warm is None or self._warm.pid is None:
            return
        if place.waiting is None or not place.waiting.usable():
            self._shelf.expire(place)

    def stop(self) -> None:
        """Remove the place and make none any more. Safe to repeat."""
        with self._shelf.changed:
            self._stopping = True
            self._shelf.changed.notify_all()
        if self._thread is not None:
            atexit.unregister(self.stop)
            self._thread.join()
            self._thread = None
        self._take_away()

    def clear(self) -> None:
        """Remove the places of processes that are gone. The caller holds the lock."""
        for found in spares.listed(self._store):
            owner = processes.Identity(found["pid"], found["started"])
            if found["boot"] != self._boot or not processes.is_alive(owner):
                try:
                    self._remove(found["id"])
                except (base.ProviderError, OSError) as err:  # the next call tries again
                    LOG.warning("the place %s of a process that is gone cannot be removed now: %s", found["id"], err)

    # the thread

    def _loop(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while self._wait():
            try:
                self._take_away()
                if self._room():
                    self._shelf.put(self.make())
                    continue
            except (base.ProviderError, OSError) as err:
                LOG.warning("no place was made ahead: %s", err)
            except Exception:  # boundary: the next attempt may go well
                LOG.exception("no place was made ahead")
            with self._shelf.changed:
                self._shelf.changed.wait_for(lambda: self._stopping, PAUSE)

    def _wait(self) -> bool:
        """Wait until it is time to make a place; ``False`` when it is time to end."""
        with self._shelf.changed:
            while not self._stopping:
                pause = self._pause()
                if pause is not None and pause <= 0:
                    return True
                self._shelf.changed.wait(pause)
        return False

    def _pause(self) -> float | None:
        """Return the seconds until a place should be made, as far as anybody knows now."""
        place = self._shelf.place
        if place is None:
            return QUIET - self._shelf.quiet()
        if place.instance is None:
            return None
        return max(QUIET - self._shelf.quiet(), place.claimed_at + spares.PATIENCE - clock.monotonic())

    def _room(self) -> bool:
        """Tell whether the host can do without what a place takes."""
        available = next(
            (int(line.split()[1]) * 1024 for line in _MEMORY.read_text().splitlines() if line.startswith("MemAvail")), 0
        )
        if available < MEMORY_RESERVE:
            LOG.debug("no place is made ahead: %d MiB of memory are available", available >> 20)
            return False
        if self._tier == 2:
            try:
                disks.require_space(self._store.base_dir / "volumes" / "spare" / IMAGE, self._unit)
            except base.QuotaError as err:
                LOG.debug("no place is made ahead: %s", err)
                return False
        return True

    @property
    def _tier(self) -> int:
        return 2 if self._isolation is not None and self._isolation.for_new else 1

    # making

    def make(self) -> Place:
        """Make a place.

        :raises base.ProviderError, OSError: when something of it cannot be made; then nothing is left.
        """
        place = self._register()
        try:
            place.volume = self._make_directory("volume", place.id)
            if place.tier == 2:
                self._surround(place)
            else:
                self._store.make_private(place.volume / DATA)
            self._hire(place)
        except BaseException:
            self._discard(place)
            raise
        return place

    def _register(self) -> Place:
        """Reserve an address and write down whose place it is."""
        me = processes.identify(os.getpid())
        assert me is not None
        with self._store.lock():
            self.clear()
            place_id = f"spare-{secrets.token_hex(4)}"
            place = Place(place_id, self._tier, self._ports.choose_ahead(place_id))
            document = {"id": place.id, "address": place.address, "pid": me.pid, "started": me.started,
                        "boot": self._boot}  # fmt: skip
            path = spares.file(self._store, place.id)
            building = path.with_suffix(".new")  # a crash leaves it where the next one writes over it, or nobody cares
            building.write_text(json.dumps(document))
            building.rename(path)
        return place

    def _surround(self, place: Place) -> None:
        assert self._isolation is not None
        self._isolation.network.ensure(place.id, place.address)
        place.groups = self._isolation.trees().make_ahead(place.id)
        assert place.volume is not None
        image, data = place.volume / IMAGE, place.volume / DATA
        disks.make(image, self._unit)
        disks.make_mountpoint(data)
        # Root's own until it is given away: then nobody else has ever seen the inside.
        disks.mount(image, data, privileges.Account("root", 0, 0))
        place.size = self._unit

    def _make_directory(self, kind: str, place_id: str) -> Path:
        directory = spares.directory(self._store, kind, place_id)
        directory.mkdir(mode=0o700, parents=True)
        return directory

    def _hire(self, place: Place) -> None:
        """Have a process wait, where that is possible."""
        if self._warm is not None:
            with self._shelf.changed:  # what it is forked from takes some time to load
                until = clock.monotonic() + _LOADED
                while not (self._stopping or self._warm.pid or clock.monotonic() > until):
                    self._shelf.changed.wait(0.1)
            place.server = self._make_directory("server", place.id)
            self._store.make_private(place.server / STATE)
            words = self._starter.words_ahead(place)
            place.waiting = None if words is None else self._warm.wait(words)

    # removing

    def _take_away(self) -> None:
        place = self._shelf.take()
        if place is not None:
            self._discard(place)

    def _discard(self, place: Place) -> None:
        """Remove what was not given away."""
        if place.waiting is not None:
            place.waiting.close()
        try:
            with self._store.lock():
                self._remove(place.id)
        except (base.ProviderError, OSError) as err:
            LOG.warning("what was made ahead as %s cannot be removed now: %s", place.id, err)

    def _remove(self, place_id: str) -> None:
        """Remove everything that bears the id of a place and is not part of an instance. The caller holds the lock."""
        if self._isolation is not None:
            self._leave_groups(place_id)
            self._isolation.network.remove(place_id)
        directory = spares.directory(self._store, "volume", place_id)
        if directory.exists():
            disks.unmount(directory / IMAGE, directory / DATA)
        for left in (directory, spares.directory(self._store, "server", place_id)):
            if (aside := self._store.trash.take(left)) is not None:
                self._store.trash.sweep(aside)
        spares.file(self._store, place_id).unlink(missing_ok=True)

    def _leave_groups(self, place_id: str) -> None:
        assert self._isolation is not None
        groups = self._isolation.trees().plan(place_id)
        if not any(map(os.path.isdir, groups)):
            return
        used = {group for server in self._store.all("server") for group in server.get("cgroups", ())}
        if used.isdisjoint(groups):
            until = clock.monotonic() + _SETTLE
            while not cgroups.Cgroups.remove(groups) and clock.monotonic() < until:
                members = (processes.identify(pid) for pid in cgroups.members(groups))
                processes.signal_members([member for member in members if member is not None], signal.SIGKILL)
                clock.sleep(0.01)
