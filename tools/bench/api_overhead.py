#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CPU time of requests that do next to nothing, through the real server, in a process of its own.

For ``GET /`` and ``GET …/limits``: CPU of the whole server process per request, and the ratio to a bare WSGI
application of three lines on the same server. One client on one connection asks; its own time does not count.

    python tools/bench/api_overhead.py [--requests 3000] [--limit RATIO] [--json]

Ends with status 1 when a ratio exceeds the limit.
"""

from trove.common import threads

threads.use_native_threads()

import argparse  # noqa: E402
import http.client  # noqa: E402
import json  # noqa: E402
import multiprocessing  # noqa: E402
import pathlib  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterable  # noqa: E402
from multiprocessing.connection import Connection  # noqa: E402
from typing import Any  # noqa: E402

import trove.conf  # noqa: E402
from trove.api import app, authz, server, services  # noqa: E402
from trove.cmd import startup  # noqa: E402
from trove.datastores import registry  # noqa: E402
from trove.db import models  # noqa: E402
from trove.db.api import Database  # noqa: E402
from trove.workflow.store import Store  # noqa: E402

PROJECT = "0123456789abcdef0123456789abcdef"
PATHS = {"GET /": "/", "GET limits": f"/v1.0/{PROJECT}/limits"}
ROUNDS = 7


def bare(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer as an application that does nothing."""
    content = b'{"hello": "world"}'
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return [content]


def serve(which: str, directory: str, pipe: Connection) -> None:
    """Serve ``bare`` or ``api``; tell the port, then the CPU time so far whenever asked."""
    conf = trove.conf.new(files=[])
    for name, value in (("auth_strategy", "noauth"), ("bind_host", "127.0.0.1"), ("bind_port", 0)):
        conf.set_override(name, value)
    conf.set_override("log_file", f"{directory}/{which}.log")  # as a service logs, and not onto a terminal
    startup.setup_logging(conf, "trove-api")
    wsgi: Callable[..., Iterable[bytes]] = bare
    if which == "api":
        db = Database(f"sqlite:///{directory}/trove.sqlite")
        models.Base.metadata.create_all(db.engine)
        made: Any = services.Services(
            conf,
            db,
            Store(db),
            registry.load_plugins(),
            None,
            None,
            authz.make_enforcer(conf),  # type: ignore[arg-type]
        )
        wsgi = app.make_app(made, conf)
    served = server.ApiServer(conf, wsgi)
    served.start()
    pipe.send(served.port)
    while pipe.recv():
        pipe.send(time.process_time())
    served.stop()


class Served:
    """A process with a server."""

    def __init__(self, which: str, directory: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(which, directory, theirs), daemon=True)
        self._process.start()
        self._client = http.client.HTTPConnection("127.0.0.1", self._pipe.recv(), timeout=60)

    def cpu(self, path: str, requests: int) -> float:
        """Return microseconds of the server's CPU per request."""
        before = self._time()
        for _ in range(requests):
            self._client.request("GET", path, headers={"X-Auth-Token": "notused", "Accept": "application/json"})
            response = self._client.getresponse()
            response.read()
            if response.status != 200:
                raise SystemExit(f"{path}: {response.status}")
        return (self._time() - before) / requests * 1e6

    def stop(self) -> None:
        """End the process."""
        self._pipe.send(False)
        self._process.join(30)

    def _time(self) -> float:
        self._pipe.send(True)
        return float(self._pipe.recv())


def measure(requests: int) -> dict[str, dict[str, float]]:
    """Return the figures of each path: rounds of both servers by turns, and the median."""
    with tempfile.TemporaryDirectory() as directory:
        floor, api = Served("bare", directory), Served("api", directory)
        figures = {}
        for name, path in PATHS.items():
            floor.cpu("/", 50), api.cpu(path, 50)
            rounds = [(floor.cpu("/", requests // ROUNDS), api.cpu(path, requests // ROUNDS)) for _ in range(ROUNDS)]
            figures[name] = {
                "cpu_us": round(statistics.median(ours for _, ours in rounds)),
                "floor_us": round(statistics.median(theirs for theirs, _ in rounds)),
                "ratio": round(statistics.median(ours / theirs for theirs, ours in rounds), 2),
            }
        floor.stop()
        api.stop()
        size = pathlib.Path(directory, "api.log").stat().st_size
        if not size:
            raise SystemExit("the API has logged nothing: that is not how it runs")
    return figures


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU time of requests that do next to nothing.")
    parser.add_argument("--requests", type=int, default=3500)
    parser.add_argument("--limit", type=float, default=3.0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    figures = measure(max(arguments.requests, ROUNDS))
    if arguments.json:
        print(json.dumps(figures))
    else:
        print(f"{'':14}{'CPU us':>8}{'bare us':>9}{'ratio':>7}")
        for name, row in figures.items():
            print(f"{name:14}{row['cpu_us']:>8}{row['floor_us']:>9}{row['ratio']:>7}")
    return int(any(row["ratio"] > arguments.limit for row in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
