# SPDX-License-Identifier: Apache-2.0
"""Applying modules, once or again."""

import fixtures

from trove.common import clock
from trove.objects import guest_command, heartbeat, instance_module
from trove.objects.guest_identity import GuestIdentity
from trove.objects.scope import Scope
from trove.operations import modules
from trove.tests.fixtures.rows import make_module
from trove.tests.unit.operations import case
from trove.wire import command


class ModulesTest(case.OperationsCase):
    def setUp(self) -> None:
        super().setUp()
        with self.work() as work:
            self.module = make_module(work.session)

    def give(self, *instance_ids: str) -> None:
        with self.work() as work:
            for instance_id in instance_ids:
                instance_module.begin(work.session, instance_id, [self.module], work.now())
                report = instance_module.ModuleReport(self.module.id, self.module.md5, "OK", None)
                instance_module.record(work.session, instance_id, [report], work.now())

    def status(self, instance_id: str) -> str:
        with self.db.reader() as session:
            (row,) = instance_module.list_rows(session, Scope.ALL, instance_id)
        return row.status

    def test_apply_and_remove(self) -> None:
        with self.work() as work:
            instance = self.instance(work)
            removal = command.RemoveModule(id=self.module.id, type="ping")
            begun = [modules.apply(work, instance, [self.module]), modules.remove(work, instance, removal)]
        self.assertEqual("PENDING", self.status(self.instance_id))
        found = [self.workflow(workflow_id) for workflow_id in begun]
        self.assertEqual(["module.apply", "module.remove"], [row["kind"] for row in found])
        self.assertEqual([[self.module.id]] * 2, [row["inputs"]["modules"] for row in found])
        with self.db.reader() as session:
            names = [guest_command.get(session, row["inputs"]["command_id"]).name for row in found]
        self.assertEqual(["apply_modules", "remove_module"], names)

    def test_a_deleted_one_is_withdrawn_some_at_a_time(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.operations.modules.BATCH", 2))
        self.useFixture(fixtures.MonkeyPatch("trove.operations.modules._LISTED", 2))
        change = command.RemoveModule(id=self.module.id, type="ping")
        had_it = sorted(self.make() for _ in range(5))
        with self.work() as work:
            beats = [heartbeat.HeartbeatRecord(item, "healthy", clock.utcnow()) for item in had_it[:4]]
            heartbeat.record(work.session, beats)
        with self.work() as work:
            modules.withdraw(work, change, had_it)
            self.assertEqual((had_it[:2], 4), (work.deliveries, len(work.wakes)))
        rest = [row["inputs"]["instances"] for row in self.workflows(self.module.id)]
        self.assertCountEqual([had_it[2:4], had_it[4:]], rest)
        for told in rest:
            with self.work() as work:
                modules.withdraw(work, change, told)
        # The last one has not been heard of.
        self.assertEqual([1, 1, 1, 1, 0], [len(self.workflows(item)) for item in had_it])

    def test_again(self) -> None:
        other, without = self.make(), self.make()
        self.give(self.instance_id, other)
        with self.work() as work:
            modules.apply_again(work, self.module.id, [self.instance_id, other, without, "nothing"])
            self.assertEqual(sorted([self.instance_id, other]), work.deliveries)
        self.assertEqual((1, 1, 0), tuple(len(self.workflows(item)) for item in (self.instance_id, other, without)))

    def test_again_where_it_cannot_be_asked_for(self) -> None:
        """One of them must not keep the others from it, nor be asked again and again."""
        full, gone = self.make(), self.make()
        self.give(self.instance_id, full, gone)
        with self.work() as work:
            modules.apply(work, work.instance(full), [self.module])
            GuestIdentity.remove(work.session, gone)
        self.useFixture(fixtures.MonkeyPatch("trove.operations.submitting.MOST_EDITS", 1))
        with self.work() as work:
            modules.apply_again(work, self.module.id, [self.instance_id, full, gone])
        self.assertEqual(["PENDING", "ERROR", "ERROR"], [self.status(item) for item in (self.instance_id, full, gone)])

    def test_again_of_a_module_that_is_gone(self) -> None:
        with self.work() as work:
            modules.apply_again(work, "nothing", [self.instance_id])
            self.assertEqual([], work.deliveries)
