# SPDX-License-Identifier: Apache-2.0
"""Several processes and threads on the same rows: no lost update, no 'database is locked', conflicts that can be
repeated."""

import contextlib
import multiprocessing
import threading
from collections.abc import Callable

import sqlalchemy as sa
from oslo_db import exception as db_exception
from sqlalchemy import orm

from trove.db import api, models
from trove.objects import base, quota
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.tests.functional.db import case


def _restart(url: str, instance_id: str, ready: "multiprocessing.Queue[str]", go: "multiprocessing.Event") -> None:
    """What each process does: read the instance, wait for the others, move it."""
    db = api.Database(url)
    with db.reader() as session:
        instance = Instance.get(session, Scope.ALL, instance_id)
    ready.put("ready")
    go.wait(60)
    try:
        with db.writer() as session:
            instance.process_event(session, "restart")
        ready.put("moved")
    except Exception as err:  # boundary: the parent looks at what came out
        ready.put(type(err).__name__)


class Processes(case.EveryDatabase):
    def test_of_two_processes_with_the_same_event_one_wins(self) -> None:
        instance = self.make_instance()
        with self.db.writer() as session:
            instance.process_event(session, "created")
        context = multiprocessing.get_context("spawn")
        answers, go = context.Queue(), context.Event()
        children = [
            context.Process(target=_restart, args=(self.url, instance.id, answers, go), daemon=True) for _ in range(2)
        ]
        for child in children:
            child.start()
        self.assertEqual(["ready"] * 2, [answers.get(timeout=60) for _ in children])
        go.set()
        self.assertEqual(["StaleObject", "moved"], sorted(answers.get(timeout=60) for _ in children))
        for child in children:
            child.join(30)
        with self.db.reader() as session:
            found = Instance.get(session, Scope.ALL, instance.id)
        self.assertEqual(("REBOOT", 3), (found.status, found.revision))


class Threads(case.EveryDatabase):
    def test_many_writers_wait_their_turn_and_lose_nothing(self) -> None:
        def work() -> None:
            for _ in range(25):
                with self.db.writer() as session:
                    # Reads first and writes later: what fails with 'database is locked' under SQLite's ordinary BEGIN.
                    quota.usages(session, "p")
                    quota.consume(session, "p", {"instances": 1}, {"instances": -1})

        self.assertEqual([None] * 8, self.at_once(*[api.retry_on_conflict(work)] * 8))
        with self.db.reader() as session:
            self.assertEqual(200, quota.usages(session, "p")["instances"])

    def test_readers_are_not_stopped_by_a_writer(self) -> None:
        with self.db.writer() as writing:
            quota.set_limit(writing, "p", "instances", 1)
            with self.db.reader() as session:
                self.assertEqual({"instances": 7}, quota.limits(session, "p", {"instances": 7}))

    def test_what_a_reader_does_is_rolled_back(self) -> None:
        with self.db.reader() as session:
            quota.set_limit(session, "p", "instances", 1)
        with self.db.reader() as session:
            self.assertEqual({"instances": 7}, quota.limits(session, "p", {"instances": 7}))

    def test_an_error_rolls_everything_back(self) -> None:
        def fail() -> None:
            with self.db.writer() as session:
                quota.consume(session, "p", {"instances": 1}, {"instances": -1})
                raise LookupError

        self.assertRaises(LookupError, fail)
        with self.db.reader() as session:
            self.assertEqual(0, quota.usages(session, "p")["instances"])

    def test_a_reader_of_the_present_sees_what_was_committed_meanwhile(self) -> None:
        if self.dialect == "sqlite":
            self.skipTest("a SQLite transaction reads one snapshot; a writer excludes all others instead")
        with self.db.writer() as session:
            quota.usages(session, "p")
            with self.db.writer() as other:
                quota.consume(other, "p", {"instances": 1}, {"instances": -1})
            self.assertEqual(1, quota.usages(session, "p")["instances"])


class Deadlock(case.EveryDatabase):
    def test_the_victim_of_a_deadlock_succeeds_when_repeated(self) -> None:
        self._deadlock(lambda session: contextlib.nullcontext())

    def test_a_deadlock_behind_a_savepoint_is_still_one(self) -> None:
        """MySQL has forgotten the savepoint by then."""
        self._deadlock(api.savepoint)

    def _deadlock(self, within: Callable[[orm.Session], contextlib.AbstractContextManager[None]]) -> None:
        if self.dialect == "sqlite":
            self.skipTest("SQLite has one write lock, which cannot deadlock")
        table = base.table_of(models.QuotaUsage)
        with self.db.writer() as session:
            quota.consume(session, "p", {"instances": 1, "ram": 1}, {"instances": -1, "ram": -1})
        both_hold_one = threading.Barrier(2)
        victims: list[str] = []

        def add_in_order(first: str, second: str) -> None:
            try:
                with self.db.writer() as session, within(session):
                    for resource in (first, second):
                        session.execute(
                            sa.update(table).where(table.c.resource == resource).values(in_use=table.c.in_use + 1)
                        )
                        if resource == first and not victims and not both_hold_one.broken:
                            both_hold_one.wait(20)
            except db_exception.DBDeadlock:
                victims.append(first)
                raise

        repeated = api.retry_on_conflict(add_in_order)
        self.assertEqual(
            [None, None], self.at_once(lambda: repeated("instances", "ram"), lambda: repeated("ram", "instances"))
        )
        self.assertEqual(1, len(victims))
        with self.db.reader() as session:
            self.assertEqual((3, 3), (quota.usages(session, "p")["instances"], quota.usages(session, "p")["ram"]))
