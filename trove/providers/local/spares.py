# SPDX-License-Identifier: Apache-2.0
"""A place for an instance that nobody has asked for yet, and who gets it.

A *place* is made ahead by :mod:`.making` while the host has nothing better to do: an address, a process that waits to
become the agent and, in tier 2, a network namespace with that address, an empty file system and control groups. It
belongs to one process of the service and to no instance.

The first request of an instance claims the whole place. Its parts are then given away one by one, each by the very act
that would otherwise have followed the making of a new one: the write of the record that names the address, the rename
of the directory that has become a volume, the record of the server. What is not given away is removed, after
:data:`PATIENCE` seconds at the latest. So whatever happens in between, each thing is either an instance's or a spare.

::

    base_dir/spares/                 0700
      <id>.json                            the address, and whose place it is: a process number and a start time
      volumes/<id>/                        disk.img mounted on data, as in a volume's directory
      servers/<id>/                        state, as in a server's directory

All names have the place's id in them, so :meth:`.making.Maker.clear` finds what a process that was killed has left.
"""

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trove.common import clock
from trove.providers.local.records import KINDS, Store
from trove.providers.local.warm import Waiting

#: Seconds after which the rest of a claimed place is removed.
PATIENCE = 20.0

_INSTANCE_TAG = re.compile(r"^instance:([0-9a-f-]{36})/(?:server|volume|port)$")


@dataclass
class Place:
    """What was made ahead.

    :ivar id: in the names of all parts.
    :ivar tier: 1 or 2.
    :ivar address: reserved by the place's file.
    :ivar volume: a volume's directory without its record; ``None``: there is none, or it is given away.
    :ivar size: bytes of its file system; 0 in tier 1.
    :ivar server: a server's directory without its record; ``None``: there is none, or it is given away.
    :ivar groups: control groups.
    :ivar waiting: the process.
    :ivar engine: what that has been shown for an engine.
    :ivar instance: id of the instance that has claimed it.
    :ivar port: tag of the port that has got the address …
    :ivar volume_tag: … and of the volume.
    """

    id: str
    tier: int
    address: str
    volume: Path | None = None
    size: int = 0
    server: Path | None = None
    groups: list[str] = field(default_factory=list)
    waiting: Waiting | None = None
    engine: object = None
    instance: str | None = None
    claimed_at: float = 0.0
    port: str | None = None
    volume_tag: str | None = None


class Shelf:
    """Where the place is, if there is one. Thread-safe; parts of a claimed place are taken under the store's lock.

    :ivar clear: removes the places of processes that are gone. The caller holds the store's lock.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.clear: Callable[[], None] = lambda: None
        self._place: Place | None = None
        self._touched = float("-inf")

    def put(self, place: Place) -> None:
        """Offer a place. There is none."""
        with self.changed:
            self._place = place

    def claim(self, tag: str, tier: int) -> Place | None:
        """Return the place for what has this tag, if it is for its instance; nobody else gets it from then on."""
        with self.changed:
            place, match = self._place, _INSTANCE_TAG.match(tag)
            if place is None or match is None or place.tier != tier:
                return None
            if place.instance is None:
                place.instance, place.claimed_at = match.group(1), clock.monotonic()
                self.changed.notify_all()
            return place if place.instance == match.group(1) else None

    def touch(self) -> None:
        """Take note that somebody changes something: no time to make anything ahead."""
        self._touched = clock.monotonic()

    def finish(self, tag: str) -> None:
        """The server of an instance is made: what is left of the place that it has claimed can go."""
        with self.changed:
            match = _INSTANCE_TAG.match(tag)
            if self._place is not None and match is not None and self._place.instance == match.group(1):
                self._place.claimed_at = float("-inf")
                self.changed.notify_all()

    def dismiss(self, tag: str) -> None:
        """Something of an instance is removed: end the process that waits to be its agent, and keeps its volume in use,
        before that."""
        with self.changed:
            place, match = self._place, _INSTANCE_TAG.match(tag)
            if place is None or match is None or place.instance != match.group(1):
                return
            waiting, place.waiting = place.waiting, None
        self.finish(tag)
        if waiting is not None:
            waiting.close()

    def expire(self, place: Place) -> None:
        """Have nobody get a place that nobody has claimed."""
        with self.changed:
            if place.instance is None:
                place.instance, place.claimed_at = "", float("-inf")
                self.changed.notify_all()

    def take(self) -> Place | None:
        """Return the place and forget it, whoever has claimed it."""
        with self.changed:
            place, self._place = self._place, None
            return place

    @property
    def place(self) -> Place | None:
        """The place, claimed or not."""
        return self._place

    def quiet(self) -> float:
        """Return for how many seconds nobody has changed anything."""
        return clock.monotonic() - self._touched


def directory(store: Store, kind: str, place_id: str) -> Path:
    """Return where the volume or server of a place has its files.

    The launcher knows volumes by the last parts of their names, and lets go of them.
    """
    return store.base_dir / "spares" / KINDS[kind] / place_id


def file(store: Store, place_id: str) -> Path:
    """Return the file that says that there is such a place."""
    return store.base_dir / "spares" / f"{place_id}.json"


def listed(store: Store) -> Iterator[dict[str, Any]]:
    """Yield what the files of all places on this ``base_dir`` say, those of other processes too."""
    for path in sorted((store.base_dir / "spares").glob("*.json")):
        with contextlib.suppress(FileNotFoundError, ValueError):  # the lock keeps others from adding, not from removing
            yield json.loads(path.read_bytes())


def addresses(store: Store) -> set[str]:
    """Return the addresses that places have. The caller holds the lock."""
    return {place["address"] for place in listed(store)}


def ids(store: Store) -> set[str]:
    """Return the ids of all places. The caller holds the lock."""
    return {place["id"] for place in listed(store)}
