# SPDX-License-Identifier: Apache-2.0
"""``trove-manage … purge``, through the program's own parser and on a real database."""

import sqlalchemy as sa

from trove.db import api
from trove.taskmanager import retention
from trove.tests.fixtures import aged, rows
from trove.tests.unit.cmd import case


class TestPurge(case.ManageCase):
    def setUp(self) -> None:
        super().setUp()
        self.done("db_sync")
        self.db = api.Database(f"sqlite:///{self.database}", durable=False)
        self.addCleanup(self.db.dispose)
        with self.db.writer() as session:
            instance_id = rows.make_instance(session).id
            for number in range(5):
                aged.workflow(session, instance_id, 900 - number)
                aged.command(session, instance_id, number, 900 - number)
            aged.group(session, 900, 899, 898)

    def count(self, table: sa.Table) -> int:
        with self.db.reader() as session:
            return int(session.scalar(sa.select(sa.func.count()).select_from(table)) or 0)

    def test_workflows(self) -> None:
        self.patch(retention, "BATCH", 2)
        out = self.done("workflow", "purge", "--older-than", "30")
        self.assertRegex(out, r"^Removed 4 workflows that were over before 20\d\d-\d\d-\d\dT")
        self.assertIn("1 as old as that stay, because something live refers to them.", out)
        self.assertEqual((1, 2), (self.count(aged.WORKFLOWS), self.count(aged.STEPS)))
        self.assertIn("Removed 0 workflows", self.done("workflow", "purge", "--older-than", "30"))

    def test_a_dry_run_removes_nothing_and_says_the_same(self) -> None:
        out = self.done("workflow", "purge", "--older-than", "30", "--dry-run")
        self.assertIn("Would remove 4 workflows", out)
        self.assertEqual(5, self.count(aged.WORKFLOWS))

    def test_at_most_so_many(self) -> None:
        self.patch(retention, "BATCH", 2)
        out = self.done("guest_command", "purge", "--older-than", "30", "--max-rows", "3")
        self.assertIn("Removed 3 guest commands", out)
        self.assertIn("There may be more: --max-rows is reached.", out)
        self.assertEqual(2, self.count(aged.COMMANDS))
        self.assertIn("Removed 2 guest", self.done("guest_command", "purge", "--older-than", "30", "--max-rows", "3"))

    def test_the_history_of_configuration_groups(self) -> None:
        out = self.done("configuration_history", "purge", "--older-than", "365")
        self.assertIn("Removed 2 former values of configuration groups", out)
        self.assertEqual(1, self.count(aged.HISTORY))

    def test_what_is_younger_stays(self) -> None:
        self.assertIn("Removed 0 workflows", self.done("workflow", "purge", "--older-than", "20000"))
        self.assertEqual(5, self.count(aged.WORKFLOWS))

    def test_it_is_never_all_by_mistake(self) -> None:
        for arguments in ([], ["--older-than", "0"], ["--older-than", "-1"], ["--older-than", "soon"]):
            code, _, err = self.manage("workflow", "purge", *arguments)
            self.assertEqual(2, code)
            self.assertIn("--older-than", err)
        self.assertEqual(5, self.count(aged.WORKFLOWS))
