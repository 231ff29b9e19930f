#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an honest client sees of ``trove-api`` while others attack it, and what the attacks leave behind.

A real ``trove-api`` process over SQLite listens on a free port of the loopback interface. The attackers come from the
address of the honest client, so nothing but the server's own bounds protects it. For each attack: median and worst
latency of ``GET /`` on a new connection each, how many got no answer, and the resident memory afterwards.

    python tools/bench/attacks.py [--connections 500] [--seconds 10] [--worst SECONDS] [--json]

Ends with status 1 when a request takes longer than ``--worst`` or has no answer.
"""

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import pathlib
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

_POST = b"POST /v1.0/p/instances HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
_GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
#: What each attacker sends on a connection at first, and then again and again, with the seconds between.
ATTACKS: dict[str, tuple[bytes, bytes, float]] = {
    "nothing": (b"", b"", 60.0),
    "silent connections": (b"", b"", 0.5),
    "slow headers": (_GET, b"A: b\r\n", 0.5),
    "slow bodies": (_POST + b"Content-Length: 1000\r\n\r\n", b"x", 0.5),
    "slow chunks": (_POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.5),
    "idle after a request": (_GET + b"\r\n", b"", 0.5),
    "4 GiB announced": (_POST + b"Content-Length: 4294967296\r\n\r\n", b"x" * 262144, 0.0),
    "endless chunks": (_POST + b"Transfer-Encoding: chunked\r\n\r\n", b"40000\r\n" + b"x" * 262144 + b"\r\n", 0.0),
    "endless headers": (_GET, b"A: " + b"x" * 65536 + b"\r\n", 0.0),
    "pipelined, not read": (_GET + b"\r\n", (_GET + b"\r\n") * 50, 0.5),
}
#: Attacks without a pause keep a core busy by sending alone, so fewer connections do it. Pipelined requests are
#: requests: with more connections than the queue has room for, anybody may be told to come back.
_FEW = {"4 GiB announced": 8, "endless chunks": 8, "endless headers": 8, "pipelined, not read": 64}


def attack(port: int, connections: int, first: bytes, then: bytes, pause: float, until: float) -> None:
    """Hold so many connections, opened again when closed."""
    clients: list[socket.socket] = []
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            while len(clients) < connections:
                clients.append(socket.create_connection(("127.0.0.1", port), timeout=5))
                clients[-1].sendall(first)
                clients[-1].setblocking(False)
        clients = [client for client in clients if not _lost(client, then)]
        time.sleep(max(pause, 0.01))


def _lost(client: socket.socket, then: bytes) -> bool:
    try:
        if then:
            client.send(then)
        if client.recv(4096):
            return False
    except BlockingIOError:
        return False
    except OSError:
        pass
    client.close()
    return True


def honest(port: int, until: float) -> tuple[list[float], int]:
    """Ask until then; return the latencies, and how often there was no answer."""
    times, failures = [], 0
    while time.monotonic() < until:
        began = time.monotonic()
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            client.request("GET", "/")
            failures += client.getresponse().status != 200
        except (OSError, http.client.HTTPException):
            failures += 1
        finally:
            client.close()
        times.append(time.monotonic() - began)
        time.sleep(0.05)
    return times, failures


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextlib.contextmanager
def service() -> Iterator[tuple[int, int]]:
    """Run ``trove-api``; yield its port and process id."""
    with tempfile.TemporaryDirectory() as directory:
        home = pathlib.Path(directory)
        (home / "key").write_text(secrets.token_hex(32))
        (home / "key").chmod(0o600)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        (home / "trove.conf").write_text(
            "[DEFAULT]\ntransport_url = fake://\nauth_strategy = noauth\nbind_host = 127.0.0.1\n"
            f"bind_port = {port}\nlog_file = {home}/api.log\n[database]\nconnection = sqlite:///{home}/trove.sqlite\n"
            f"[security]\nkey_encryption_key_file = {home}/key\nciphertext_version = 2\n"
        )
        programs = pathlib.Path(sys.executable).parent
        subprocess.run(
            [programs / "trove-manage", "--config-file", home / "trove.conf", "db_sync"],
            check=True,
            capture_output=True,
        )
        process = subprocess.Popen([programs / "trove-api", "--config-file", home / "trove.conf"])
        try:
            give_up = time.monotonic() + 60
            while honest(port, time.monotonic() + 0.01)[1]:
                if process.poll() is not None or time.monotonic() > give_up:
                    raise SystemExit("trove-api does not answer")
            yield port, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def measure(connections: int, seconds: float) -> dict[str, dict[str, Any]]:
    """Return the figures of each attack."""
    figures = {}
    with service() as (port, pid):
        honest(port, time.monotonic() + 2)
        for name, (first, then, pause) in ATTACKS.items():
            until = time.monotonic() + seconds + 1
            count = 0 if name == "nothing" else _FEW.get(name, connections)
            attacker = multiprocessing.Process(target=attack, args=(port, count, first, then, pause, until))
            attacker.start()
            time.sleep(1)
            times, failures = honest(port, until)
            attacker.join()
            figures[name] = {
                "median_ms": round(statistics.median(times) * 1000, 1),
                "worst_ms": round(max(times) * 1000, 1),
                "unanswered": failures,
                "requests": len(times),
                "rss_mib": round(resident_mib(pid), 1),
            }
    return figures


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Latency of honest requests during attacks.")
    parser.add_argument("--connections", type=int, default=500, help="of the attacker")
    parser.add_argument("--seconds", type=float, default=10, help="each attack takes")
    parser.add_argument("--worst", type=float, default=1.0, help="seconds an honest request may take")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    figures = measure(arguments.connections, arguments.seconds)
    if arguments.json:
        print(json.dumps(figures))
    else:
        print(f"{'attack':24}{'median ms':>11}{'worst ms':>10}{'unanswered':>12}{'requests':>10}{'RSS MiB':>9}")
        for name, row in figures.items():
            print(
                f"{name:24}{row['median_ms']:>11}{row['worst_ms']:>10}{row['unanswered']:>12}{row['requests']:>10}"
                f"{row['rss_mib']:>9}"
            )
    return int(any(row["unanswered"] or row["worst_ms"] > arguments.worst * 1000 for row in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
