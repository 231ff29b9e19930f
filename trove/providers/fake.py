# SPDX-License-Identifier: Apache-2.0
"""A cloud in memory, with memory: what was made stays until it is removed, and tests look at what is left.

Deterministic (an id depends on the tag and on how often the thing was made before) and thread-safe. Faults are
scripted, each for one call unless told otherwise::

    cloud = FakeProvider()
    cloud.fail_next("ensure_server", QuotaError("no host has room"))   # nothing is made
    cloud.lose_response("ensure_port")                # the port is made, the caller gets RetryableError
    cloud.delay_until("ensure_volume", 2)             # the first two answers about it say PENDING
    cloud.delay_until("remove_server", lambda: gate.is_set())
    cloud.resources()                                 # {"port": {tag: Port}, "volume": {...}, "server": {...}}

A flow that removes a thing and makes it again, where it should have adopted it, leaves another id behind: comparing two
:meth:`FakeProvider.resources` finds that, too.
"""

import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from trove.domain.shape import Shape
from trove.providers import base

_NAMESPACE = uuid.UUID("5f0c4c5e-8a55-4c2b-9a1e-3d6f0d7a9b10")

#: Methods whose effect can take time.
SLOW_METHODS = frozenset(
    {"ensure_volume", "ensure_server", "resize_server", "restart_server", "migrate_server", "remove_server"}
)

#: Methods that can fail or lose their reply: all of them.
METHODS = SLOW_METHODS | {"find_port", "ensure_port", "remove_port", "find_volume", "remove_volume", "find_server",
                          "set_access", "remove_server_group", "list"}  # fmt: skip

#: Where servers can be.
HOSTS = ("host-1", "host-2", "host-3")
#: What every such cloud can do.
CAPABILITIES = frozenset(base.Capability)

_Thing = TypeVar("_Thing", base.Volume, base.Server)
_Spec = TypeVar("_Spec", base.VolumeSpec, base.ServerSpec)
_Result = TypeVar("_Result")

Until = int | Callable[[], bool]


class Call(NamedTuple):
    """One call that reached the provider, also when it failed."""

    method: str
    tag: str


@dataclass
class _Delay:
    """Counts down with each answer about a thing, or asks a predicate."""

    until: Until

    def over(self) -> bool:
        """Tell whether the thing is ready now; each question counts as one poll."""
        if callable(self.until):
            return self.until()
        self.until -= 1
        return self.until < 0


@dataclass
class _Slow(Generic[_Thing, _Spec]):
    """A volume or server and what it is still busy with."""

    thing: _Thing
    spec: _Spec
    delay: _Delay | None = None
    removing: bool = False
    restarting: bool = False
    migrating: bool = False
    host: str = HOSTS[0]

    def look(self) -> _Thing:
        """Return the thing as of now; counts as one poll."""
        if self.delay is not None and not self.removing and self.delay.over():
            self.delay = None
            self.thing = replace(self.thing, status=base.Status.READY)
        return self.thing


    def begin(self, until: Until | None) -> None:
        """Become busy, or ready at once."""
        self.delay = None if until is None else _Delay(until)
        self.thing = replace(self.thing, status=base.Status.READY if until is None else base.Status.PENDING, detail="")

    def fail(self, detail: str) -> None:
        """Become FAILED."""
        self.delay = None
        self.thing = replace(self.thing, status=base.Status.FAILED, detail=detail)


class FakeProvider:
    """See the module's docstring.

    :param capabilities: what it says it can do; all by default.
    :param host: the host that everything of it is on; ``None``: it is a cloud.
    """

    name = "fake"
    poll_interval = 0.1

    def __init__(self, *, capabilities: Iterable[base.Capability] = base.Capability, host: str | None = None) -> None:
        self.capabilities = frozenset(capabilities)
        self.host = host
        #: Every call so far, in order. For debugging a test; assert what is left behind instead.
        self.calls: list[Call] = []
        self._lock = threading.RLock()
        self._ports: dict[str, base.Port] = {}
        self._volumes: dict[str, _Slow[base.Volume, base.VolumeSpec]] = {}
        self._servers: dict[str, _Slow[base.Server, base.ServerSpec]] = {}
        self._access: dict[str, base.Access] = {}
        self._groups: dict[str, str] = {}
        self._made: dict[str, int] = {}
        self._failures: dict[str, deque[base.ProviderError]] = {}
        self._losses: dict[str, int] = {}
        self._delays: dict[str, deque[Until]] = {}
        self._standing_delays: dict[str, Until] = {}

    # scripting

    def fail_next(self, method: str, error: base.ProviderError, *, times: int = 1) -> None:
        """Have the next ``times`` calls of ``method`` raise ``error`` and do nothing."""
        self._check(method, METHODS)
        with self._lock:
            self._failures.setdefault(method, deque()).extend([error] * times)

    def lose_response(self, method: str, *, times: int = 1) -> None:
        """Have the next ``times`` calls of ``method`` do their work and then raise :class:`RetryableError`."""
        self._check(method, METHODS)
        with self._lock:
            self._losses[method] = self._losses.get(method, 0) + times

    def delay_until(self, method: str, until: Until, *, always: bool = False) -> None:
        """Have what the next call of ``method`` begins take time.

        :param until: number of answers that still say PENDING (``remove_server``: ``False``), or a predicate that
            tells whether the time has come.
        :param always: everything that ``method`` begins from now on.
        """
        self._check(method, SLOW_METHODS)
        with self._lock:
            if always:
                self._standing_delays[method] = until
            else:
                self._delays.setdefault(method, deque()).append(until)

    def set_failed(self, tag: str, detail: str) -> None:
        """Turn the volume or server with ``tag`` into a FAILED one."""
        with self._lock:
            if tag in self._servers:
                self._servers[tag].fail(detail)
            else:
                self._volumes[tag].fail(detail)

    def resources(self) -> dict[str, dict[str, Any]]:
        """Return everything that exists, by kind and tag, without counting as a poll."""
        with self._lock:
            return {
                "port": dict(sorted(self._ports.items())),
                "volume": {tag: entry.thing for tag, entry in sorted(self._volumes.items())},
                "server": {tag: entry.thing for tag, entry in sorted(self._servers.items())},
            }

    def bootstrap(self, tag: str) -> bytes:
        """Return the bootstrap document that the server with ``tag`` was made with."""
        with self._lock:
            return self._servers[tag].spec.bootstrap

    def access(self, tag: str) -> base.Access:
        """Return who may reach the port with ``tag``."""
        with self._lock:
            return self._access.get(tag, base.Access())

    def groups(self) -> dict[str, str]:
        """Return the policies of all server groups by tag."""
        with self._lock:
            return dict(self._groups)

    def spec(self, tag: str) -> base.ServerSpec:
        """Return what the server with ``tag`` was made from."""
        with self._lock:
            return self._servers[tag].spec

    def host_of(self, tag: str) -> str:
        """Return where the server with ``tag`` is."""
        with self._lock:
            return self._servers[tag].host

    # the provider

    def list(self, prefix: str, marker: str | None = None, limit: int = 1000) -> base.Page:
        def look() -> base.Page:
            found = [
                *(base.Found(base.Kind.PORT, tag, port.id, detail=port.address) for tag, port in self._ports.items()),
                *(base.Found(base.Kind.VOLUME, tag, item.thing.id) for tag, item in self._volumes.items()),
                *(base.Found(base.Kind.SERVER, tag, item.thing.id, detail=item.host)
                  for tag, item in self._servers.items()),
                *(base.Found(base.Kind.SERVER_GROUP, tag, tag, detail=policy) for tag, policy in self._groups.items()),
            ]  # fmt: skip
            return base.page_of((item for item in found if item.tag.startswith(prefix)), marker, limit)

        return self._call("list", prefix, look)

    def find_port(self, tag: str) -> base.Port | None:
        return self._call("find_port", tag, lambda: self._ports.get(tag))

    def ensure_port(self, spec: base.PortSpec) -> base.Port:
        def make() -> base.Port:
            port = self._ports.get(spec.tag)
            if port is None:
                address = spec.address or self._address(spec.tag)
                port = base.Port(spec.tag, self._new_id(spec.tag), address, spec.port, spec.network)
                self._ports[spec.tag] = port
            return port

        return self._call("ensure_port", spec.tag, make)

    def set_access(self, tag: str, access: base.Access) -> base.Port:
        def change() -> base.Port:
            port = self._ports.get(tag)
            if port is None:
                raise base.NotFoundError(f"there is no port {tag}")
            self._access[tag] = access
            # From 203.0.113.0/24, which RFC 5737 sets aside for examples.
            public = f"203.0.113.{port.address.rpartition('.')[2]}" if access.is_public else None
            self._ports[tag] = replace(port, public_address=public)
            return self._ports[tag]

        return self._call("set_access", tag, change)

    def remove_port(self, tag: str) -> None:
        self._access.pop(tag, None)
        self._call("remove_port", tag, lambda: self._ports.pop(tag, None))

    def find_volume(self, tag: str) -> base.Volume | None:
        return self._call("find_volume", tag, lambda: self._volumes[tag].look() if tag in self._volumes else None)

    def ensure_volume(self, spec: base.VolumeSpec) -> base.Volume:
        def make() -> base.Volume:
            entry = self._volumes.get(spec.tag)
            if entry is None:
                volume = base.Volume(spec.tag, self._new_id(spec.tag), spec.size_gib, base.Status.READY)
                entry = self._volumes[spec.tag] = _Slow(volume, spec)
                entry.begin(self._until("ensure_volume"))
            elif spec.size_gib > entry.thing.size_gib:
                entry.thing = replace(entry.thing, size_gib=spec.size_gib)
                entry.begin(self._until("ensure_volume"))
            return entry.look()

        return self._call("ensure_volume", spec.tag, make)

    def remove_volume(self, tag: str) -> None:
        def remove() -> None:
            for server_tag, entry in self._servers.items():
                if entry.spec.volume_tag == tag:
                    raise base.ConflictError(f"volume {tag} is in use by server {server_tag}")
            self._volumes.pop(tag, None)

        self._call("remove_volume", tag, remove)

    def find_server(self, tag: str) -> base.Server | None:
        return self._call("find_server", tag, lambda: self._servers[tag].look() if tag in self._servers else None)

    def ensure_server(self, spec: base.ServerSpec) -> base.Server:
        def make() -> base.Server:
            entry = self._servers.get(spec.tag)
            if entry is None:
                self._require(spec)
                if spec.group is not None:
                    self._groups[spec.group.tag] = spec.group.policy
                server = base.Server(spec.tag, self._new_id(spec.tag), spec.shape, base.Status.READY)
                entry = self._servers[spec.tag] = _Slow(server, spec)
                entry.begin(self._until("ensure_server"))
            elif entry.removing:
                raise base.RetryableError(f"server {spec.tag} is being removed")
            return entry.look()

        return self._call("ensure_server", spec.tag, make)

    def resize_server(self, tag: str, shape: Shape, **ids: Any) -> base.Server:  # flavor_id, project_id
        def resize() -> base.Server:
            entry = self._existing_server(tag)
            entry.spec = replace(entry.spec, **ids)
            if entry.thing.shape != shape:
                entry.thing = replace(entry.thing, shape=shape)
                entry.begin(self._until("resize_server"))
            return entry.look()

        return self._call("resize_server", tag, resize)

    def restart_server(self, tag: str) -> base.Server:
        def restart() -> base.Server:
            entry = self._existing_server(tag)
            if not entry.restarting:
                entry.begin(self._until("restart_server"))
            server = entry.look()
            entry.restarting = server.status is base.Status.PENDING
            return server

        return self._call("restart_server", tag, restart)

    def migrate_server(self, tag: str, host: str | None) -> base.Server:
        def migrate() -> base.Server:
            if base.Capability.MIGRATE_SERVER not in self.capabilities:
                raise base.FatalError("this cloud cannot move servers")
            entry = self._existing_server(tag)
            if host is not None and host not in HOSTS:
                raise base.NotFoundError(f"there is no host {host}")
            if not entry.migrating and host != entry.host:
                entry.host = host or HOSTS[(HOSTS.index(entry.host) + 1) % len(HOSTS)]
                entry.begin(self._until("migrate_server"))
            server = entry.look()
            entry.migrating = server.status is base.Status.PENDING
            return server

        return self._call("migrate_server", tag, migrate)

    def remove_server(self, tag: str) -> bool:
        def remove() -> bool:
            entry = self._servers.get(tag)
            if entry is None:
                return True
            if not entry.removing:
                entry.begin(self._until("remove_server"))
                entry.removing = True
            if entry.delay is not None and not entry.delay.over():
                return False
            del self._servers[tag]
            return True

        return self._call("remove_server", tag, remove)

    def remove_server_group(self, tag: str) -> None:
        def remove() -> None:
            for server_tag, entry in self._servers.items():
                if entry.spec.group is not None and entry.spec.group.tag == tag:
                    raise base.ConflictError(f"server {server_tag} is in group {tag}")
            self._groups.pop(tag, None)

        self._call("remove_server_group", tag, remove)

    # inside

    @staticmethod
    def _check(method: str, allowed: frozenset[str]) -> None:
        if method not in allowed:
            raise ValueError(f"{method!r} is not one of {', '.join(sorted(allowed))}")

    def _call(self, method: str, tag: str, effect: Callable[[], _Result]) -> _Result:
        with self._lock:
            self.calls.append(Call(method, tag))
            if self._failures.get(method):
                raise self._failures[method].popleft()
            result = effect()
            if self._losses.get(method, 0) > 0:
                self._losses[method] -= 1
                raise base.RetryableError(f"the reply to {method} was lost")
            return result

    def _until(self, method: str) -> Until | None:
        queue = self._delays.get(method)
        return queue.popleft() if queue else self._standing_delays.get(method)

    def _existing_server(self, tag: str) -> _Slow[base.Server, base.ServerSpec]:
        entry = self._servers.get(tag)
        if entry is None:
            raise base.NotFoundError(f"there is no server {tag}")
        if entry.removing:
            raise base.RetryableError(f"server {tag} is being removed")
        return entry

    def _require(self, spec: base.ServerSpec) -> None:
        if spec.port_tag not in self._ports:
            raise base.NotFoundError(f"there is no port {spec.port_tag}")
        if spec.volume_tag not in self._volumes:
            raise base.NotFoundError(f"there is no volume {spec.volume_tag}")

    def _new_id(self, tag: str) -> str:
        number = self._made[tag] = self._made.get(tag, 0) + 1
        return str(uuid.uuid5(_NAMESPACE, f"{tag}#{number}"))

    def _address(self, tag: str) -> str:
        """Choose a free address in 10.0.0.0/8 by the tag's hash."""
        taken = {port.address for port in self._ports.values()}
        start = uuid.uuid5(_NAMESPACE, tag).int % 2**24
        for offset in range(2**24):
            number = (start + offset) % 2**24
            address = f"10.{number >> 16}.{(number >> 8) & 255}.{number & 255}"
            if number & 255 not in (0, 255) and address not in taken:
                return address
        raise base.QuotaError("no address is left")


def make_provider(conf: Any) -> FakeProvider:
    """Entry point ``trove.providers: fake``; nothing is configurable."""
    return FakeProvider()
