#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure the memory of every service at rest: each process of its own over MariaDB and RabbitMQ, then the standalone
service; beside each the agent of one PostgreSQL instance. Prints one JSON document.

    python tools/bench/service_memory.py [--seconds 60]

The floor is a bare interpreter of the same run. What a process shares with others (code of libraries) counts in
``rss_mib`` and not in ``private_mib``.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agent_memory import usage

from trove.tests.e2e import base
from trove.tests.e2e.cloud import Cloud
from trove.tests.e2e.test_survival import create

_MOMENT = threading.Event()


def rested(pids: dict[str, int], seconds: float) -> dict[str, Any]:
    """Leave the processes alone for ``seconds``; return what each has then."""
    before = {name: usage(pid)["cpu_seconds"] for name, pid in pids.items()}
    _MOMENT.wait(seconds)
    found = {name: usage(pid) for name, pid in pids.items()}
    for name, measured in found.items():
        measured["idle_cpu_percent"] = round(100 * (measured.pop("cpu_seconds") - before[name]) / seconds, 2)
    return found


def agent_of(guests: Path, instance_id: str) -> int:
    """Return the pid of an instance's agent."""
    return int(json.loads((guests / "servers" / instance_id / "server.json").read_text())["pid"])


def floor() -> dict[str, Any]:
    """Measure an interpreter that does nothing."""
    with subprocess.Popen([sys.executable, "-I", "-c", "input()"], stdin=subprocess.PIPE) as bare:
        _MOMENT.wait(0.5)
        found = usage(bare.pid)
        assert bare.stdin is not None
        bare.stdin.write(b"\n")
    return found


def separate(root: Path, seconds: float) -> dict[str, Any]:
    """Measure the processes of a deployment."""
    with Cloud(root / "cloud", "gateway") as cloud:
        instance_id = create(cloud.client, "one")
        cloud.client.wait_active(instance_id)
        pids = {f"trove-{name}": process.pid for name, process in cloud.processes.items() if name != "taskmanager-2"}
        return rested({**pids, "agent": agent_of(cloud.root / "guests", instance_id)}, seconds)


def standalone(root: Path, seconds: float) -> dict[str, Any]:
    """Measure the service in one process."""
    with base.Standalone(root / "standalone") as service:
        instance_id = create(service.client, "one")
        service.client.wait_active(instance_id)
        pids = {"trove-standalone": service.pid, "agent": agent_of(service.layout.guests, instance_id)}
        return rested(pids, seconds)


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to leave everything at rest")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        root.chmod(0o711)
        found = {"interpreter": floor(), "separate": separate(root, seconds), "standalone": standalone(root, seconds)}
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
