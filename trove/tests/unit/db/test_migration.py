# SPDX-License-Identifier: Apache-2.0
"""What the package offers without a server; see the functional tests for real upgrades."""

import importlib.resources

from trove.db import api, migration
from trove.tests import base


class Package(base.UnitTestCase):
    def test_one_head_for_each_branch(self) -> None:
        self.assertEqual(["contract", "expand"], [head.partition("_")[0] for head in migration.heads()])

    def test_everything_alembic_needs_is_in_the_package(self) -> None:
        files = {f.name for f in importlib.resources.files("trove.db.migrations").iterdir()}
        self.assertLessEqual({"env.py", "script.py.mako", "versions"}, files)

    def test_a_branch_that_does_not_exist(self) -> None:
        db = api.Database(f"sqlite:///{self.tempdir()}/db")
        self.addCleanup(db.dispose)
        self.assertRaises(ValueError, migration.upgrade, db, "sideways")
