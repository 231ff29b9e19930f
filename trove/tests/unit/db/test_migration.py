# SPDX-License-Identifier: Apache-2.0
"""Statements of migrations on servers that break deadlocks."""

from typing import Any
from unittest import mock

from alembic.ddl import mysql
from oslo_db import exception as db_exception

from trove.db import migration
from trove.tests import base


class PatientMySQLTest(base.UnitTestCase):
    def run_one(self, outcomes: list[Any]) -> tuple[Any, int]:
        made = migration.PatientMySQL.__new__(migration.PatientMySQL)
        with (
            mock.patch.object(mysql.MySQLImpl, "_exec", autospec=True, side_effect=outcomes) as real,
            mock.patch.object(migration.clock, "sleep", autospec=True),
        ):
            try:
                return made._exec("ALTER TABLE t ADD COLUMN c INT"), real.call_count
            except db_exception.DBError as err:
                return type(err), real.call_count

    def test_a_deadlock_is_met_again(self) -> None:
        self.assertEqual(("done", 3), self.run_one([db_exception.DBDeadlock(), db_exception.DBDeadlock(), "done"]))

    def test_not_for_ever(self) -> None:
        found, count = self.run_one([db_exception.DBDeadlock()] * 100)
        self.assertEqual((db_exception.DBDeadlock, migration._ATTEMPTS), (found, count))

    def test_anything_else_is_told_at_once(self) -> None:
        self.assertEqual((db_exception.DBError, 1), self.run_one([db_exception.DBError()]))
