#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure what one guest agent costs: memory, threads and processor time, at rest and after work.

Starts a real agent with a handler whose engine is a sleeping process, against a real gateway on loopback, in the
slim environment of the tests (only what a guest may install), with psycopg2 loaded. Prints one JSON document.

    python tools/bench/agent_memory.py [--seconds 30] [--commands 50] [--limit-mib 45]

Exit status 1 when the resident memory is above the limit.
"""

import argparse
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from trove.common import clock
from trove.tests.functional.guestagent import slim
from trove.tests.functional.guestagent.agents import AgentProcess
from trove.tests.functional.guestagent.control import ControlPlane, wait_for
from trove.wire import command

_TICKS = os.sysconf("SC_CLK_TCK")


def usage(pid: int) -> dict[str, Any]:
    """Return resident and private memory in MiB, threads, and processor seconds of a process so far."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    smaps = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    private = sum(int(line.split()[1]) for line in smaps if line.startswith(("Private_Clean", "Private_Dirty")))
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return {
        "rss_mib": round(int(status["VmRSS"].split()[0]) / 1024, 1),
        "private_mib": round(private / 1024, 1),
        "threads": int(status["Threads"]),
        "cpu_seconds": (int(fields[11]) + int(fields[12])) / _TICKS,
    }


def measure(seconds: float, commands: int) -> dict[str, Any]:
    """Run one agent and return what was measured."""
    pause = threading.Event()
    with ControlPlane() as control:
        guest = control.world.guest()
        key = guest.document.one_time_key
        assert key is not None
        with AgentProcess(guest.id, control.gateway.url, key, python=str(slim.python())) as agent:
            agent.write_bootstrap(heartbeat_interval=10.0, options={"preload": ["psycopg2"]})
            began = clock.monotonic()
            agent.start()
            assert agent.process is not None
            pid = agent.process.pid
            wait_for(lambda: control.heartbeat(guest.id), what="the first heartbeat")
            first = clock.monotonic() - began
            started = usage(pid)
            shape = command.ShapeSpec(vcpus=1, ram_mib=512, volume_gib=1)
            prepare = command.Prepare(shape=shape, address="127.0.0.1", port=5432, admin_password="x")
            control.finished(control.submit(guest.id, prepare))
            for number in range(commands):
                order = command.CreateDatabases(databases=[command.DatabaseSpec(name=f"d{number}")])
                control.finished(control.submit(guest.id, order))
            worked = usage(pid)
            pause.wait(seconds)
            rested = usage(pid)
    return {
        "seconds_to_first_heartbeat": round(first, 2),
        "after_start": started,
        "after_commands": worked,
        "after_rest": rested,
        "idle_cpu_percent": round(100 * (rested["cpu_seconds"] - worked["cpu_seconds"]) / seconds, 2),
        "commands": commands,
    }


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to leave the agent at rest")
    parser.add_argument("--commands", type=int, default=50, help="how many commands to carry out")
    parser.add_argument("--limit-mib", type=float, default=45.0, help="fail above this resident memory")
    arguments = parser.parse_args()
    found = measure(arguments.seconds, arguments.commands)
    print(json.dumps(found, indent=2))
    return int(max(found[at]["rss_mib"] for at in ("after_start", "after_rest")) > arguments.limit_mib)


if __name__ == "__main__":
    sys.exit(main())
