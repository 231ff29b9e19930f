# SPDX-License-Identifier: Apache-2.0
"""Which connection has to go when there is no room.

Nobody is refused a connection, because a server cannot tell an honest newcomer from an attacker, and behind a proxy
they have one address. Instead, the connection that has been longest without a complete request is closed: of the same
peer when that peer has too many, else of all. An attacker who occupies connections is thereby the first to lose
them, while an honest client needs its own for a moment only.

A connection whose request is complete is *busy* until its answer is handed to the network, however long the
application holds it, and is not closed. So that these cannot fill the server, only
:attr:`~trove.httpserver.limits.Limits.busy_connections` are taken at a time.

Everything here is accounting: nothing is closed, and no clock is read. Order of insertion is order of age.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from trove.httpserver.limits import Limits

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class _Group(Generic[K]):
    """The connections of one peer, or all.

    :ivar waiting: without a complete request, the longest first.
    :ivar holding: those of them of whose request there are bytes here, the longest first.
    """

    count: int = 0
    held: int = 0
    waiting: dict[K, None] = field(default_factory=dict)
    holding: dict[K, None] = field(default_factory=dict)


@dataclass(slots=True)
class _Entry(Generic[K]):
    peer: str
    group: _Group[K]
    held: int = 0
    busy: bool = False


class Ledger(Generic[K]):
    """All connections of a server. Not thread-safe.

    >>> ledger = Ledger(Limits(connections=16, connections_per_peer=2))
    >>> [ledger.open(name, "198.51.100.7") for name in ("a", "b", "c")]
    [[], [], ['a']]
    >>> ledger.take("b"), ledger.open("d", "198.51.100.7")
    (True, ['c'])

    :ivar limits: in force. When others are set, connections that are too many by then go with the next newcomer.
    :ivar busy: how many have a complete request.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._entries: dict[K, _Entry[K]] = {}
        self._peers: dict[str, _Group[K]] = {}
        self._all: _Group[K] = _Group()
        self.busy = 0

    def __len__(self) -> int:
        return self._all.count

    @property
    def held(self) -> int:
        """Bytes of incomplete requests."""
        return self._all.held

    def open(self, key: K, peer: str) -> list[K]:
        """Enter a connection; return those that have to be closed for it, which are no longer in the books."""
        group = self._peers.setdefault(peer, _Group())
        self._entries[key] = _Entry(peer, group)
        for each in (group, self._all):
            each.count += 1
            each.waiting[key] = None
        victims = []
        # A peer whose other connections are all busy is within its rights: guests behind one address hold their polls.
        if group.count > self.limits.connections_per_peer and len(group.waiting) > 1:
            victims.append(self._remove_oldest(group.waiting))
        while self._all.count > self.limits.connections and self._all.waiting:
            victims.append(self._remove_oldest(self._all.waiting))
        return victims

    def hold(self, key: K, count: int) -> list[K]:
        """Count bytes of a request that is not complete; return the connections to be closed, as :meth:`open` does."""
        entry = self._entries.get(key)
        if entry is None or entry.busy:
            return []
        entry.held += count
        for each in (entry.group, self._all):
            each.held += count
            each.holding.setdefault(key, None)
        victims = []
        while entry.group.holding and entry.group.held > self.limits.held_bytes_per_peer:
            victims.append(self._remove_oldest(entry.group.holding))
        while self._all.holding and self._all.held > self.limits.held_bytes:
            victims.append(self._remove_oldest(self._all.holding))
        return victims

    def release(self, key: K, count: int) -> None:
        """Count bytes that somebody has taken out of an incomplete request."""
        entry = self._entries.get(key)
        if entry is None or entry.busy:
            return
        count = min(count, entry.held)
        entry.held -= count
        for each in (entry.group, self._all):
            each.held -= count
            if not entry.held:
                each.holding.pop(key, None)

    def take(self, key: K) -> bool:
        """The request is complete: keep the connection until :meth:`give_back`. ``False``: there are too many such."""
        entry = self._entries.get(key)
        if entry is None:
            return False
        self.release(key, entry.held)
        if entry.busy:
            return True
        if self.busy >= self.limits.busy_connections:
            return False
        entry.busy = True
        self.busy += 1
        for each in (entry.group, self._all):
            each.waiting.pop(key, None)
        return True

    def give_back(self, key: K) -> None:
        """The answer is handed over; from now on the connection is without a complete request."""
        entry = self._entries.get(key)
        if entry is None or not entry.busy:
            return
        entry.busy = False
        self.busy -= 1
        for each in (entry.group, self._all):
            each.waiting[key] = None

    def close(self, key: K) -> None:
        """Forget a connection; one that is unknown is no error."""
        entry = self._entries.get(key)
        if entry is None:
            return
        self.give_back(key)
        self.release(key, entry.held)
        del self._entries[key]
        for each in (entry.group, self._all):
            each.count -= 1
            each.waiting.pop(key, None)
        if not entry.group.count:
            del self._peers[entry.peer]

    def oldest(self) -> K | None:
        """Remove and return what has been longest without a complete request."""
        return self._remove_oldest(self._all.waiting) if self._all.waiting else None

    def _remove_oldest(self, order: dict[K, None]) -> K:
        key = next(iter(order))
        self.close(key)
        return key
