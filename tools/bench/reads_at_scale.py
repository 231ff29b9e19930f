#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What every read of the API costs among 100,000 instances of 1,000 projects, on MariaDB and on PostgreSQL.

Every ``GET`` of the route table is sent through the whole application, in one process without sockets. For each:

* CPU of this process per request, and its ratio to the floor of the same run: the same statements with the same
  parameters on a raw cursor of the same driver;
* SQL statements per request, and the slowest of them: the best of several runs, as the client sees it;
* whether a statement reads a large table as a whole, by the database's own EXPLAIN.

    python tools/bench/reads_at_scale.py [--projects 1000] [--instances 100] [--dialect mysql] [--json]

Exits with 1 when a statement takes longer than 10 ms or reads a large table as a whole.
"""

from trove.common import threads

threads.use_native_threads()

import argparse  # noqa: E402
import json  # noqa: E402
import re  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterable  # noqa: E402
from dataclasses import asdict, dataclass  # noqa: E402
from typing import Any  # noqa: E402

import sqlalchemy as sa  # noqa: E402
from api_reads import environ  # noqa: E402

import trove.conf  # noqa: E402
from trove.api import app, authz, microversions, routes, services  # noqa: E402
from trove.datastores import registry  # noqa: E402
from trove.db.api import Database  # noqa: E402
from trove.tests.fixtures.crowd import Crowd  # noqa: E402
from trove.tests.fixtures.databases import DatabaseFixture  # noqa: E402
from trove.workflow.store import Store  # noqa: E402

LIMIT_MS = 10.0
ROUNDS = 5
#: Tables of this bench with several rows for each project. Those with one are small enough to be read as a whole.
LARGE = ("instances", "heartbeats", "quota_usages", "inventory_users", "inventory_databases", "workflows",
         "workflow_steps")  # fmt: skip

Statement = tuple[str, Any]


@dataclass
class Figures:
    """One read. Times are microseconds of CPU per request; ``slowest_ms`` is wall-clock time of one statement."""

    path: str
    status: int
    cpu_us: int
    floor_us: int
    statements: int
    slowest_ms: float
    whole: list[str]

    @property
    def good(self) -> bool:
        """Whether it keeps the limits."""
        return self.slowest_ms <= LIMIT_MS and not self.whole


class Bench:
    """The API over one database with a crowd in it."""

    def __init__(self, db: Database, crowd: Crowd, requests: int) -> None:
        self._db = db
        self._crowd = crowd
        self._requests = requests
        conf = trove.conf.new(files=[])
        conf.set_override("auth_strategy", "noauth")
        conf.set_override("noauth_admin", True)
        made: Any = services.Services(
            conf, db, Store(db), registry.load_plugins(), None, None, authz.make_enforcer(conf)
        )  # type: ignore[arg-type]
        self._api = app.make_app(made, conf)
        self._sent: list[Statement] = []
        for engine in {db.engine, db._reader_engine}:
            sa.event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "SET", "PRAGMA")):
            self._sent.append((statement, parameters))

    def figures(self) -> Iterable[Figures]:
        """Measure every read whose parameters the crowd has, and the lists of all projects from an administrator."""
        for route in routes.ROUTES:
            url = self._crowd.url(route.path)
            if route.method == "GET" and "{project_id}" in route.path and url is not None:
                yield self._measure(route.path, url)

    def _measure(self, path: str, url: str) -> Figures:
        status = self._request(url)
        self._sent.clear()
        self._request(url)
        sent = list(self._sent)
        cpu = self._cpu(lambda: self._request(url))
        with self._db.engine.connect() as connection:
            cursor = connection.connection.cursor()

            def floor() -> None:
                for statement, parameters in sent:
                    cursor.execute(statement, parameters)
                    cursor.fetchall()

            floor_cpu = self._cpu(floor)
            slowest = max((self._best(cursor, item) for item in sent), default=0.0)
            whole = sorted({table for item in sent for table in self._read_as_a_whole(cursor, item)})
        return Figures(path, status, round(cpu), round(floor_cpu), len(sent), round(slowest, 2), whole)

    def _request(self, url: str) -> int:
        env = environ(url) | {"HTTP_OPENSTACK_API_VERSION": f"database {microversions.MAX}"}
        seen: list[str] = []
        body = b"".join(self._api(env, lambda status, headers, exc_info=None: seen.append(status)))
        status = int(seen[0].split()[0])
        if status not in (200, 204, 400, 501):
            raise SystemExit(f"{url}: {seen[0]} {body[:200]!r}")
        return status

    def _cpu(self, call: Callable[[], Any]) -> float:
        results = []
        for _ in range(ROUNDS):
            started = time.process_time()
            for _ in range(self._requests // ROUNDS):
                call()
            results.append((time.process_time() - started) / (self._requests // ROUNDS) * 1e6)
        return statistics.median(results)

    @staticmethod
    def _best(cursor: Any, item: Statement) -> float:
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            cursor.execute(*item)
            cursor.fetchall()
            times.append((time.perf_counter() - started) * 1e3)
        return min(times)

    def _read_as_a_whole(self, cursor: Any, item: Statement) -> list[str]:
        statement, parameters = item
        if not statement.lstrip().upper().startswith("SELECT"):
            return []
        if self._db.engine.dialect.name == "postgresql":
            cursor.execute(f"EXPLAIN {statement}", parameters)
            scanned = re.findall(r"Seq Scan on (\w+)", "\n".join(row[0] for row in cursor.fetchall()))
        else:
            cursor.execute(f"EXPLAIN FORMAT=JSON {statement}", parameters)
            scanned = list(_full_scans(json.loads(cursor.fetchone()[0])))
        return [table for table in scanned if table in LARGE]


def _full_scans(plan: Any) -> Iterable[str]:
    """Yield the tables that MariaDB's plan reads as a whole."""
    if isinstance(plan, list):
        for part in plan:
            yield from _full_scans(part)
    elif isinstance(plan, dict):
        if plan.get("access_type") == "ALL":
            yield plan["table_name"]
        for part in plan.values():
            yield from _full_scans(part)


def run(dialect: str, projects: int, instances: int, requests: int) -> list[Figures]:
    """Fill a throw-away database and measure."""
    with DatabaseFixture(dialect) as fixture:
        began = time.monotonic()
        crowd = Crowd(fixture.db, projects=projects, instances=instances)
        with fixture.db.engine.begin() as connection:
            # What the databases do by themselves after a while.
            for table in LARGE:
                connection.execute(sa.text(f"ANALYZE {'TABLE ' if dialect == 'mysql' else ''}{table}"))
        print(f"{dialect}: filled in {time.monotonic() - began:.0f} s", file=sys.stderr)
        return list(Bench(fixture.db, crowd, requests).figures())


def show(dialect: str, found: list[Figures]) -> None:
    """Print a table."""
    print(f"{dialect:76}{'status':>7}{'CPU us':>8}{'floor us':>9}{'ratio':>7}{'SQL':>5}{'slowest ms':>11}  reads whole")
    for row in found:
        ratio = f"{row.cpu_us / row.floor_us:.1f}" if row.floor_us else "-"
        print(
            f"{row.path.removeprefix('/v1.0/{project_id}'):76}{row.status:>7}{row.cpu_us:>8}{row.floor_us:>9}{ratio:>7}"
            f"{row.statements:>5}{row.slowest_ms:>11.2f}  {', '.join(row.whole)}"
        )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What every read of the API costs among many instances.")
    parser.add_argument("--projects", type=int, default=1000)
    parser.add_argument("--instances", type=int, default=100, help="instances of each project")
    parser.add_argument("--requests", type=int, default=100, help="requests of each read")
    parser.add_argument("--dialect", action="append", choices=["mysql", "postgresql"], help="default: both")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    results = {
        dialect: run(dialect, arguments.projects, arguments.instances, max(arguments.requests, ROUNDS))
        for dialect in arguments.dialect or ["mysql", "postgresql"]
    }
    if arguments.json:
        print(json.dumps({dialect: [asdict(row) for row in found] for dialect, found in results.items()}))
    else:
        for dialect, found in results.items():
            show(dialect, found)
    return 0 if all(row.good for found in results.values() for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
