# SPDX-License-Identifier: Apache-2.0
"""Addresses: one of the loopback network for each instance, with the engine's standard port.

In tier 2 (:mod:`.isolation`) it is an address of the bridge's network instead, always with the standard port, because
nobody else listens in an instance's namespace. The rest of this text is about tier 1.

Connection strings then look as in a real cloud, and members of a cluster need no juggling with ports. Where an address
cannot be bound (macOS knows only 127.0.0.1; something listens on the wildcard address), 127.0.0.1 with a port of its
own is used instead, so always tell address *and* port. Loopback is open to every user of the host: engines must ask
for passwords from the first second.
"""

import errno
import hashlib
import ipaddress
import socket
from collections.abc import Callable, Iterator

from trove.providers import base
from trove.providers.local.isolation import Isolation
from trove.providers.local.records import Record, Store, slug

FALLBACK_ADDRESS = "127.0.0.1"

#: Ports of the fallback: below the ranges from which systems take ports for outgoing connections.
FALLBACK_PORTS = range(20000, 30000)

#: Pool addresses to try before falling back: when that many cannot be bound, something listens on all of them.
_ATTEMPTS = 16

Probe = Callable[[str, int], int]


def probe(address: str, port: int) -> int:
    """Return 0 when a server can listen there now, else the errno of why not."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as engines do: old connections are not in the way
        try:
            sock.bind((address, port))
            sock.listen(1)
        except OSError as err:
            return err.errno or errno.EINVAL
    return 0


class Ports:
    """Reservations of addresses, see the module's docstring.

    :param pool: an IPv4 network inside 127.0.0.0/8.
    :param probe: replaced by tests.
    :param isolation: where instances have addresses of their own.
    :param network: id of the network that all of them are in.
    :raises base.FatalError: when ``pool`` is not such a network.
    """

    def __init__(
        self, store: Store, pool: str, *, probe: Probe = probe, isolation: Isolation | None = None,
        network: str | None = None,
    ) -> None:  # fmt: skip
        self._store = store
        self._isolation = isolation
        self._network = network
        self._probe = probe
        try:
            self._pool = ipaddress.IPv4Network(pool)
        except ValueError as err:
            raise base.FatalError(f"[local] address_pool is not an IPv4 network: {err}") from err
        if not self._pool.is_loopback:
            raise base.FatalError(f"[local] address_pool {pool} is not inside 127.0.0.0/8")

    def find(self, tag: str) -> base.Port | None:
        """Return the reservation of ``tag``."""
        record = self._store.read("port", tag)
        return None if record is None else _port(record)

    def ensure(self, spec: base.PortSpec) -> base.Port:
        """Return the reservation of the tag, made now if need be.

        :raises base.QuotaError: when no address is free.
        :raises base.FatalError: when the specification wants another network than the only one, or a place in it.
        """
        with self._store.lock():
            record = self._store.read("port", spec.tag)
            if record is None:
                if spec.network not in (None, self._network) or spec.subnet or spec.address:
                    raise base.FatalError("this host has one network, whose addresses cannot be chosen")
                isolated = self._isolation is not None and self._isolation.for_new
                address, port = self._choose_isolated(spec) if isolated else self._choose(spec)
                record = {"tag": spec.tag, "address": address, "port": port, "network": self._network}
                record |= {"tier": 2 if isolated else 1, **self._store.origin()}
                self._store.write("port", record)
        return _port(record)

    def set_access(self, tag: str, access: base.Access) -> base.Port:
        """Let exactly these reach the port; written down first, so that a new namespace gets it too.

        :raises base.FatalError: for rules on an address of the loopback network, which every user of the host reaches.
        """
        with self._store.lock():
            record = self._store.read("port", tag)
            if record is None:
                raise base.NotFoundError(f"there is no port {tag}")
            if record.get("tier") != 2 or self._isolation is None:
                if access.allowed_cidrs:
                    raise base.FatalError("an instance of tier 1 can be reached from everywhere on this host")
                return _port(record)
            if not access.allowed_cidrs and "allowed_cidrs" not in record:
                return _port(record)  # there never were rules
            record["allowed_cidrs"] = list(access.allowed_cidrs)
            self._store.write("port", record)
            self._isolation.apply_rules(record)
        return _port(record)

    def remove(self, tag: str) -> None:
        """Give the address back."""
        with self._store.lock():
            record = self._store.read("port", tag)
            if record is not None and record.get("tier") == 2 and self._isolation is not None:
                self._isolation.network.remove(slug("port", tag))
            discarded = self._store.discard("port", tag)
        if discarded is not None:
            self._store.trash.sweep(discarded)

    def _choose(self, spec: base.PortSpec) -> tuple[str, int]:
        reserved = {(record["address"], record["port"]) for record in self._store.all("port")}
        addresses = {address for address, _ in reserved}
        attempts = 0
        for address in self._candidates(spec.tag):
            if address in addresses:
                continue
            reason = self._probe(address, spec.port)
            if reason == 0:
                return address, spec.port
            attempts += 1
            if reason != errno.EADDRINUSE or attempts == _ATTEMPTS:
                break  # other reasons (not an address of this host, a privileged port) hold for all of them
        for number in _round(FALLBACK_PORTS.start, len(FALLBACK_PORTS), spec.tag):
            if (FALLBACK_ADDRESS, number) not in reserved and self._probe(FALLBACK_ADDRESS, number) == 0:
                return FALLBACK_ADDRESS, number
        raise base.QuotaError(f"no address of {self._pool} and no port of {FALLBACK_ADDRESS} is free")

    def _choose_isolated(self, spec: base.PortSpec) -> tuple[str, int]:
        network = self._isolation.network  # type: ignore[union-attr]
        reserved = {record["address"] for record in self._store.all("port")}
        for address in network.addresses(spec.tag):
            if address not in reserved:
                return address, spec.port
        raise base.QuotaError(f"no address of {network.subnet()} is free")

    def _candidates(self, tag: str) -> Iterator[str]:
        for number in _round(int(self._pool.network_address), self._pool.num_addresses, tag):
            address = str(ipaddress.IPv4Address(number))
            if number & 255 not in (0, 255) and address != FALLBACK_ADDRESS:
                yield address


def _round(start: int, count: int, tag: str) -> Iterator[int]:
    """Yield all numbers of a range once, from a place that depends on the tag only."""
    offset = int.from_bytes(hashlib.sha256(tag.encode()).digest()[:8]) % count
    return (start + (offset + step) % count for step in range(count))


def _port(record: Record) -> base.Port:
    return base.Port(record["tag"], slug("port", record["tag"]), record["address"], record["port"], record["network"])
