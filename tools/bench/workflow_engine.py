#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the workflow engine costs per step, above the database.

Runs workflows of ten trivial steps through several workers, and in the same run and on the same database the *floor*:
as many bare transactions of the shape of a checkpoint (clock, guarded update, look for arrivals, update of the step)
from as many threads. The ratio says what the engine adds, whatever the machine.

    tools/bench/workflow_engine.py --connection sqlite:////tmp/bench.sqlite
    tools/bench/workflow_engine.py --dialect sqlite --dialect mysql --dialect postgresql --json

``--connection`` needs an empty database, in which tables are made. ``--dialect`` uses throw-away servers of the test
fixtures.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from trove.common.threads import use_native_threads

use_native_threads()

import sqlalchemy as sa  # noqa: E402

from trove.db import models  # noqa: E402
from trove.db.api import Database  # noqa: E402
from trove.domain.operations import Kind  # noqa: E402
from trove.workflow.model import Done, Flow, Result, State, StepContext  # noqa: E402
from trove.workflow.registry import Registry  # noqa: E402
from trove.workflow.store import Store  # noqa: E402
from trove.workflow.testing import no_hook  # noqa: E402
from trove.workflow.worker import Worker  # noqa: E402

STEPS = 10
KIND = Kind("bench.trivial", 1, 3600.0, False)


class Trivial:
    """A step without any work of its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, ctx: StepContext) -> Result:
        return Done()

    def undo(self, ctx: StepContext) -> Result:
        return Done()


def _submit(db: Database, store: Store, count: int) -> list[str]:
    with db.writer() as session:
        return [
            store.submit(
                session,
                kind=KIND,
                resource_type="bench",
                resource_id=f"bench-{i}",
                project_id="bench",
                request_id=None,
                inputs={"number": i},
            )
            for i in range(count)
        ]


def _left(db: Database) -> int:
    table = models.Workflow
    with db.reader() as session:
        return int(
            session.execute(
                sa.select(sa.func.count()).select_from(table).where(table.state != State.SUCCEEDED.value)
            ).scalar_one()
        )


def _measured(act: Callable[[], None]) -> dict[str, float]:
    wall, cpu = time.monotonic(), time.process_time()
    act()
    return {"wall_s": time.monotonic() - wall, "cpu_s": time.process_time() - cpu}


def _run_engine(db: Database, store: Store, workers: int, threads: int) -> None:
    flow = Flow(KIND.name, KIND.version, tuple(Trivial(f"step-{i}") for i in range(STEPS)), no_hook, no_hook, no_hook)
    registry = Registry([flow])
    crew = [
        Worker(db, store, registry, None, owner=f"bench-{i}", threads=threads, poll_interval=0.2)
        for i in range(workers)
    ]
    for worker in crew:
        worker.start()
    while _left(db):
        time.sleep(0.1)
    for worker in crew:
        worker.stop(30.0)


def _run_floor(db: Database, ids: list[str], threads: int) -> None:
    # Raw SQL in the drivers' own style through the same pool: what no engine could do without.
    mark = "?" if db.dialect == "sqlite" else "%s"
    update = (
        f"UPDATE workflows SET cursor={mark}, lease_until={mark}, updated_at={mark} WHERE id={mark} AND epoch={mark}"
    )
    if db.dialect == "mysql":
        update = update.replace("cursor=", "`cursor`=")
    look = (
        "SELECT w.cancel_requested_at, s.name, s.payload FROM workflows w LEFT JOIN workflow_signals s"
        f" ON s.workflow_id = w.id WHERE w.id={mark}"
    )
    step = (
        f"UPDATE workflow_steps SET state={mark}, progress={mark}, started_at={mark}, finished_at={mark}"
        f" WHERE workflow_id={mark} AND name={mark}"
    )

    def work(mine: list[str]) -> None:
        for workflow_id in mine:
            for i in range(STEPS):
                with db.writer() as session:
                    now: Any = db.now(session)
                    now = now.isoformat(" ") if db.dialect == "sqlite" else now
                    connection = session.connection()
                    connection.exec_driver_sql(update, (i, now, now, workflow_id, 1))
                    connection.exec_driver_sql(look, (workflow_id,)).all()
                    connection.exec_driver_sql(step, ("DONE", 100, now, now, workflow_id, f"step-{i}"))

    crowd = [threading.Thread(target=work, args=(ids[i::threads],)) for i in range(threads)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()


def bench(db: Database, workflows: int, workers: int, threads: int) -> dict[str, Any]:
    """Return the figures of one database."""
    models.Base.metadata.create_all(db.engine)
    store = Store(db)
    ids = _submit(db, store, workflows)
    engine = _measured(lambda: _run_engine(db, store, workers, threads))
    floor = _measured(lambda: _run_floor(db, ids, workers * threads))
    steps = workflows * STEPS
    return {
        "dialect": db.dialect,
        "workflows": workflows,
        "steps": steps,
        "workers": workers,
        "threads": workers * threads,
        "engine": {
            **engine,
            "cpu_ms_per_step": 1000 * engine["cpu_s"] / steps,
            "steps_per_s": steps / engine["wall_s"],
        },
        "floor": {**floor, "cpu_ms_per_step": 1000 * floor["cpu_s"] / steps, "steps_per_s": steps / floor["wall_s"]},
        "ratio": engine["cpu_s"] / floor["cpu_s"],
        "wall_ratio": engine["wall_s"] / floor["wall_s"],
    }


def _print(figures: dict[str, Any]) -> None:
    print(f"{figures['dialect']}: {figures['workflows']} workflows of {STEPS} steps, {figures['threads']} threads")
    for name in ("engine", "floor"):
        part = figures[name]
        print(
            f"  {name:7}{part['cpu_ms_per_step']:8.3f} ms CPU per step  {part['wall_s']:8.2f} s wall"
            f"  {part['steps_per_s']:8.0f} steps/s"
        )
    print(f"  ratio  {figures['ratio']:8.2f} CPU  {figures['wall_ratio']:8.2f} wall")


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection", action="append", default=[], help="SQLAlchemy URL of an empty database")
    parser.add_argument("--dialect", action="append", default=[], choices=("sqlite", "mysql", "postgresql"))
    parser.add_argument("--workflows", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1, help="threads per worker")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    args = parser.parse_args()
    results = []
    for url in args.connection:
        db = Database(url, max_pool_size=args.workers * (args.threads + 2) + 2)
        results.append(bench(db, args.workflows, args.workers, args.threads))
        db.dispose()
    for dialect in args.dialect if args.dialect or args.connection else ["sqlite"]:
        from trove.tests.fixtures.databases import DatabaseFixture  # only needed, and only there, in a source tree

        with DatabaseFixture(dialect, create_tables=False) as fixture:
            db = Database(fixture.url, max_pool_size=args.workers * (args.threads + 2) + 2)
            results.append(bench(db, args.workflows, args.workers, args.threads))
            db.dispose()
    if args.json:
        print(json.dumps(results, indent=2))
    else:
        for figures in results:
            _print(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
