#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time from a create request to the first successful query, against the bare engine's own start in the same run.

The floor is what nobody can avoid: ``initdb``, start, first query as a user with a password, of the same programs, as
the same account, on the same disk. Floors and creations alternate, so that whatever else the machine does meets both.
Also measured: CPU time of the control process for each creation, and the resident memory of the control process and
of the agents.

    python tools/bench/create.py [--rounds 7] [--limit 2.0] [--tier 1|2] [--cold]

Prints one JSON document; exit status 1 when the ratio of the medians is above the limit.
"""

import argparse
import json
import os
import pathlib
import secrets
import shutil
import statistics
import sys
import tempfile
from typing import Any

import requests
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import sql_engines

from trove.common import clock
from trove.datastores import registry, spi
from trove.standalone import control, pidfile, report
from trove.standalone.layout import Layout
from trove.tests.e2e.base import free_port

_TICKS = os.sysconf("SC_CLK_TCK")
_PAUSE = 0.005


class Service:
    """A standalone service and one session with it.

    :param settings: options of ``[local]`` in its configuration file.
    """

    def __init__(self, layout: Layout, **settings: Any) -> None:
        self.layout = layout
        if settings:
            layout.root.mkdir(exist_ok=True)
            lines = ["[local]", *(f"{name} = {value}" for name, value in settings.items())]
            (layout.root / "trove.conf").write_text("\n".join(lines) + "\n")
        control.start_in_background(layout, "127.0.0.1", free_port())
        cloud = yaml.safe_load(layout.clouds.read_text())["clouds"]["trove-standalone"]["auth"]
        self.endpoint = cloud["endpoint"]
        self.session = requests.Session()
        self.session.auth = (cloud["username"], cloud["password"])
        self.session.get(f"{self.endpoint}/flavors", timeout=30).raise_for_status()  # the first one pays for bcrypt

    def create(self, name: str, datastore: str = "postgresql", version: str | None = None) -> tuple[str, float]:
        """Return the id of a new instance and the seconds from the request to its first query as its user."""
        password = secrets.token_hex(12)
        user = {"name": "app", "password": password, "databases": [{"name": "shop"}]}
        kind = {"type": datastore} if version is None else {"type": datastore, "version": version}
        body = {"name": name, "flavorRef": "1", "volume": {"size": 1}, "datastore": kind,
                "databases": [{"name": "shop"}], "users": [user]}  # fmt: skip
        answers = sql_engines.ENGINES[datastore][1]
        began = clock.monotonic()
        answer = self.session.post(f"{self.endpoint}/instances", json={"instance": body}, timeout=30)
        answer.raise_for_status()
        instance_id = answer.json()["instance"]["id"]
        endpoint = None
        while True:
            if endpoint is None:
                endpoint = self._endpoint(instance_id)
            if endpoint and answers(endpoint["address"], endpoint["port"], "app", password, "shop"):
                return instance_id, clock.monotonic() - began
            if clock.monotonic() - began > 120:
                raise SystemExit(f"instance {instance_id} did not come up; see {self.layout.log}")
            clock.sleep(_PAUSE)

    def _endpoint(self, instance_id: str) -> dict[str, Any] | None:
        headers = {"OpenStack-API-Version": "database 1.1"}
        shown = self.session.get(f"{self.endpoint}/instances/{instance_id}", headers=headers, timeout=30).json()
        endpoints = shown["instance"].get("endpoints")
        return endpoints[0] if endpoints else None

    def cpu_seconds(self) -> float:
        """Return the processor time of the control process so far."""
        fields = pathlib.Path(f"/proc/{pidfile.running(self.layout.pid)}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def zygote(self) -> int | None:
        """Return the pid of the process that agents are forked from, if there is one."""
        control = pidfile.running(self.layout.pid)
        children = pathlib.Path(f"/proc/{control}/task").glob("*/children")
        for pid in " ".join(path.read_text() for path in children).split():
            if b"trove.providers.local.zygote" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return int(pid)
        return None

    def memory_mib(self) -> dict[str, Any]:
        """Return the memory of the control process, of what agents are forked from, and of each agent, in MiB.

        Resident memory counts a page that agents share for each of them; their share of it (PSS) counts it once.
        """
        records = sorted(self.layout.guests.glob("servers/*/server.json"))
        agents = [json.loads(record.read_text())["pid"] for record in records]
        zygote = self.zygote()
        return {
            "control": _memory_mib(pidfile.running(self.layout.pid), "Rss"),
            "zygote": None if zygote is None else _memory_mib(zygote, "Rss"),
            "zygote_share": None if zygote is None else _memory_mib(zygote, "Pss"),
            "agents": [_memory_mib(pid, "Rss") for pid in agents],
            "agents_share": [_memory_mib(pid, "Pss") for pid in agents],
        }

    def tier(self) -> str:
        """Return the tier of the local provider that the instances are in."""
        return str(report.status(self.layout)["tier"]["tier"])


def _memory_mib(pid: int, kind: str) -> float:
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise ValueError(f"process {pid} is gone")


def find_engine(datastore: str, images: pathlib.Path | None) -> tuple[spi.EngineInstallation, pathlib.Path | None]:
    """Return the newest installation of this host, else of an image, with its root file system."""
    plugin = registry.load_plugins()[datastore]
    for root in [None, *sorted(images.glob("*/rootfs") if images else [])]:
        found = plugin.detect() if root is None else plugin.detect(root)
        if found:
            return found[0], root
    raise SystemExit(f"{datastore} is neither on this host nor in an image; see trove-manage image build")


def measure(
    datastore: str, images: pathlib.Path | None, rounds: int, directory: pathlib.Path, settings: dict[str, Any]
) -> dict[str, Any]:
    """Alternate floors and creations and return all figures."""
    installation, root = find_engine(datastore, images)
    bare = sql_engines.Bare(installation.home, root, directory)
    layout = Layout(directory / "service")
    if images is not None:
        layout.root.mkdir()
        layout.images.symlink_to(images)
    service = Service(layout, **settings)
    clock.sleep(2.0)  # what it starts in the background is there
    floors, creations, cpu = [], [], []
    try:
        for number in range(rounds):
            floors.append(sql_engines.ENGINES[datastore][0](bare))
            before = service.cpu_seconds()
            creations.append(service.create(f"bench-{number}", datastore, installation.version)[1])
            clock.sleep(1.0)  # the end of the workflow and the first heartbeats belong to the creation
            cpu.append(service.cpu_seconds() - before)
        clock.sleep(12.0)
        memory = service.memory_mib()
        tier = service.tier()
        before = service.cpu_seconds()
        clock.sleep(10.0)
        idle = (service.cpu_seconds() - before) / 10.0
    finally:
        for _line in control.stop(layout, keep_databases=False):
            pass
    totals, raw = [item.total for item in floors], [item.initialise for item in floors]
    return {
        "engine": f"{datastore} {installation.version} ({'this host' if root is None else 'image'})",
        "tier": tier,
        "settings": settings,
        "rounds": rounds,
        "floor_seconds": [round(item, 3) for item in totals],
        "floor_initialise_seconds": [round(item, 3) for item in raw],
        "create_seconds": [round(item, 3) for item in creations],
        "ratio": round(statistics.median(creations) / statistics.median(totals), 2),
        "ratio_without_first": round(statistics.median(creations[1:]) / statistics.median(totals[1:]), 2),
        "ratio_to_initialisation": round(statistics.median(creations[1:]) / statistics.median(raw[1:]), 2),
        "control_cpu_seconds_per_create": round(statistics.median(cpu), 3),
        "control_cpu_share_with_idle_instances": round(idle, 4),
        "memory_mib": memory,
    }


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how the service runs."""
    parser.add_argument("--tier", choices=["auto", "1", "2"], help="tier of the local provider; default: as shipped")
    parser.add_argument("--cold", action="store_true", help="start each agent afresh")


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of ``[local]`` that :func:`add_settings` stands for."""
    return {**({"tier": args.tier} if args.tier else {}), **({"warm_agents": False} if args.cold else {})}


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datastore", choices=sorted(sql_engines.ENGINES), default="postgresql")
    parser.add_argument("--images", type=pathlib.Path, help="directory of images, where the host lacks the engine")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--limit", type=float, default=2.0)
    add_settings(parser)
    args = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="trove-bench-"))
    directory.chmod(0o711)
    try:
        figures = measure(args.datastore, args.images, max(args.rounds, 2), directory, settings_of(args))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps(figures, indent=2))
    return 0 if figures["ratio"] <= args.limit else 1


if __name__ == "__main__":
    sys.exit(main())
