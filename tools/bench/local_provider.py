#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long the local provider itself takes for an instance: address, access, volume, server, until the agent is forked.

    python tools/bench/local_provider.py [--tier 1] [--rounds 15] [--pause 1.5] [--quiet 60]

The agents are real ones without a control plane; each instance is removed before the next is made, and ``--pause``
seconds pass in which the provider is supervised as by a taskmanager. With ``--quiet`` a round also waits, so many
seconds at most, for a moment in which the host has little else to do. Prints one JSON document: the median, the least
and the most of each call in milliseconds.
"""

import argparse
import cProfile
import json
import pathlib
import pstats
import statistics
import sys
import tempfile
import time
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from oslo_config import cfg

from trove.common import ids
from trove.conf import local as options
from trove.conf import service
from trove.domain.shape import Shape
from trove.providers import base
from trove.providers.local import provider as local
from trove.wire.bootstrap import Bootstrap

_QUIET_SHARE = 0.85
CALLS = ("ensure_port", "set_access", "ensure_volume", "ensure_server")


def arguments(instance_id: str) -> dict[str, tuple[Any, ...]]:
    """Return what each call is given."""
    port, volume, server = (ids.instance_tag(instance_id, part) for part in ("port", "volume", "server"))
    document = Bootstrap(
        instance_id=instance_id, datastore_manager="redis", datastore_version="7", transport="gateway",
        endpoint="http://127.0.0.1:9", one_time_key="5a" * 32, data_dir="", state_dir="", options={},
    )  # fmt: skip
    spec = base.ServerSpec(
        server, "bench", Shape(vcpus=1, ram_mib=512), port, volume, "redis",
        bootstrap=json.dumps(document.to_wire()).encode(),
    )  # fmt: skip
    return {
        "ensure_port": (base.PortSpec(port, 6379),),
        "set_access": (port, base.Access()),
        "ensure_volume": (base.VolumeSpec(volume, 1),),
        "ensure_server": (spec,),
    }


def look_after(provider: local.LocalProvider, seconds: float) -> None:
    """Supervise for a while, as a taskmanager does."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        provider.supervise()
        time.sleep(0.25)


def idle_share(seconds: float) -> float:
    """Return which share of processor time nobody used, in the next seconds."""
    counts = []
    for _ in range(2):
        fields = [int(word) for word in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        counts.append((fields[3], sum(fields)))
        time.sleep(seconds * (len(counts) == 1))
    return (counts[1][0] - counts[0][0]) / max(1, counts[1][1] - counts[0][1])


def await_quiet(seconds: float) -> None:
    """Wait until the host is idle, not for longer."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and idle_share(0.3) < _QUIET_SHARE:
        time.sleep(0.2)


def measure(provider: local.LocalProvider, rounds: int, given: argparse.Namespace) -> dict[str, list[float]]:
    """Make and remove instances; return the seconds of each call."""
    taken: dict[str, list[float]] = {name: [] for name in (*CALLS, "all")}
    profile = cProfile.Profile()
    for _ in range(rounds):
        look_after(provider, given.pause)
        await_quiet(given.quiet)
        instance_id = ids.new_id()
        wanted = arguments(instance_id)
        total = 0.0
        for name in CALLS:
            if name == given.profile:
                profile.enable()
            began = time.perf_counter()
            getattr(provider, name)(*wanted[name])
            took = time.perf_counter() - began
            profile.disable()
            taken[name].append(took)
            total += took
        taken["all"].append(total)
        while not provider.remove_server(ids.instance_tag(instance_id, "server")):
            time.sleep(0.02)
        provider.remove_volume(ids.instance_tag(instance_id, "volume"))
        provider.remove_port(ids.instance_tag(instance_id, "port"))
    if given.profile:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("cumulative").print_stats(45)
    return taken


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tier", choices=("1", "2"), default="1")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--pause", type=float, default=1.5)
    parser.add_argument("--quiet", type=float, default=0.0)
    parser.add_argument("--profile", choices=CALLS, default="")
    given = parser.parse_args()
    conf = cfg.ConfigOpts()
    options.register_opts(conf)
    service.register_opts(conf)
    conf([], project="bench", default_config_files=[])
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        pathlib.Path(directory).chmod(0o755)
        conf.set_override("base_dir", str(pathlib.Path(directory) / "trove"), "local")
        conf.set_override("tier", given.tier, "local")
        provider = local.open_provider(conf)
        provider.choose_tier(given.tier)
        look_after(provider, 3.0)
        try:
            taken = measure(provider, given.rounds, given)
        finally:
            provider.close()
            while not provider.halt():
                time.sleep(0.05)
    figures = {
        name: {"median": statistics.median(values), "least": min(values), "most": max(values)}
        for name, values in taken.items()
    }
    rounded = {name: {key: round(1000 * value, 1) for key, value in row.items()} for name, row in figures.items()}
    print(json.dumps({"tier": int(given.tier), "rounds": given.rounds, "milliseconds": rounded}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
