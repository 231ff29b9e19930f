# SPDX-License-Identifier: Apache-2.0
"""The crash matrix of the sample flows on every database system.

The plain one runs on SQLite only: the real flows have its shape and run everywhere, in
:mod:`trove.tests.functional.taskmanager.test_crash_matrix`.
"""

from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.unit.workflow import flows
from trove.workflow import testing


class _Matrix:
    dialect = ""
    timeout = 900  # hundreds of plays

    def _check(self, name: str) -> int:
        db = self.useFixture(DatabaseFixture(self.dialect)).db
        return testing.CrashMatrix(db, flows.SCENARIOS[name]()).check_all()

    def test_grouped(self) -> None:
        self.assertGreater(self._check("grouped"), 75)

    def test_forward(self) -> None:
        self.assertGreater(self._check("forward"), 20)

    def test_family(self) -> None:
        db = self.useFixture(DatabaseFixture(self.dialect)).db
        scenario, deletion = flows.SCENARIOS["family"](), flows.deletion(db)
        self.assertGreater(testing.CrashMatrix(db, scenario, [flows.member_flow()], deletion).check_all(), 150)


class TestSQLite(_Matrix, base.FunctionalTestCase):
    dialect = "sqlite"

    def test_create(self) -> None:
        self.assertGreater(self._check("create"), 80)


class TestMySQL(_Matrix, base.FunctionalTestCase):
    dialect = "mysql"


class TestPostgreSQL(_Matrix, base.FunctionalTestCase):
    dialect = "postgresql"
