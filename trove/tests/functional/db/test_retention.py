# SPDX-License-Identifier: Apache-2.0
"""Removing what is over: the same on every database, by several processes at once, and never by reading a whole
table."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import event

from trove.common import clock, ids
from trove.db import models
from trove.objects import periodic_mark
from trove.objects.retention import Page
from trove.taskmanager import retention
from trove.tests.fixtures import aged
from trove.tests.fixtures.clock import WrongClock
from trove.tests.functional.db import case

#: What grows with use; a plan must not read any of them as a whole.
_LARGE = ("workflows", "workflow_steps", "workflow_signals", "guest_commands", "configuration_history", "instances")


class Statement(NamedTuple):
    text: str
    parameters: Any


class Aged(case.EveryDatabase):
    """A database in which the rows of ten instances and groups are old enough, two of three each."""

    #: Instances with three workflows and three commands each, and as many groups with three revisions.
    instances = 15
    #: Instances without any.
    idle_instances = 0

    def setUp(self) -> None:
        super().setUp()
        template = self.make_instance()
        with self.db.writer() as session:
            table = sa.inspect(models.Instance).local_table
            row = dict(session.execute(sa.select(table)).mappings().one())
            self.ids = [str(template.id), *(ids.new_id() for _ in range(self.instances - 1))]
            others = [*self.ids[1:], *(ids.new_id() for _ in range(self.idle_instances))]
            session.execute(sa.insert(table), [{**row, "id": each} for each in others])
            for number, each in enumerate(self.ids):
                for days in (60, 45, 1):
                    # Few are old, as where retention has run before.
                    shift = days if number < 10 else days / 100
                    workflow_id = aged.workflow(session, each, shift, parent_id=ids.new_id())
                    aged.command(session, each, days, shift, workflow_id=workflow_id)
            version = {"project_id": "p", "name": "g", "datastore_version_id": row["datastore_version_id"]}
            moment = {"created_at": aged.ago(60), "updated_at": aged.ago(1)}
            for number in range(self.instances):
                group = {"id": ids.new_id(), "values": {}, "revision": 3, **version, **moment}
                session.execute(sa.insert(aged.CONFIGURATIONS).values(group))
                for revision, days in ((1, 60), (2, 45), (3, 1)):
                    entry = {"configuration_id": group["id"], "revision": revision, "values": {}}
                    made = aged.ago(days if number < 10 else days / 100)
                    session.execute(sa.insert(aged.HISTORY).values(**entry, created_at=made))

    def counts(self) -> tuple[int, ...]:
        tables = (aged.WORKFLOWS, aged.STEPS, aged.SIGNALS, aged.COMMANDS, aged.HISTORY)
        with self.db.reader() as session:
            return tuple(session.scalar(sa.select(sa.func.count()).select_from(table)) for table in tables)

    def conf(self) -> Any:
        days = (clock.utcnow().replace(tzinfo=None) - aged.ago(30)).days
        return self.new_conf(
            **{f"retention__{name}_days": days for name in ("workflow", "guest_command", "configuration_history")}
        )


class Sweeps(Aged):
    def test_what_is_over_goes_and_the_rest_stays(self) -> None:
        self.assertEqual((45, 90, 45, 45, 45), self.counts())
        retention.Retention(self.conf(), self.db).look()
        self.assertEqual((25, 50, 25, 25, 25), self.counts())

    def test_several_taskmanagers_at_once(self) -> None:
        self.patch(retention, "BATCH", 3)
        each = [retention.Retention(self.conf(), self.db) for _ in range(4)]
        self.assertEqual([None] * 4, self.at_once(*(one.look for one in each)))
        each[0].look()  # whoever was overtaken has left it to the others, and may have been the last
        self.assertEqual((25, 50, 25, 25, 25), self.counts())

    def test_by_hand_beside_a_taskmanager(self) -> None:
        self.patch(retention, "BATCH", 3)
        stop = threading.Event()

        def by_hand() -> int:
            removed = 0
            for kept in retention.ALL:
                position: str | None = ""
                while position is not None:
                    with self.db.writer() as session:
                        done = kept.sweep(session, Page(aged.ago(30), position, 3))
                    removed, position = removed + done.removed, done.position
            stop.set()
            return removed

        def by_itself() -> None:
            one = retention.Retention(self.conf(), self.db)
            while not stop.is_set():
                one.look()

        removed, nothing = self.at_once(by_hand, by_itself)
        self.assertIsInstance(removed, int)
        self.assertIsNone(nothing)
        self.assertEqual((25, 50, 25, 25, 25), self.counts())

    def test_an_idle_look_is_one_statement_for_each_table(self) -> None:
        one = retention.Retention(self.conf(), self.db)
        one.look()
        engines = {self.db.engine, self.db._reader_engine}
        sent: list[str] = []

        def note(_conn: Any, _cursor: Any, text: str, *_rest: Any) -> None:
            sent.append(text)

        for engine in engines:
            event.listen(engine, "before_cursor_execute", note)
        self.addCleanup(lambda: [event.remove(engine, "before_cursor_execute", note) for engine in engines])
        one.look()
        # The time is asked for once; SQLite's costs nothing and is not seen here.
        self.assertEqual(len(retention.ALL) + (self.dialect != "sqlite"), len(sent), sent)

    def test_a_host_with_a_wrong_clock(self) -> None:
        """It neither takes more than the others would, nor keeps them from it for days by being ahead."""
        marks = sa.select(models.PeriodicMark.name, models.PeriodicMark.period)
        for seconds in (200, 2 * 86400, -2 * 86400):
            with self.subTest(seconds=seconds), self.db.writer() as session:
                session.execute(sa.delete(models.PeriodicMark))
            with WrongClock(seconds):
                before = self.today()
                retention.Retention(self.conf(), self.db).look()
            with self.db.reader() as session:
                found = dict(session.execute(marks).tuples().all())
            self.assertEqual({kept.mark for kept in retention.ALL}, set(found))
            self.assertLessEqual(set(found.values()), {before, self.today()})
            self.assertEqual((25, 50, 25, 25, 25), self.counts())

    def today(self) -> int:
        with self.db.reader() as session:
            return periodic_mark.period_of(self.db.now(session), retention.PERIOD)


class Plans(Aged):
    """Enough rows that reading a whole table would not be the cheapest for any planner."""

    instances = 400
    idle_instances = 4000

    @contextlib.contextmanager
    def recorded(self) -> Iterator[list[Statement]]:
        """Record what is sent to the database, as it is sent."""
        found: list[Statement] = []

        def note(_conn: Any, _cursor: Any, text: str, parameters: Any, _context: Any, many: bool) -> None:
            found.append(Statement(text, parameters[0] if many else parameters))

        event.listen(self.db.engine, "before_cursor_execute", note)
        try:
            yield found
        finally:
            event.remove(self.db.engine, "before_cursor_execute", note)

    def whole_reads(self, statement: Statement) -> list[str]:
        """Return the large tables that the database would read as a whole for ``statement``."""
        how = {"sqlite": "EXPLAIN QUERY PLAN", "mysql": "EXPLAIN", "postgresql": "EXPLAIN"}[self.dialect]
        with self.db.engine.connect() as connection:
            plan = connection.exec_driver_sql(f"{how} {statement.text}", statement.parameters).mappings().all()
        if self.dialect == "sqlite":
            lines = [row["detail"] for row in plan]
            return [line for line in lines if line.startswith("SCAN ") and line.split()[1] in _LARGE]
        if self.dialect == "postgresql":
            lines = [row["QUERY PLAN"] for row in plan]
            return [line for line in lines if line.partition("Seq Scan on ")[2].split(" ")[0] in _LARGE]
        return [str(dict(row)) for row in plan if row["type"] in ("ALL", "index") and row["table"] in _LARGE]

    def analyze(self) -> None:
        """Let the planner know how large the tables are."""
        with self.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in (*_LARGE, "configurations"):
                words = "ANALYZE TABLE" if self.dialect == "mysql" else "ANALYZE"
                connection.exec_driver_sql(f"{words} {table}").close()

    def test_no_statement_reads_a_large_table_as_a_whole(self) -> None:
        self.analyze()
        statements: list[Statement] = []
        for kept in retention.ALL:
            position: str | None = ""
            for _ in range(2):  # the second page begins where the first one ended, with other words
                with self.recorded() as sent, self.db.writer() as session:
                    done = kept.sweep(session, Page(aged.ago(30), position, 8))
                self.assertEqual(8, done.looked, kept.what)
                self.assertGreater(done.removed, 0, kept.what)
                position = done.position
                statements += sent
        # Two pages; commands: two selects and a delete, workflows: five and four, history: two and one.
        self.assertEqual(2 * (3 + 9 + 3), len(statements), [item.text for item in statements])
        for statement in statements:
            self.assertEqual([], self.whole_reads(statement), statement.text)

    def test_a_plan_that_reads_all_would_be_noticed(self) -> None:
        self.analyze()
        with self.recorded() as sent, self.db.writer() as session:
            session.execute(sa.select(aged.WORKFLOWS.c.epoch).where(aged.WORKFLOWS.c.project_id == "p"))
        self.assertEqual(1, len(self.whole_reads(sent[0])))
