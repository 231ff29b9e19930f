# SPDX-License-Identifier: Apache-2.0
"""Which tier a host is good for, and what it lacks for the second.

Looking at names and versions proves little (a container may have the programs and not the permission, a firewall may
sit on the bridge), so after the cheap checks everything is tried once on something small and temporary: a namespace
that connects to the host, a group with a limit, a file system that is mounted, grown and unmounted. It takes about a
tenth of a second; a success is remembered until the next boot of the host.

``auto`` means tier 2 for root where all of this works: who asks for it on a machine that can keep databases apart
expects that one that goes wild does not take the machine along. Anybody else gets tier 1 and a line that says why.
"""

import contextlib
import ipaddress
import json
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from trove.domain.shape import Shape
from trove.providers import base
from trove.providers.local import commands, privileges, processes, records, volume_check
from trove.providers.local.cgroups import Cgroups
from trove.providers.local.isolation import Isolation
from trove.providers.local.records import Store

PLAIN, ISOLATED = 1, 2
FILE = "tier.json"

_PROGRAMS = {
    "ip": "iproute2", "mount": "mount", "umount": "mount", "losetup": "mount", "mkfs.xfs": "xfsprogs",
    "nsenter": "util-linux", "xfs_growfs": "xfsprogs",
}
#: <linux/capability.h>
_KERNEL_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
_CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).close()"
_ATTEMPT = "capability-check"


@dataclass(frozen=True)
class Tier:
    """The outcome.

    :ivar tier: for new instances.
    :ivar wanted: option ``[local] tier``.
    :ivar missing: what tier 2 lacks: ``{capability: reason}``. Not looked for when tier 1 is asked for.
    """

    tier: int
    wanted: str
    missing: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.tier == ISOLATED:
            return "tier 2: each instance has its own address, limits and file system"
        plain = "tier 1: instances are processes with loopback addresses, without enforced sizes"
        if not self.missing:
            return f"{plain} ([local] tier = {self.wanted})"
        return f"{plain}; tier 2 lacks {'; '.join(f'{name} ({why})' for name, why in self.missing.items())}"


def choose(wanted: str, isolation: Isolation, store: Store, known: Mapping[str, str] | None = None) -> Tier:
    """Return the tier for new instances, and write it down for :func:`last`.

    :param wanted: option ``[local] tier``.
    :param known: what is known to be missing already.
    :raises base.FatalError: when tier 2 is asked for and something is missing; the text names all of it.
    """
    missing = {} if wanted == "1" else {**(known or {}), **probe(isolation, store)}
    chosen = Tier(PLAIN if missing or wanted == "1" else ISOLATED, wanted, missing)
    if wanted == "2" and missing:
        lacks = "; ".join(f"{name}: {why}" for name, why in missing.items())
        raise base.FatalError(f"[local] tier is 2, but this host lacks {lacks}. Set it to 1 or auto, or mend that")
    if chosen.tier == PLAIN:
        with contextlib.suppress(base.ProviderError, OSError), store.lock():
            isolation.network.remove_bridge()  # what the attempt has left; older instances keep theirs
    _remember(isolation, chosen)
    return chosen


def beyond_reach(host: str, pool: str) -> dict[str, str]:
    """Return that guests on the bridge do not reach ``host``, where that is so: they reach the bridge's network only.

    :param host: name or address of what they must reach.
    :param pool: option ``[local] bridge_pool``.
    """
    if any(address in ipaddress.IPv4Network(pool) for address in _addresses(host)):
        return {}
    return {"guest bus": f"guests are told to dial {host}, which is not on the bridge ({pool})"}


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    try:
        return [ipaddress.IPv4Address(entry[4][0]) for entry in socket.getaddrinfo(host, None, socket.AF_INET)]
    except OSError:
        return []


def last(base_dir: Path) -> Tier | None:
    """Return what the service found at its last start."""
    try:
        known = json.loads((base_dir / FILE).read_bytes())
        return Tier(known["tier"], known["wanted"], known["missing"])
    except (FileNotFoundError, NotADirectoryError, KeyError, ValueError):
        return None


def probe(isolation: Isolation, store: Store, *, again: bool = False) -> dict[str, str]:
    """Return what tier 2 lacks on this host, by name; nothing when it works.

    :param again: try everything also when it has worked since the host was started.
    """
    missing = dict(_looked_for(isolation))
    if not missing and (again or not _tried_since_boot(isolation)):
        missing = dict(_tried(isolation, store))
    return missing


def _looked_for(isolation: Isolation) -> Iterator[tuple[str, str]]:
    if os.geteuid() != 0:
        yield "root", "the service runs as an ordinary user"
        return
    effective = privileges.effective_capabilities()
    for name, bit in _KERNEL_CAPABILITIES.items():
        if not effective >> bit & 1:
            yield name, "root does not have it here, as in most containers"
    for program, package in _PROGRAMS.items():
        if commands.find(program) is None:
            yield program, f"not installed: package {package}"
    if not Path("/dev/loop-control").exists():
        yield "loop", "there is no /dev/loop-control: modprobe loop"
    try:
        isolation.trees()
    except base.FatalError as err:
        yield "cgroup", str(err)


def _tried(isolation: Isolation, store: Store) -> Iterator[tuple[str, str]]:
    attempts: tuple[tuple[str, Callable[[Isolation, Store], None]], ...] = (
        ("network", _try_network), ("cgroup", _try_cgroup), ("xfs", _try_volume),
    )
    for name, attempt in attempts:
        try:
            attempt(isolation, store)
        except (base.ProviderError, OSError) as err:
            yield name, str(err)


def _try_network(isolation: Isolation, store: Store) -> None:
    network = isolation.network
    with store.lock(), socket.socket() as listener:
        network.ensure_bridge()
        used = {record["address"] for record in store.all("port")}
        address = next(found for found in network.addresses(_ATTEMPT) if found not in used)
        try:
            namespace = network.ensure(_ATTEMPT, address)
            listener.bind((network.host_address(), 0))
            listener.listen(1)
            where = (network.host_address(), str(listener.getsockname()[1]))
            try:
                # Not ip-netns(8): it makes a mount namespace, and with it copies of all volumes of this host.
                commands.run("nsenter", f"--net={namespace}", sys.executable, "-I", "-S", "-c", _CONNECT, *where)
            except commands.ToolError:
                raise base.FatalError(
                    f"an instance cannot reach the host over {network.bridge}; does a firewall refuse what comes in?"
                ) from None
        finally:
            network.remove(_ATTEMPT)


def _try_cgroup(isolation: Isolation, store: Store) -> None:
    trees = isolation.trees()
    groups = trees.plan(_ATTEMPT)
    with store.lock():  # a running service removes groups without a record
        try:
            trees.make(groups, Shape(vcpus=1, ram_mib=512))
        finally:
            Cgroups.remove(groups)


def _try_volume(_isolation: Isolation, store: Store) -> None:
    attempt = store.base_dir / f".{_ATTEMPT}-{secrets.token_hex(4)}"
    directory = attempt / _ATTEMPT
    directory.mkdir(mode=0o700, parents=True)
    try:
        volume_check.run(directory)
    finally:
        shutil.rmtree(attempt)  # nothing was ever mounted there in this mount namespace


def _tried_since_boot(isolation: Isolation) -> bool:
    try:
        known = json.loads((isolation.base_dir / FILE).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return bool(known.get("tier") == ISOLATED and known.get("boot") == processes.boot_id())


def _remember(isolation: Isolation, chosen: Tier) -> None:
    document = {**asdict(chosen), "boot": processes.boot_id()}
    with contextlib.suppress(OSError):  # a courtesy to whoever asks later
        records.write_file(isolation.base_dir / FILE, json.dumps(document).encode())
