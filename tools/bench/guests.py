#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What thousands of guests cost one conductor.

Seeds enrolled guests into a database, starts a real ``trove-conductor`` on it with a real broker, and has simulated
guests (``guest_swarm.py``) talk to it over TCP: each with held polls that are heartbeats at the default interval, while
commands are written for some of them and some send a heartbeat apart. Then heartbeats come as fast as the conductor
takes them. The floor of the same run is an application on the same server component that answers the same requests with
the same bytes and does nothing else.

    python tools/bench/guests.py [--guests 10000] [--database mysql] [--seconds 30] [--attack 300] [--json]

``--attack`` goes on with garbage, slow bodies and alternating inventories of 10,000 databases for so many seconds, and
shows memory and the latency of everybody else meanwhile. Exit status 1 when the conductor needs more than one core or
300 MiB.
"""

from trove.common import threads

threads.use_native_threads()

import argparse  # noqa: E402
import asyncio  # noqa: E402
import contextlib  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import multiprocessing  # noqa: E402
import os  # noqa: E402
import random  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import guest_swarm  # noqa: E402
import sqlalchemy as sa  # noqa: E402
from guest_swarm import Seen  # noqa: E402

import trove.conf  # noqa: E402
from trove.cmd.conductor import GC_THRESHOLDS  # noqa: E402
from trove.common import clock, ids  # noqa: E402
from trove.db import crypto, migration, models, sealed  # noqa: E402
from trove.db.api import Database  # noqa: E402
from trove.guestbus import envelope, framing  # noqa: E402
from trove.httpserver import sockets  # noqa: E402
from trove.httpserver.application import Accept, Head, Reply, Request  # noqa: E402
from trove.httpserver.limits import Limits  # noqa: E402
from trove.httpserver.server import Server  # noqa: E402
from trove.objects import catalog, guest_command  # noqa: E402
from trove.objects.guest_identity import GuestIdentity  # noqa: E402
from trove.rpc.conductor import ConductorClient  # noqa: E402
from trove.rpc.transport import control_transport  # noqa: E402
from trove.tests.fixtures.databases import DatabaseFixture  # noqa: E402
from trove.tests.fixtures.rabbitmq import RabbitFixture  # noqa: E402
from trove.tests.fixtures.server_process import free_port  # noqa: E402
from trove.wire import command  # noqa: E402

CORES, MIB = 1.0, 300.0
_TICKS = os.sysconf("SC_CLK_TCK")
_SPAWN = multiprocessing.get_context("spawn")
_BATCH = 1000
#: Simulating processes, and connections of each that press when as much as possible is sent.
_PROCESSES, _PRESSING = 2, 16


class Floor:
    """The bare application: what a gateway cannot do without."""

    def decide(self, head: Head) -> Accept | Reply:
        """Take everything."""
        return Accept(envelope.MAX_BYTES)

    async def answer(self, request: Request) -> Reply:
        """Hold a poll, and answer anything else at once."""
        assert isinstance(request.body, bytes)
        if b'"name":"poll"' in request.body[:400]:
            await asyncio.sleep(guest_swarm.hold_seconds())
        return Reply(200, [("Content-Type", framing.CONTENT_TYPE)], b"")

    def refusal(self, status: int, reason: str) -> Reply:
        """Say no more than the status."""
        return Reply(status)

    def stopping(self) -> None:
        """Nothing is held that would not end."""


def serve_floor(port: int, connections: int) -> None:
    """Serve until killed."""
    gc.set_threshold(*GC_THRESHOLDS)
    limits = Limits(connections=connections, connections_per_peer=connections)
    Server([sockets.TCP("127.0.0.1", port)], Floor(), limits, name="floor").start()
    while True:
        time.sleep(60)


class Usage:
    """Processor time and memory of a process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def cpu(self) -> float:
        """Seconds so far."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss(self) -> float:
        """MiB now."""
        lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


class Swarms:
    """The simulating processes."""

    def __init__(self, guests: list[tuple[str, bytes]], processes: int = _PROCESSES, first: int = 0) -> None:
        self._members = []
        for number in range(processes):
            here, there = _SPAWN.Pipe()
            share = guests[number::processes]
            process = _SPAWN.Process(target=guest_swarm.run, args=(share, first + number, there), daemon=True)
            process.start()
            self._members.append((process, here))

    def begin(self, *order: Any) -> None:
        """Have all begin something."""
        for _process, pipe in self._members:
            pipe.send(order)

    def result(self) -> Seen:
        """Wait until all are done, and return what they have seen."""
        seen = Seen()
        for _process, pipe in self._members:
            seen.add(pipe.recv())
        return seen

    def end(self) -> None:
        """End the processes."""
        for process, pipe in self._members:
            with contextlib.suppress(OSError):
                pipe.send(("end",))
            process.join(2)
            process.terminate()


class Bench:
    """A database with guests, a broker, a conductor."""

    def __init__(self, url: str, bus: str, directory: Path, guests: int, log: Path) -> None:
        self._directory = directory
        self.port = free_port()
        key = directory / "kek"
        key.write_text(os.urandom(32).hex())
        key.chmod(0o600)
        crypto.install(crypto.Keyring(crypto.KeyEncryptionKey.from_file(key)))
        self.db = Database(url)
        migration.upgrade(self.db)
        self._log = log
        self._config = directory / "trove.conf"
        self._config.write_text(
            f"[DEFAULT]\ntransport_url = {bus}\nhost = bench\n[database]\nconnection = {url}\n"
            f"[security]\nkey_encryption_key_file = {key}\nciphertext_version = 2\n"
            f"[guest_bus]\ngateway_bind_port = {self.port}\ngateway_max_guests = {max(guests + 100, 100)}\n"
        )
        conf = trove.conf.new(files=[str(self._config)])
        self._hints = ConductorClient(conf, control_transport(conf))
        self.written: dict[str, float] = {}
        self.commits: list[float] = []

    def seed(self, count: int) -> list[tuple[str, bytes]]:
        """Write enrolled guests; return their ids and master keys."""
        with self.db.writer() as session:
            version = catalog.register_version(session, datastore="postgresql", name="17", manager="postgresql")
        guests = [(ids.new_id(), os.urandom(32)) for _ in range(count)]
        now = clock.utcnow()
        for start in range(0, count, _BATCH):
            chosen = guests[start : start + _BATCH]
            with self.db.writer() as session:
                session.execute(sa.insert(models.Instance), [_instance(item, version.id, now) for item, _ in chosen])
                rows = [sealed.seal(GuestIdentity.table(), _identity(*item, now)) for item in chosen]
                session.execute(sa.insert(models.GuestIdentity), rows)
        return guests

    @contextlib.contextmanager
    def conductor(self) -> Iterator[Usage]:
        """Run ``trove-conductor`` for a while."""
        program = Path(sys.executable).with_name("trove-conductor")
        with self._log.open("wb") as log:
            process = subprocess.Popen([program, "--config-file", self._config], stdout=log, stderr=subprocess.STDOUT)
            try:
                until = time.monotonic() + 60
                while not _answers(self.port):
                    if process.poll() is not None or time.monotonic() > until:
                        raise SystemExit(f"the conductor does not start: {self._log.read_text()[-2000:]}")
                    time.sleep(0.1)
                yield Usage(process.pid)
            finally:
                process.terminate()
                process.wait(60)

    def submit(self, instance_id: str) -> None:
        """Commit a command for a guest and give the hint."""
        started = time.monotonic()
        with self.db.writer() as session:
            command_id = guest_command.submit(
                session, instance_id=instance_id, command=command.Restart(), deadline_seconds=600,
                now=self.db.now(session),
            )  # fmt: skip
        self.written[command_id] = time.monotonic()
        self.commits.append(self.written[command_id] - started)
        self._hints.deliver(instance_id)

    def rename(self, instance_id: str) -> float:
        """Write what a user's request would; return how long it took."""
        started = time.monotonic()
        with self.db.writer() as session:
            row = sa.update(models.Instance).where(models.Instance.id == instance_id)
            session.execute(row.values(name=f"n{started}"))
        return time.monotonic() - started


def _answers(port: int) -> bool:
    import socket

    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _instance(instance_id: str, version_id: str, now: Any) -> dict[str, Any]:
    return {
        "id": instance_id, "project_id": "bench", "name": "i", "status": "ACTIVE", "datastore_version_id": version_id,
        "flavor_id": "1", "vcpus": 1, "ram_mib": 512, "disk_gib": 0, "volume_gib": 1, "access": {}, "addresses": [],
        "revision": 1, "created_at": now, "updated_at": now, "deleted": False,
    }  # fmt: skip


def _identity(instance_id: str, master: bytes, now: Any) -> dict[str, Any]:
    return {
        "instance_id": instance_id, "state": "ENROLLED", "generation": 1, "keys": {"master": master.hex()},
        "transport": "gateway", "boot": 1, "sequence": 1, "window": "1", "commands": {"restart": [1]},
        "sent_sequence": 0, "enrolled_at": now, "created_at": now,
    }  # fmt: skip


def quantile(values: list[float], share: float) -> float:
    """Return a quantile, 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def phases(swarms: Swarms, usage: Usage, port: int, seconds: float, work: Any = None) -> dict[str, float]:
    """Measure one server: with all guests at their pace, then as fast as it can.

    :param work: called ten times a second in the first phase.
    """
    swarms.begin("dial", port)
    swarms.result()
    found: dict[str, float] = {}
    before, started = usage.cpu(), time.monotonic()
    swarms.begin("steady", seconds)
    while time.monotonic() - started < seconds - 2:
        if work is not None:
            work()
        time.sleep(0.1)
    seen = swarms.result()
    found["cores"] = (usage.cpu() - before) / (time.monotonic() - started)
    found["rss_mib"] = usage.rss()
    found["heartbeat_p50_ms"] = quantile(seen.latencies, 0.5) * 1e3
    found["heartbeat_p99_ms"] = quantile(seen.latencies, 0.99) * 1e3
    found["heartbeats"] = len(seen.latencies)
    found["not_200"] = sum(n for status, n in seen.answers.items() if status != 200)
    found["_delivered"] = seen.delivered  # type: ignore[assignment]
    before = usage.cpu()
    swarms.begin("saturate", seconds / 3, _PRESSING)
    seen = swarms.result()
    # Polls go on meanwhile; one costs about as much.
    found["cpu_per_message_ms"] = (usage.cpu() - before) / max(1, sum(seen.answers.values())) * 1e3
    found["messages_per_second_and_core"] = 1e3 / found["cpu_per_message_ms"]
    found["pressed_not_200"] = sum(n for status, n in seen.answers.items() if status != 200)
    return found


def attack(bench: Bench, swarms: Swarms, usage: Usage, guests: list[tuple[str, bytes]], seconds: float) -> Any:
    """Measure the honest guests while others attack."""
    hostile = Swarms(guests[-2:], processes=1, first=_PROCESSES)
    hostile.begin("dial", bench.port)
    hostile.result()
    memory = [round(usage.rss(), 1)]
    renames = []
    before, started = usage.cpu(), time.monotonic()
    hostile.begin("attack", seconds)
    swarms.begin("steady", seconds)
    while time.monotonic() - started < seconds:
        renames.append(bench.rename(guests[0][0]))
        if len(renames) % 100 == 0:
            memory.append(round(usage.rss(), 1))
        time.sleep(0.1)
    seen, theirs = swarms.result(), hostile.result()
    hostile.end()
    memory.append(round(usage.rss(), 1))
    return {
        "cores": (usage.cpu() - before) / (time.monotonic() - started),
        "hostile_requests": sum(theirs.answers.values()),
        "hostile_answers": {str(status): number for status, number in sorted(theirs.answers.items())},
        "heartbeat_p50_ms": quantile(seen.latencies, 0.5) * 1e3,
        "heartbeat_p99_ms": quantile(seen.latencies, 0.99) * 1e3,
        "rename_longest_ms": max(renames) * 1e3,
        "rss_mib": [memory[0], max(memory), memory[-1]],
    }


@contextlib.contextmanager
def floor(connections: int) -> Iterator[tuple[Usage, int]]:
    """Run the bare application in a process of its own."""
    port = free_port()
    process = _SPAWN.Process(target=serve_floor, args=(port, connections), daemon=True)
    process.start()
    try:
        while not _answers(port):
            time.sleep(0.1)
        assert process.pid is not None
        yield Usage(process.pid), port
    finally:
        process.terminate()


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure everything."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(RabbitFixture())
        if arguments.database == "sqlite":
            url = f"sqlite:///{directory}/trove.sqlite"
        else:
            url = stack.enter_context(DatabaseFixture(arguments.database, create_tables=False)).url
        bench = Bench(url, broker.url, directory, arguments.guests, Path(arguments.log or directory / "log"))
        guests = bench.seed(arguments.guests + 2)
        honest = guests[: arguments.guests]
        swarms = Swarms(honest)
        stack.callback(swarms.end)
        results: dict[str, Any] = {"guests": len(honest), "database": arguments.database}
        with floor(len(honest) + 1000) as (usage, port):
            results["floor"] = phases(swarms, usage, port, arguments.seconds / 2)
            results["floor"].pop("_delivered")
        with bench.conductor() as usage:
            results["rss_at_rest_mib"] = usage.rss()
            results["conductor"] = phases(
                swarms, usage, bench.port, arguments.seconds, lambda: bench.submit(random.choice(honest)[0])
            )
            delivered = results["conductor"].pop("_delivered")
            took = [delivered[item] - at for item, at in bench.written.items() if item in delivered]
            results["commands"] = {
                "written": len(bench.written), "delivered": len(took), "p50_ms": quantile(took, 0.5) * 1e3,
                "p99_ms": quantile(took, 0.99) * 1e3,
                "floor_p50_ms": quantile(bench.commits, 0.5) * 1e3 + results["floor"]["heartbeat_p50_ms"],
            }  # fmt: skip
            if arguments.attack:
                results["attack"] = attack(bench, swarms, usage, guests, arguments.attack)
        return results


def show(results: dict[str, Any]) -> None:
    """Print a table."""
    print(f"{results['guests']} guests, {results['database']}; at rest {results['rss_at_rest_mib']:.0f} MiB")
    print(f"{'':34}{'conductor':>12}{'floor':>12}{'ratio':>8}")
    for name, value in results["conductor"].items():
        bare = results["floor"][name]
        print(f"{name:34}{value:>12.2f}{bare:>12.2f}{value / bare if bare else 0:>8.1f}")
    for title in ("commands", "attack"):
        for name, value in results.get(title, {}).items():
            shown = f"{value:.1f}" if isinstance(value, float) else str(value)
            print(f"{title}: {name:30}{shown}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What thousands of guests cost one conductor.")
    parser.add_argument("--guests", type=int, default=10000)
    parser.add_argument("--database", choices=["sqlite", "mysql", "postgresql"], default="sqlite")
    parser.add_argument("--seconds", type=float, default=30.0, help="of the steady phase")
    parser.add_argument("--attack", type=float, default=0.0, help="seconds of an attack afterwards")
    parser.add_argument("--log", help="file for the conductor's log")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    results = run(arguments)
    if arguments.json:
        print(json.dumps(results))
    else:
        show(results)
    conductor = results["conductor"]
    return 0 if conductor["cores"] <= CORES and conductor["rss_mib"] <= MIB else 1


if __name__ == "__main__":
    sys.exit(main())
