#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CPU time of the API's reads, in one process without sockets, over a SQLite database with many instances.

For each read: CPU per request through the whole application, SQL statements per request, and the ratio to a floor
measured in the same run: a bare WSGI function that runs the same statement with the same parameters on a raw
connection, fetches the rows and says hello.

    python tools/bench/api_reads.py [--instances 10000] [--requests 1000] [--json]
"""

from trove.common import threads

threads.use_native_threads()

import argparse  # noqa: E402
import json  # noqa: E402
import pathlib  # noqa: E402
import sqlite3  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterable  # noqa: E402
from typing import Any  # noqa: E402

import sqlalchemy as sa  # noqa: E402

import trove.conf  # noqa: E402
from trove.api import app, authz, services  # noqa: E402
from trove.common import clock, ids  # noqa: E402
from trove.datastores import registry  # noqa: E402
from trove.db import models  # noqa: E402
from trove.db.api import Database  # noqa: E402
from trove.objects import catalog  # noqa: E402
from trove.workflow.store import Store  # noqa: E402

PROJECT = "0123456789abcdef0123456789abcdef"
ROUNDS = 5


def seed(db: Database, count: int) -> str:
    """Insert ``count`` running instances in two projects; return the id of one in :data:`PROJECT`."""
    models.Base.metadata.create_all(db.engine)
    now = clock.utcnow()
    with db.writer() as session:
        version = catalog.register_version(
            session, datastore="postgresql", name="18", manager="postgresql", default=True
        )
        catalog.register_flavor(session, id="small", name="small", vcpus=1, ram_mib=512, disk_gib=5)
        instances, beats = [], []
        for number in range(count):
            instance_id = ids.new_id()
            instances.append(
                {
                    "id": instance_id,
                    "project_id": PROJECT if number % 2 else "other",
                    "name": f"db{number}",
                    "status": "ACTIVE",
                    "datastore_version_id": version.id,
                    "flavor_id": "small",
                    "vcpus": 1,
                    "ram_mib": 512,
                    "disk_gib": 5,
                    "volume_gib": 1,
                    "access": {"is_public": False},
                    "addresses": [{"address": "10.0.0.1", "type": "private", "network": "n"}],
                    "port": 5432,
                    "revision": 1,
                    "deleted": False,
                    "created_at": now,
                    "updated_at": now,
                }
            )
            beats.append(
                {
                    "instance_id": instance_id,
                    "service_status": "healthy",
                    "reported_at": now,
                    "protocol_min": 1,
                    "protocol_max": 1,
                    "volume_used_bytes": 1 << 28,
                    "volume_total_bytes": 1 << 30,
                }
            )
        session.execute(sa.insert(models.Instance), instances)
        session.execute(sa.insert(models.Heartbeat), beats)
    return str(instances[len(instances) // 2 | 1]["id"])


def environ(path: str) -> dict[str, Any]:
    """Return a WSGI environment for a GET, as a server would make it."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "REQUEST_URI": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8779",
        "HTTP_HOST": "localhost:8779",
        "HTTP_X_AUTH_TOKEN": "notused",
        "HTTP_ACCEPT": "application/json",
        "wsgi.url_scheme": "http",
        "wsgi.input": sys.stdin.buffer,
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def request(wsgi: Callable[..., Iterable[bytes]], path: str) -> bytes:
    """Send one request that must succeed, and return the body."""
    seen: list[str] = []
    body = b"".join(wsgi(environ(path), lambda status, headers, exc_info=None: seen.append(status)))
    if not seen[0].startswith("200"):
        raise SystemExit(f"{path}: {seen[0]} {body[:200]!r}")
    return body


def cpu(wsgi: Callable[..., Iterable[bytes]], path: str, requests: int) -> float:
    """Return microseconds of CPU per request: the median of several rounds."""
    results = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(requests // ROUNDS):
            request(wsgi, path)
        results.append((time.process_time() - started) / (requests // ROUNDS) * 1e6)
    return statistics.median(results)


def floor(database: pathlib.Path, statements: list[tuple[str, Any]]) -> Callable[..., Iterable[bytes]]:
    """Return the bare WSGI function that runs ``statements``."""
    connection = sqlite3.connect(database)

    def hello(env: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        for statement, parameters in statements:
            connection.execute(statement, parameters).fetchall()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"hello": "world"}']

    return hello


def measure(instances: int, requests: int) -> dict[str, dict[str, float]]:
    """Return the figures of each read."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "trove.sqlite"
        db = Database(f"sqlite:///{path}")
        instance_id = seed(db, instances)
        conf = trove.conf.new(files=[])
        conf.set_override("auth_strategy", "noauth")
        made: Any = services.Services(
            conf, db, Store(db), registry.load_plugins(), None, None, authz.make_enforcer(conf)
        )  # type: ignore[arg-type]
        api = app.make_app(made, conf)
        statements: list[tuple[str, Any]] = []
        for engine in {db.engine, db._reader_engine}:
            sa.event.listen(
                engine, "before_cursor_execute", lambda c, cur, sql, params, ctx, many: statements.append((sql, params))
            )
        figures = {}
        for name, url in {
            "instances (page of 20)": f"/v1.0/{PROJECT}/instances",
            "instances/detail (page of 20)": f"/v1.0/{PROJECT}/instances/detail",
            "instance": f"/v1.0/{PROJECT}/instances/{instance_id}",
        }.items():
            request(api, url)
            statements.clear()
            size = len(request(api, url))
            asked = [item for item in statements if not item[0].startswith("BEGIN")]
            api_cpu, floor_cpu = cpu(api, url, requests), cpu(floor(path, asked), url, requests)
            figures[name] = {
                "cpu_us": round(api_cpu),
                "floor_us": round(floor_cpu),
                "ratio": round(api_cpu / floor_cpu, 1),
                "statements": len(asked),
                "bytes": size,
            }
        db.dispose()
    return figures


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU time of the API's reads.")
    parser.add_argument("--instances", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    figures = measure(arguments.instances, max(arguments.requests, ROUNDS))
    if arguments.json:
        print(json.dumps(figures))
        return 0
    print(f"{'GET':32}{'CPU us':>10}{'floor us':>10}{'ratio':>8}{'SQL':>6}{'bytes':>9}")
    for name, row in figures.items():
        print(
            f"{name:32}{row['cpu_us']:>10}{row['floor_us']:>10}{row['ratio']:>8}{row['statements']:>6}{row['bytes']:>9}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
