# SPDX-License-Identifier: Apache-2.0
"""What a taskmanager removes by itself: as long as ``[retention]`` says, once in a period, a little at a time."""

from typing import Any

import sqlalchemy as sa

from trove.taskmanager import retention
from trove.tests import base
from trove.tests.fixtures import aged, rows
from trove.tests.fixtures.databases import DatabaseFixture


class TestRetention(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        with self.db.writer() as session:
            self.instance_id = rows.make_instance(session).id
            self.add(session)

    def add(self, session: Any) -> None:
        """Store three of everything, very old, of which one workflow and one revision are the present ones."""
        first = session.scalar(sa.select(sa.func.count()).select_from(aged.COMMANDS))
        for number in range(3):
            aged.workflow(session, self.instance_id, 900 - number)
            aged.command(session, self.instance_id, first + number, 900 - number)
        aged.group(session, 900, 899, 898)

    def counts(self) -> dict[str, int]:
        tables = {"workflows": aged.WORKFLOWS, "commands": aged.COMMANDS, "history": aged.HISTORY}
        with self.db.reader() as session:
            return {n: session.scalar(sa.select(sa.func.count()).select_from(t)) for n, t in tables.items()}

    def look(self, **days: int) -> dict[str, int]:
        """Let a taskmanager with these options look once; return what is left."""
        conf = self.new_conf(**{f"retention__{name}_days": value for name, value in days.items()})
        retention.Retention(conf, self.db).look()
        return self.counts()

    def test_with_the_defaults_what_is_over_goes(self) -> None:
        self.assertEqual({"workflows": 1, "commands": 0, "history": 1}, self.look())

    def test_zero_keeps_for_ever(self) -> None:
        before = self.counts()
        self.assertEqual(before, self.look(workflow=0, guest_command=0, configuration_history=0))
        self.assertEqual({**before, "workflows": 1}, self.look(guest_command=0, configuration_history=0))

    def test_each_option_counts_for_its_own_rows(self) -> None:
        before = self.counts()
        ages = {"workflow": 100_000, "guest_command": 100_000}
        self.assertEqual({**before, "history": 1}, self.look(**ages))

    def test_a_table_is_gone_through_once_in_a_period(self) -> None:
        left = self.look()
        with self.db.writer() as session:
            self.add(session)
        added = self.counts()
        self.assertGreater(added["commands"], left["commands"])
        self.assertEqual(added, self.look())
        self.patch(retention, "PERIOD", 3600)  # another one, and later than the last, which counted days
        self.assertEqual({"workflows": 1, "commands": 0, "history": 2}, self.look())

    def test_one_look_has_an_end_and_the_next_goes_on_there(self) -> None:
        self.patch(retention, "BATCH", 1)
        self.patch(retention, "BATCHES", 2)
        self.assertEqual({"workflows": 1, "commands": 1, "history": 1}, self.look())
        self.assertEqual({"workflows": 1, "commands": 0, "history": 1}, self.look())
