#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Like ``create.py``, for Redis and Valkey: from a create request to the first command of the new user.

The floor is the start of the bare server with an access list and an append-only file, and one command with a password.
It takes a few hundredths of a second, so the ratio to it says mostly how busy the machine is, and the limit is one of
seconds: of the median creation. The parts of a creation are told too.

    python tools/bench/create_memory_engines.py [--datastore redis] [--rounds 7] [--limit 0.25]

Prints one JSON document; exit status 1 when the median creation takes longer than the limit.
"""

import argparse
import datetime
import json
import os
import pathlib
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import create

from trove.common import clock
from trove.datastores.redis.product import REDIS
from trove.datastores.redis_family import acl, installations
from trove.datastores.redis_family.guest import resp
from trove.datastores.redis_family.product import Product
from trove.datastores.valkey.product import VALKEY
from trove.providers.local import privileges
from trove.standalone import control
from trove.standalone.layout import Layout

_PAUSE = 0.002
#: Seconds between two looks at the instance: each takes milliseconds from the process that is to make it.
_LOOK = 0.02


def answers(host: str, port: int, user: str, password: str) -> bool:
    """Tell whether a command of a user succeeds."""
    try:
        # Short: a first packet to a network that is only being made is lost, and sent again after a whole second.
        with socket.create_connection((host, port), timeout=0.05) as stream:
            stream.settimeout(2)
            stream.sendall(resp.encode(("AUTH", user, password)) + resp.encode(("PING",)))
            answer = b""
            while answer.count(b"\r\n") < 2:
                part = stream.recv(100)
                if not part:
                    return False
                answer += part
            return answer.endswith(b"+PONG\r\n")
    except OSError:
        return False


def floor(product: Product, home: pathlib.Path, directory: pathlib.Path) -> float:
    """Return the seconds of start and first command of the bare server."""
    program = installations.program(product, home)
    host = f"127.202.{secrets.randbelow(250)}.{secrets.randbelow(250) + 1}"
    work = pathlib.Path(tempfile.mkdtemp(prefix="floor-", dir=directory))
    argv = [
        str(program), "--bind", host, "--dir", str(work), "--aclfile", str(work / "users.acl"), "--appendonly", "yes",
        "--save", "", "--logfile", str(work / "log"),
    ]  # fmt: skip
    began = clock.monotonic()
    (work / "users.acl").write_text(acl.secured("", "floor-password"))
    if os.geteuid() == 0:
        account = privileges.find_account("nobody")
        for path in (work, work / "users.acl"):
            os.chown(path, account.uid, account.gid)
        argv = privileges.run_unprivileged_argv(argv, user="nobody", needed_paths=[home], writable_paths=[work])
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    try:
        while not answers(host, 6379, "os_admin", "floor-password"):
            clock.sleep(_PAUSE)
        return clock.monotonic() - began
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(work, ignore_errors=True)


def request(service: create.Service, datastore: str, name: str) -> tuple[str, float, float]:
    """Return id, seconds until the answer to the request, and seconds until the first command."""
    password = secrets.token_hex(12)
    body = {"name": name, "flavorRef": "1", "volume": {"size": 1}, "datastore": {"type": datastore},
            "users": [{"name": "app", "password": password}]}  # fmt: skip
    began = clock.monotonic()
    answer = service.session.post(f"{service.endpoint}/instances", json={"instance": body}, timeout=30)
    answer.raise_for_status()
    accepted = clock.monotonic() - began
    instance_id = answer.json()["instance"]["id"]
    endpoint, look = None, began + accepted + _LOOK
    while clock.monotonic() - began < 120:
        if endpoint is None and clock.monotonic() >= look:
            endpoint, look = service._endpoint(instance_id), clock.monotonic() + _LOOK
        if endpoint and answers(endpoint["address"], endpoint["port"], "app", password):
            return instance_id, accepted, clock.monotonic() - began
        clock.sleep(_PAUSE)
    raise SystemExit(f"instance {instance_id} did not come up; see {service.layout.log}")


def steps(service: create.Service, instance_id: str) -> dict[str, float]:
    """Return the seconds each step of the creation took."""
    headers = {"OpenStack-API-Version": "database 1.1"}
    listing = f"{service.endpoint}/instances/{instance_id}/operations"
    operation = service.session.get(listing, headers=headers, timeout=30).json()["operations"][-1]
    shown = service.session.get(f"{listing}/{operation['id']}", headers=headers, timeout=30).json()["operation"]
    taken = {}
    for step in shown["steps"]:
        if "started" in step and "finished" in step:
            began, ended = (datetime.datetime.fromisoformat(step[at]) for at in ("started", "finished"))
            taken[step["name"]] = round((ended - began).total_seconds(), 3)
    return taken


def empty_agent() -> float:
    """Return the seconds in which the agent's program only loads what it needs: nobody starts faster than that."""
    began = clock.monotonic()
    code = "import trove.guestagent.service, trove.datastores.redis.guest.handler, trove.guestbus.gateway_client"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
    return clock.monotonic() - began


def measure(product: Product, rounds: int, directory: pathlib.Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Alternate floors and creations and return all figures."""
    installation = installations.find(product)[0]
    service = create.Service(Layout(directory / "service"), **settings)
    clock.sleep(2.0)  # what it starts in the background is there
    floors, accepted, creations, loads, cpu = [], [], [], [], []
    try:
        for number in range(rounds):
            floors.append(floor(product, installation.home, directory))
            loads.append(empty_agent())
            before = service.cpu_seconds()
            instance_id, first, last = request(service, product.name, f"bench-{number}")
            accepted.append(first)
            creations.append(last)
            clock.sleep(1.0)
            cpu.append(service.cpu_seconds() - before)
        taken = steps(service, instance_id)
        clock.sleep(12.0)
        memory = service.memory_mib()
        tier = service.tier()
        before = service.cpu_seconds()
        clock.sleep(10.0)
        idle = (service.cpu_seconds() - before) / 10.0
    finally:
        for _line in control.stop(service.layout, keep_databases=False):
            pass
    return {
        "engine": f"{product.name} {installation.version}",
        "tier": tier,
        "settings": settings,
        "floor_seconds": [round(item, 3) for item in floors],
        "request_seconds": [round(item, 3) for item in accepted],
        "agent_load_seconds": [round(item, 3) for item in loads],
        "create_seconds": [round(item, 3) for item in creations],
        "create_median_seconds": round(statistics.median(creations), 3),
        "ratio": round(statistics.median(creations) / statistics.median(floors), 2),
        "control_cpu_seconds_per_create": round(statistics.median(cpu), 3),
        "control_cpu_share_with_idle_instances": round(idle, 4),
        "steps_of_the_last": taken,
        "memory_mib": memory,
    }


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--datastore", choices=["redis", "valkey"], default="redis")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--limit", type=float, default=0.25, help="seconds")
    create.add_settings(parser)
    args = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="trove-bench-"))
    directory.chmod(0o711)
    try:
        product = REDIS if args.datastore == "redis" else VALKEY
        figures = measure(product, max(args.rounds, 2), directory, create.settings_of(args))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps(figures, indent=2))
    return 0 if figures["create_median_seconds"] <= args.limit else 1


if __name__ == "__main__":
    sys.exit(main())
