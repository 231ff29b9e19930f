# SPDX-License-Identifier: Apache-2.0
"""What the second tier puts around an instance: a network namespace, control groups and a view of the mounts.

:class:`Isolation` exists whenever the service runs as root, whether new instances get it or not
(:attr:`Isolation.for_new`): instances that were made with it keep it for life, so records say ``"tier": 2``.

Everything is found again by its name, which carries a digest of ``base_dir`` and the slug of the instance; records are
written before anything is made, so :meth:`Isolation.sweep` may remove whatever has no record.
"""

import dataclasses
import os
from collections.abc import Callable, Collection
from pathlib import Path

from trove.domain.shape import Shape
from trove.providers.local import cgroups, firewall, network
from trove.providers.local.faults import Faults
from trove.providers.local.records import Record, slug


@dataclasses.dataclass
class Isolation:
    """Namespaces and control groups of one ``base_dir``.

    :ivar network: see :mod:`.network`.
    :ivar mark: name of the directory of control groups.
    :ivar cgroup_parent: see :func:`.cgroups.find`.
    :ivar for_new: whether new instances get all this (tier 2) or are plain processes (tier 1).
    """

    base_dir: Path
    network: network.Network
    mark: str
    cgroup_parent: str | None = None
    for_new: bool = False
    _trees: cgroups.Cgroups | None = None
    _faults: Faults = dataclasses.field(default_factory=Faults)

    def trees(self) -> cgroups.Cgroups:
        """Return the trees of control groups, looked up once.

        :raises base.FatalError: when this host has none that will do.
        """
        if self._trees is None:
            self._trees = cgroups.find(self.mark, self.cgroup_parent)
        return self._trees

    def plan(self, record: Record) -> list[str]:
        """Return the groups that a new server is going to have, to be written down before they are made."""
        return self.trees().plan(slug("server", record["tag"]))

    def enter(self, record: Record, port: Record) -> list[str]:
        """Make what is missing around a server; return the launcher's words that go inside.

        The caller holds the lock and has seen to the volume.
        """
        path = self.network.ensure(slug("port", port["tag"]), port["address"])
        self.apply_rules(port)
        trees = self.trees()
        trees.make(record["cgroups"], Shape(**record["shape"]))
        words = [f"cgroup={file}" for file in cgroups.join_files(record["cgroups"])]
        return [*words, f"netns={path}"]

    def apply_rules(self, port: Record) -> None:
        """Let exactly those networks reach a port that its record names. The caller holds the lock.

        Without a record of it there never were rules, and without a namespace they are loaded when it is made.
        """
        path = self.network.namespace(slug("port", port["tag"]))
        if "allowed_cidrs" in port and path.exists():
            firewall.load(path, port["port"], port["allowed_cidrs"])

    def fit(self, record: Record) -> bool:
        """Set the limits of the server's shape; ``False`` while it needs more memory than that."""
        return cgroups.Cgroups.fit(record["cgroups"], Shape(**record["shape"]))

    def leave(self, record: Record) -> bool:
        """Remove what is around a server without processes; ``True`` once that is done."""
        self.network.remove(slug("port", record["port_tag"]))
        return cgroups.Cgroups.remove(record["cgroups"])

    def right_network(self, record: Record, pid: int) -> bool:
        """Tell whether a process is in the namespace that bears its server's name, veth and all."""
        key = slug("port", record["port_tag"])
        try:
            inside = os.stat(f"/proc/{pid}/ns/net")
            return self.network.complete(key) and os.path.samestat(inside, self.network.namespace(key).stat())
        except FileNotFoundError:
            return False

    def sweep(self, ports: Collection[str], servers: Collection[str]) -> list[str]:
        """Remove namespaces and groups of this ``base_dir`` that no record knows; return what is wrong with those that
        stay. The caller holds the lock."""
        trees = self.trees()
        jobs: dict[str, tuple[Callable[..., object], object]] = {}
        for key in self.network.slugs() - set(ports):
            jobs[f"network namespace {key}"] = self.network.remove, key
        for key in trees.slugs() - set(servers):
            jobs[f"control groups {key}"] = cgroups.Cgroups.remove, trees.plan(key)
        self._faults.keep(jobs)
        errors = {name: self._faults.attempt(name, remove, thing) for name, (remove, thing) in jobs.items()}
        return [f"{name}: {error}" for name, error in errors.items() if error is not None]


def make(
    base_dir: Path,
    *,
    bridge: str | None = None,
    pool: str = "10.230.0.0/16",
    prefix: int = 22,
    cgroup_parent: str | None = None,
) -> Isolation:
    """Return the isolation of a ``base_dir``; the host is not touched.

    :raises base.FatalError: when the parameters make no sense.
    """
    mark = network.digest(os.path.realpath(base_dir), 8)
    return Isolation(
        base_dir, network.Network(base_dir, bridge=bridge, pool=pool, prefix=prefix), f"trove-{mark}", cgroup_parent
    )
