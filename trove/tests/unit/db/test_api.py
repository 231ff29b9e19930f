# SPDX-License-Identifier: Apache-2.0
"""Engine options, transactions on SQLite, and repeating after a conflict."""

import datetime
from collections.abc import Iterator

import sqlalchemy as sa
from oslo_db import exception as db_exception

from trove.db import api, types
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock


class FromConf(base.UnitTestCase):
    def test_options_reach_the_engine(self) -> None:
        conf = self.new_conf(
            database__connection=f"sqlite:///{self.tempdir()}/db", database__max_pool_size=3, database__max_overflow=4
        )
        db = api.Database.from_conf(conf)
        self.addCleanup(db.dispose)
        self.assertEqual((3, 4), (db.engine.pool.size(), db.engine.pool._max_overflow))

    def test_without_a_connection_it_refuses(self) -> None:
        self.assertRaisesRegex(ValueError, r"\[database\] connection", api.Database.from_conf, self.new_conf())


class _Times(dict[str, str]):
    """In place of SQL for the present time: for one moment after the other."""

    def __init__(self, moments: Iterator[datetime.datetime]) -> None:
        super().__init__()
        self._moments = moments

    def __missing__(self, _dialect: str) -> str:
        return f"'{next(self._moments)}'"


class Transactions(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = api.Database(f"sqlite:///{self.tempdir()}/db")
        self.addCleanup(self.db.dispose)

    def test_the_files_journal_lets_readers_and_a_writer_work_together(self) -> None:
        with self.db.reader() as session:
            pragmas = [
                session.execute(sa.text(f"PRAGMA {p}")).scalar()
                for p in ("journal_mode", "foreign_keys", "busy_timeout")
            ]
        self.assertEqual(["wal", 1, 30000], pragmas)

    def test_the_databases_clock_is_utc_and_naive(self) -> None:
        with self.db.reader() as session:
            now = self.db.now(session)
        self.assertIsNone(now.tzinfo)
        self.assertLess(
            abs(now - datetime.datetime.now(datetime.UTC).replace(tzinfo=None)), datetime.timedelta(seconds=60)
        )

    def test_what_a_transaction_stores_has_the_time_that_it_asked_for_last(self) -> None:
        times = [datetime.datetime(2026, 1, 1, hour) for hour in range(4)]
        left = iter(times)
        self.patch(types, "NOW", _Times(left))
        with self.db.writer() as session:
            self.assertEqual([times[0]] * 3, [api.now(session) for _ in range(3)])
            self.assertEqual([times[1]] * 2, [self.db.now(session), api.now(session)])
        with self.db.reader() as session:
            self.assertEqual([times[2]] * 2, [self.db.now(session), api.now(session)])
        with self.db.reader() as session:
            self.assertEqual(times[3], api.now(session))

    def test_a_writer_within_a_writer_fails_at_once(self) -> None:
        with self.db.writer():
            self.assertRaisesRegex(RuntimeError, "pass its session on", self.db.writer().__enter__)
        with self.db.writer():
            pass

    def test_a_writer_that_failed_has_given_its_turn_back(self) -> None:
        for _ in range(2):
            with self.assertRaisesRegex(LookupError, "x"), self.db.writer():
                raise LookupError("x")


class RetryOnConflict(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(ManualClock())
        self.calls = 0

    def _fail(self, times: int, error: Exception) -> str:
        self.calls += 1
        if self.calls <= times:
            raise error
        return "done"

    def test_conflicts_are_repeated_with_growing_pauses(self) -> None:
        self.assertEqual("done", api.retry_on_conflict(self._fail)(4, db_exception.DBDeadlock()))
        self.assertEqual((5, 4), (self.calls, len(self.clock.pauses)))
        for attempt, pause in enumerate(self.clock.pauses):
            self.assertTrue(0.5 <= pause / (0.05 * 2**attempt) <= 1.5, self.clock.pauses)

    def test_the_fifth_failure_is_raised(self) -> None:
        self.assertRaises(
            db_exception.DBConnectionError, api.retry_on_conflict(self._fail), 9, db_exception.DBConnectionError()
        )
        self.assertEqual(5, self.calls)

    def test_other_errors_are_not_repeated(self) -> None:
        self.assertRaises(LookupError, api.retry_on_conflict(self._fail), 9, LookupError())
        self.assertRaises(
            db_exception.DBDuplicateEntry, api.retry_on_conflict(self._fail), 9, db_exception.DBDuplicateEntry()
        )
        self.assertEqual((2, []), (self.calls, self.clock.pauses))
