# SPDX-License-Identifier: Apache-2.0
"""One bridge for the service, one network namespace for each instance.

The namespace has an ``eth0`` with an address of the bridge's network and nothing else: the host and the instance reach
each other, instances reach each other over the bridge, and there is no way further. All names carry a digest of
``base_dir``, so that several services on one host keep apart, and whatever a crash leaves can be told from what
belongs to others::

    bridge      trv<8 digits>                    host address: the first of the network
    namespace   trove-<8 digits>-<slug>          slug: the file name of the instance's port record
    interface   tv<6 digits><7 digits of slug>   the host's end of the veth pair

The network is one of size ``prefix`` out of ``pool`` that no interface or route of the host has; which one is written
down in ``base_dir``, because instances keep their addresses for life.
"""

import contextlib
import hashlib
import ipaddress
import json
import os
from collections.abc import Iterator
from pathlib import Path

from trove.providers import base
from trove.providers.local import commands, launch, locks, records

#: Where ip-netns(8) keeps namespaces.
NAMESPACES = Path(launch.NAMESPACES)

_INTERFACES = Path("/sys/class/net")
_HOST_LOCK = Path("/run/trove-networks.lock")
_MAX_INTERFACE_NAME = 15


def digest(text: str, length: int) -> str:
    """Return ``length`` hexadecimal digits that stand for ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


class Network:
    """See the module's docstring. Callers hold the store's lock for everything that changes something.

    :param bridge: name of the bridge; made from ``base_dir`` unless given.
    :param pool: IPv4 network from which this service takes its own.
    :param prefix: length of the own network's prefix.
    :raises base.FatalError: when the parameters make no sense.
    """

    def __init__(self, base_dir: Path, *, bridge: str | None, pool: str, prefix: int) -> None:
        self._mark = digest(os.path.realpath(base_dir), 8)
        self._file = base_dir / "network.json"
        self.bridge = bridge or f"trv{self._mark}"
        try:
            self._pool = ipaddress.IPv4Network(pool)
        except ValueError as err:
            raise base.FatalError(f"[local] bridge_pool is not an IPv4 network: {err}") from err
        if not self._pool.prefixlen <= prefix <= 29:
            raise base.FatalError(
                f"[local] bridge_prefix {prefix} must lie between that of bridge_pool {pool} and 29"
            )
        if len(self.bridge) > _MAX_INTERFACE_NAME:
            raise base.FatalError(f"[local] bridge '{self.bridge}' is longer than {_MAX_INTERFACE_NAME} characters")
        self._prefix = prefix

    # addresses

    def subnet(self) -> ipaddress.IPv4Network:
        """Return the network of this service, chosen now if need be.

        :raises base.ConflictError: when every network of the pool is in use by others.
        """
        return self._chosen() or self.ensure_bridge()

    def host_address(self) -> str:
        """Return the address of the host on the bridge, under which instances find it."""
        return str(self.subnet().network_address + 1)

    def addresses(self, tag: str) -> Iterator[str]:
        """Yield the addresses for instances, from a place that depends on the tag only."""
        subnet = self.subnet()
        count = subnet.num_addresses - 3  # the network, the host, the broadcast
        offset = int(digest(tag, 16), 16) % count
        for step in range(count):
            yield str(subnet.network_address + 2 + (offset + step) % count)

    def _chosen(self) -> ipaddress.IPv4Network | None:
        try:
            return ipaddress.IPv4Network(json.loads(self._file.read_bytes())["network"])
        except FileNotFoundError:
            return None

    # the bridge

    def ensure_bridge(self) -> ipaddress.IPv4Network:
        """Make the bridge with its address, or adopt it; return its network.

        :raises base.ConflictError: when the network, or every network of the pool, is in use by others.
        """
        with locks.hold(_HOST_LOCK):  # no other service of this host chooses a network meanwhile
            subnet = self._chosen()
            if subnet is not None and self._bridge_has(subnet):
                return subnet
            taken = self._networks_of_others()
            if subnet is None:
                subnet = self._choose(taken)
                records.write_file(self._file, json.dumps({"network": str(subnet)}).encode())
            for other, interface in taken:
                if other.overlaps(subnet):
                    raise base.ConflictError(f"the network {subnet} of {self.bridge} meets {other} of {interface}")
            if not (_INTERFACES / self.bridge).exists():
                commands.run("ip", "link", "add", self.bridge, "type", "bridge")
            address = f"{subnet.network_address + 1}/{subnet.prefixlen}"
            commands.run("ip", "addr", "replace", address, "dev", self.bridge)
            commands.run("ip", "link", "set", self.bridge, "up")
            return subnet

    def exists(self) -> bool:
        """Tell whether the bridge is there."""
        return (_INTERFACES / self.bridge).exists()

    def remove_bridge(self) -> None:
        """Remove the bridge unless an instance is plugged into it."""
        if (_INTERFACES / self.bridge).exists() and not os.listdir(_INTERFACES / self.bridge / "brif"):
            commands.run("ip", "link", "del", self.bridge)

    def _bridge_has(self, subnet: ipaddress.IPv4Network) -> bool:
        if not (_INTERFACES / self.bridge / "bridge").exists():
            return False
        found = json.loads(commands.run("ip", "-j", "-4", "addr", "show", "dev", self.bridge, "up") or "[]")
        wanted = (str(subnet.network_address + 1), subnet.prefixlen)
        return any((a.get("local"), a.get("prefixlen")) == wanted for item in found for a in item.get("addr_info", ()))

    def _networks_of_others(self) -> list[tuple[ipaddress.IPv4Network, str]]:
        found: list[tuple[ipaddress.IPv4Network, str]] = []
        for item in json.loads(commands.run("ip", "-j", "-4", "addr") or "[]"):
            for known in item.get("addr_info", ()):
                network = ipaddress.IPv4Network(f"{known['local']}/{known['prefixlen']}", strict=False)
                found.append((network, item["ifname"]))
        for route in json.loads(commands.run("ip", "-j", "-4", "route", "show", "table", "all") or "[]"):
            if route.get("dst") not in (None, "default") and route.get("dev"):
                found.append((ipaddress.IPv4Network(route["dst"], strict=False), route["dev"]))
        return [(network, name) for network, name in found if name != self.bridge]

    def _choose(self, taken: list[tuple[ipaddress.IPv4Network, str]]) -> ipaddress.IPv4Network:
        count = 1 << (self._prefix - self._pool.prefixlen)
        size = 1 << (32 - self._prefix)
        for step in range(count):
            number = (int(self._mark, 16) + step) % count
            candidate = ipaddress.IPv4Network((int(self._pool.network_address) + number * size, self._prefix))
            if not any(other.overlaps(candidate) for other, _ in taken):
                return candidate
        raise base.ConflictError(f"every network of [local] bridge_pool {self._pool} is in use by other interfaces")

    # instances

    def namespace(self, slug: str) -> Path:
        """Return the file that stands for the namespace of an instance."""
        return NAMESPACES / f"trove-{self._mark}-{slug}"

    def interface(self, slug: str) -> str:
        """Return the name of the host's end of an instance's veth."""
        return f"tv{self._mark[:6]}{digest(slug, 7)}"

    def complete(self, slug: str) -> bool:
        """Tell whether the namespace and its veth are there."""
        return _is_namespace(self.namespace(slug)) and (_INTERFACES / self.interface(slug)).exists()

    def ensure(self, slug: str, address: str) -> Path:
        """Make the namespace of an instance with its address, or complete what is there."""
        subnet = self.ensure_bridge()
        path, veth = self.namespace(slug), self.interface(slug)
        if not _is_namespace(path):
            path.unlink(missing_ok=True)  # a crash between the file and the mount over it
            commands.run("ip", "netns", "add", path.name)
        if (_INTERFACES / veth).exists() and "eth0" not in self._interfaces_in(path.name):
            commands.run("ip", "link", "del", veth)
        # The address decides the hardware address: neighbours that remember the previous owner stay right.
        hardware = ":".join(f"{byte:02x}" for byte in (2, 0x76, *ipaddress.IPv4Address(address).packed))
        plug = [f"link add {veth} type veth peer name eth0 address {hardware} netns {path.name}"]
        if (_INTERFACES / veth).exists():
            plug = []
        # Told to the host: whoever has asked for the address in vain a moment ago would ask again after a second only.
        known = f"neigh replace {address} lladdr {hardware} dev {self.bridge} nud reachable"
        inside = [f"addr replace {address}/{subnet.prefixlen} dev eth0", "link set lo up", "link set eth0 up"]
        commands.run("ip", "-batch", "-", lines=[*plug, f"link set {veth} master {self.bridge} up", known])
        commands.run("ip", "-n", path.name, "-batch", "-", lines=inside)
        return path

    def remove(self, slug: str) -> None:
        """Remove the namespace and the veth; success when they are absent."""
        path, veth = self.namespace(slug), self.interface(slug)
        if (_INTERFACES / veth).exists():
            # By itself it would vanish some time after the namespace has, when the kernel gets to it.
            with contextlib.suppress(commands.ToolError):
                commands.run("ip", "link", "del", veth)
        if _is_namespace(path):
            commands.run("ip", "netns", "del", path.name)
        else:
            path.unlink(missing_ok=True)

    def slugs(self) -> set[str]:
        """Return the instances of this service that have a namespace, whole or half-made."""
        prefix = f"trove-{self._mark}-"
        with contextlib.suppress(FileNotFoundError):
            return {name.removeprefix(prefix) for name in os.listdir(NAMESPACES) if name.startswith(prefix)}
        return set()

    @staticmethod
    def _interfaces_in(namespace: str) -> set[str]:
        return {item["ifname"] for item in json.loads(commands.run("ip", "-j", "-n", namespace, "link") or "[]")}


def _is_namespace(path: Path) -> bool:
    """Tell whether a namespace is mounted on the file; only then does its device differ from the directory's."""
    try:
        return path.stat().st_dev != path.parent.stat().st_dev
    except FileNotFoundError:
        return False
