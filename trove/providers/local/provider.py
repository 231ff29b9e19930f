# SPDX-License-Identifier: Apache-2.0
"""Instances on this host, without a cloud: the provider ``local``.

* a *server* is a guest agent with a directory of its own (:mod:`.servers`);
* a *port* is an address with the engine's standard port (:mod:`.ports`);
* a *volume* is a directory for data (:mod:`.volumes`).

Tier 1 needs no privileges: addresses are of the loopback network, sizes are written down and not enforced. Tier 2 needs
root: each instance has a network namespace, control groups with its flavor's limits (:mod:`.isolation`) and a file
system of the volume's size. :mod:`.tiers` finds out which one a host is good for.

Agents and engines outlive the control plane and are adopted again. With a service of root, each instance has an account
of its own (:mod:`.accounts`), else all run as the user of the service. Any number of processes may use one ``base_dir``
at a time (:mod:`.records`). In either tier instances share a kernel: this is for one team's machine and for tests.
"""

import datetime
import functools
import itertools
import logging
import os
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from trove.conf.local import NETWORK_ID
from trove.domain.shape import Shape
from trove.providers import base
from trove.providers.local import (
    agent_launcher,
    disks,
    firewall,
    images,
    isolation,
    ports,
    privileges,
    records,
    servers,
    tiers,
    volumes,
)
from trove.providers.local.accounts import DEFAULT_RANGE, Accounts
from trove.providers.local.faults import AT_ONCE, Faults
from trove.providers.local.images.store import Images
from trove.providers.local.isolation import Isolation
from trove.providers.local.records import Store
from trove.providers.local.zygote_client import ZygoteClient

LOG = logging.getLogger(__name__)

MIB = 2**20

#: What it can do in either tier.
CAPABILITIES = frozenset(
    {
        base.Capability.RESIZE_SERVER_ONLINE,
        base.Capability.GROW_VOLUME_ONLINE,
        base.Capability.REBOOT_SERVER,
        base.Capability.AVAILABILITY_ZONES,
        base.Capability.SERVER_GROUPS,
    }
)

P = ParamSpec("P")
R = TypeVar("R")


def _own_errors(method: Callable[P, R]) -> Callable[P, R]:
    """Turn what the host refuses (a full disk, no more processes) into an error of the provider interface."""

    @functools.wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except OSError as err:
            raise base.RetryableError(f"the host refuses: {err}") from err

    return wrapped


@dataclass(frozen=True)
class Settings:
    """How the provider of a host is set up.

    :ivar isolation: networks and control groups.
    :ivar volume_unit: bytes in one GiB of a volume's size; less only for tests and demonstrations.
    :ivar agent_module: module of the agent's program, to be kept loaded in a process that agents are forked from;
        ``None``: each agent is started afresh.
    :ivar network: id of the network that all servers are in.
    :ivar uids: user ids for instances, used when this process runs as root.
    :ivar host: name of this host, where no other provider has written down another one in the directory.
    """

    isolation: Isolation | None = None
    volume_unit: int = disks.GIB
    agent_module: str | None = None
    network: str = NETWORK_ID
    uids: range = DEFAULT_RANGE
    host: str = "localhost"


class LocalProvider:
    """See the module's docstring.

    :param user: account of instances without one of their own, used when this process runs as root.
    :param settings: without :attr:`Settings.isolation`, root has a default one, so that instances of tier 2 that exist
        can be looked after.
    :param image_dir: where root images are found; ``images`` below ``base_dir`` unless given.
    :param agent_argv: replaced by tests of this provider: a program that stands for the agent.
    :param probe: replaced by tests of this provider: tells whether an address can be listened on.
    :ivar host: name of the one host whose instances it has.
    :raises base.FatalError: when the directory, the pool or the account cannot be used.
    """

    name = "local"
    #: What takes time here takes milliseconds.
    poll_interval = 0.1

    def __init__(
        self,
        base_dir: Path,
        *,
        address_pool: str = "127.64.0.0/10",
        user: str = "nobody",
        image_dir: Path | None = None,
        agent_argv: Sequence[str] | None = None,
        probe: ports.Probe = ports.probe,
        settings: Settings = Settings(),
    ) -> None:
        account = privileges.find_account(user) if os.geteuid() == 0 else None
        uids = settings.uids
        if account is not None and not privileges.may_mount():
            # Without an entry in the user database, which takes a mount of its own, not every engine runs.
            LOG.warning("new instances share the account %s, because this service lacks CAP_SYS_ADMIN", user)
            uids = range(0)
        self._store = Store(Path(os.path.abspath(base_dir)), Accounts(account, uids), settings.host)
        self.host = self._store.known_host
        self._faults = Faults(pauses=AT_ONCE, through=())
        #: What the last :meth:`halt` could not stop or take off the host, and why.
        self.left: list[str] = []
        around = settings.isolation
        if around is None and account is not None:
            around = isolation.make(self._store.base_dir)
        self._isolation = around if account is not None else None
        self._ports = ports.Ports(
            self._store, address_pool, probe=probe, isolation=self._isolation, network=settings.network
        )
        self._volumes = volumes.Volumes(self._store, self._isolation, unit=settings.volume_unit)
        self._images = Images(image_dir or self._store.base_dir / "images")
        self._zygote: ZygoteClient | None = None
        if settings.agent_module:
            self._zygote = ZygoteClient(settings.agent_module, agent_launcher.ENVIRONMENT)
        argv = agent_argv or servers.agent_command()
        self._servers = servers.Servers(
            self._store, self._volumes, self._images, argv, self._isolation, self._zygote
        )

    @property
    def tier(self) -> int:
        """What new instances get: 1 (processes) or 2 (isolation)."""
        return 2 if self._isolation is not None and self._isolation.for_new else 1

    @property
    def capabilities(self) -> frozenset[base.Capability]:
        """See :class:`trove.providers.base.Provider`."""
        isolated = {base.Capability.REAL_VOLUME_SIZE}
        if firewall.available():
            isolated.add(base.Capability.ACCESS_RULES)
        return CAPABILITIES | (isolated if self.tier == 2 else set())

    def choose_tier(self, wanted: str, known: Mapping[str, str] | None = None) -> tiers.Tier:
        """Decide what new instances get; until then, tier 1.

        :param wanted: option ``[local] tier``.
        :param known: what tier 2 is known to lack.
        :raises base.FatalError: when tier 2 is asked for and something is missing.
        """
        around = self._isolation or isolation.make(self._store.base_dir)
        found = tiers.choose(wanted, around, self._store, known)
        LOG.log(logging.WARNING if found.missing else logging.INFO, "%s", found)
        around.for_new = found.tier == tiers.ISOLATED
        if around.for_new:  # at once: a gateway may have to listen there
            with self._store.lock():
                around.network.ensure_bridge()
        return found

    @_own_errors
    def check(self) -> dict[str, str]:
        """Return what tier 2 lacks on this host, by name, and leave everything as it was."""
        around = self._isolation or isolation.make(self._store.base_dir)
        existed = around.network.exists()
        missing = tiers.probe(around, self._store, again=True)
        if not existed and around.network.exists():
            with self._store.lock():
                around.network.remove_bridge()
        return missing

    @property
    def gateway_socket(self) -> Path:
        """Where a gateway on this host may listen so that guests of both tiers find it."""
        return self._store.base_dir / "gateway" / "socket"

    @_own_errors
    def list(self, prefix: str, marker: str | None = None, limit: int = 1000) -> base.Page:
        """See :meth:`trove.providers.base.Provider.list`."""
        found = itertools.chain.from_iterable(map(self._found, records.KINDS))
        return base.page_of((item for item in found if item.tag.startswith(prefix)), marker, limit)

    def _found(self, kind: str) -> Iterator[base.Found]:
        groups: set[str] = set()
        for record in self._store.all(kind):
            tag, made = record["tag"], record.get("created_at")
            at = None if made is None else datetime.datetime.fromisoformat(made)
            yield base.Found(kind, tag, records.slug(kind, tag), at, str(self._store.file(kind, tag)))
            if kind == "server" and record.get("group"):
                groups.add(record["group"])
        for group in groups:  # no more than a mark on its servers
            yield base.Found(base.Kind.SERVER_GROUP, group, records.slug(base.Kind.SERVER_GROUP, group))

    @_own_errors
    def find_port(self, tag: str) -> base.Port | None:
        return self._ports.find(tag)

    @_own_errors
    def ensure_port(self, spec: base.PortSpec) -> base.Port:
        return self._ports.ensure(spec)

    @_own_errors
    def set_access(self, tag: str, access: base.Access) -> base.Port:
        return self._ports.set_access(tag, access)

    def remove_server_group(self, tag: str) -> None:
        """A group is no more than a mark on its servers; with the last of them it is gone.

        :raises base.ConflictError: while there is one.
        """
        if self._servers.grouped(tag):
            raise base.ConflictError(f"servers are in group {tag}")

    @_own_errors
    def remove_port(self, tag: str) -> None:
        self._ports.remove(tag)

    @_own_errors
    def find_volume(self, tag: str) -> base.Volume | None:
        return self._volumes.find(tag)

    @_own_errors
    def ensure_volume(self, spec: base.VolumeSpec) -> base.Volume:
        return self._volumes.ensure(spec)

    @_own_errors
    def remove_volume(self, tag: str) -> None:
        self._volumes.remove(tag)

    @_own_errors
    def find_server(self, tag: str) -> base.Server | None:
        return self._servers.find(tag)

    @_own_errors
    def ensure_server(self, spec: base.ServerSpec) -> base.Server:
        return self._servers.ensure(spec)

    @_own_errors
    def resize_server(
        self, tag: str, shape: Shape, *, flavor_id: str | None = None, project_id: str | None = None
    ) -> base.Server:
        return self._servers.resize(tag, shape)

    @_own_errors
    def remove_server(self, tag: str) -> bool:
        return self._servers.remove(tag)

    @_own_errors
    def restart_server(self, tag: str) -> base.Server:
        return self._servers.restart(tag)

    def migrate_server(self, tag: str, host: str | None) -> base.Server:
        """There is only this host.

        :raises base.FatalError: always.
        """
        raise base.FatalError("a server of this host cannot be moved to another one")

    @property
    def zygote_pid(self) -> int | None:
        """The process that waits to become agents, where there is one and it is ready."""
        return None if self._zygote is None else self._zygote.pid

    @_own_errors
    def ensure_zygote(self) -> None:
        """See that there is a process that agents can be forked from; do not wait for it."""
        if self._zygote is not None:
            self._zygote.ensure_running()

    def close(self) -> None:
        """End what serves this process only; agents and engines go on."""
        if self._zygote is not None:
            self._zygote.close()

    def supervise(self) -> None:
        """Start agents that have died, go on with restarts, delete what was discarded or left by a crash. Call it every
        few seconds. Each part is done whatever becomes of the others."""
        self._faults.attempt("the process that starts agents", self.ensure_zygote)
        self._faults.attempt("looking after servers", self._servers.supervise)
        self._faults.attempt("removing what no instance has", self._sweep)
        self._faults.attempt("deleting what was discarded", self._store.trash.round)

    def _sweep(self) -> None:
        if self._isolation is not None and self._isolation.for_new:
            with self._store.lock():
                # An instance whose control groups have another name than its own was made by an earlier version.
                found = self._store.all("server")
                groups = {os.path.basename(group) for server in found for group in server.get("cgroups", ())}
                self._isolation.sweep(self._store.slugs("port"), self._store.slugs("server") | groups)

    def halt(self) -> bool:
        """End every agent and engine without removing anything; ``True`` once none is left. What is left is told by
        :attr:`left`, and keeps nothing else from being stopped.

        They come back with the next :meth:`supervise`, so nobody may supervise meanwhile. What tier 2 has put on the
        host goes with them: afterwards there are only files.
        """
        servers_left = self._servers.halt()
        records_left = [record for record in self._store.all("server") if record["tag"] in servers_left]
        volumes_left = self._volumes.release({record["volume_tag"] for record in records_left})
        self.left = [f"server {tag}: {why}" for tag, why in servers_left.items()]
        self.left += [f"volume {tag}: {why}" for tag, why in volumes_left.items()]
        if not servers_left and self._isolation is not None:
            error = self._faults.attempt("the bridge", self._remove_bridge, self._isolation, now=True)
            self.left += [] if error is None else [f"the bridge: {error}"]
        return not self.left

    def _remove_bridge(self, around: Isolation) -> None:
        with self._store.lock():
            for key in around.network.slugs():  # a crash has left them
                around.network.remove(key)
            around.network.remove_bridge()


def open_provider(conf: Any) -> LocalProvider:
    """Return the provider of a configuration without looking at what the host can do: for what exists already.

    :raises base.FatalError: when ``[local] base_dir`` is missing or something configured cannot be used.
    """
    options = conf.local
    if not options.base_dir:
        raise base.FatalError("the local provider needs [local] base_dir, the same directory in every taskmanager")
    base_dir = Path(os.path.abspath(options.base_dir))
    around = isolation.make(
        base_dir,
        bridge=options.bridge,
        pool=options.bridge_pool,
        prefix=options.bridge_prefix,
        cgroup_parent=options.cgroup_parent,
    )
    return LocalProvider(
        base_dir,
        address_pool=options.address_pool,
        user=options.user,
        image_dir=images.directory(conf),
        settings=Settings(
            around,
            options.volume_unit_mib * MIB,
            agent_module=servers.AGENT if options.warm_agents else None,
            network=options.network_id,
            uids=range(options.uid_range_start, options.uid_range_start + options.uid_range_size),
            host=conf.host,
        ),
    )


def make_provider(conf: Any) -> LocalProvider:
    """Entry point ``trove.providers: local``.

    :raises base.FatalError: see :func:`open_provider`; also when tier 2 is asked for and something is missing.
    """
    provider = open_provider(conf)
    provider.choose_tier(conf.local.tier, unreachable(conf))
    return provider


def only_network(conf: Any) -> str:
    """Return the id of the network that all instances are in; see :func:`trove.providers.registry.only_network`."""
    return str(conf.local.network_id)


def unreachable(conf: Any) -> dict[str, str]:
    """Return which part of the control plane guests of tier 2 could not reach, as it is configured.

    A socket of this host is within everybody's reach; ``trove-standalone``, which names no ``gateway_url``, has one.
    """
    bus = conf.guest_bus
    if bus.transport == "gateway":
        url = urllib.parse.urlsplit(bus.gateway_url or "")
        hosts = [url.hostname or ""] if bus.gateway_url and url.scheme != "unix" else []
    else:
        # scheme://user:password@host:port,user:password@host:port/vhost
        place = urllib.parse.urlsplit(bus.guest_transport_url or bus.transport_url or "").netloc
        hosts = [part.rpartition("@")[2].partition(":")[0] for part in place.split(",") if part]
    missing: dict[str, str] = {}
    for host in hosts:
        missing.update(tiers.beyond_reach(host, conf.local.bridge_pool))
    return missing
