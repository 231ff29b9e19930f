# SPDX-License-Identifier: Apache-2.0
"""How the instances of a group come to its values: some in each transaction, the others by a workflow."""

import fixtures

from trove.domain import operations
from trove.objects.configuration import Configuration
from trove.objects.scope import Scope
from trove.operations import configurations, submitting
from trove.operations.work import Work
from trove.tests.unit.operations import case


class PushTest(case.OperationsCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch("trove.operations.configurations.BATCH", 2))
        with self.work() as work:
            version_id = self.instance(work).datastore_version_id
            group = Configuration(
                project_id="p", name="g", description=None, values={}, datastore_version_id=version_id
            )
            group.create(work.session, "me")
        self.group_id = group.id
        self.members = sorted(self.make(configuration_id=group.id) for _ in range(5))

    def locked(self, work: Work) -> Configuration:
        return Configuration.get(work.session, Scope.ALL, self.group_id, for_update=True)

    def configured(self) -> list[str]:
        """Return the instances that take the values over, sorted."""
        return sorted(
            item for item in self.members for row in self.workflows(item) if row["kind"] == "instance.configure"
        )

    def rests(self) -> list[dict[str, object]]:
        return [row["inputs"] for row in self.workflows(self.group_id)]

    def test_each_transaction_sees_to_some(self) -> None:
        with self.work() as work:
            configurations.push(work, self.locked(work))
            self.assertEqual(3, len(work.wakes))
        self.assertEqual(
            (self.members[:2], [{"after": self.members[1], "revision": 1}]), (self.configured(), self.rests())
        )
        for seen, left in ((4, 1), (5, 0)):
            with self.work() as work:
                before = len(self.rests())
                configurations.push_rest(work, self.group_id, self.rests()[-1])
            self.assertEqual((self.members[:seen], left), (self.configured(), len(self.rests()) - before))

    def test_no_more_than_one_batch_needs_no_workflow(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.operations.configurations.BATCH", 5))
        with self.work() as work:
            configurations.push(work, self.locked(work))
        self.assertEqual((self.members, []), (self.configured(), self.rests()))

    def test_a_later_change_overtakes(self) -> None:
        with self.work() as work:
            group = self.locked(work)
            configurations.push(work, group)
            group.change(work.session, {"values": {"work_mem": 64}}, "me")
        with self.work() as work:
            configurations.push_rest(work, self.group_id, self.rests()[-1])
        self.assertEqual(self.members[:2], self.configured())

    def test_a_group_that_is_gone(self) -> None:
        with self.work() as work:
            configurations.push_rest(work, "nothing", {"after": "", "revision": 1})
            self.assertEqual([], work.wakes)

    def refresh(self, instance_id: str) -> None:
        with self.work() as work:
            configurations.refresh(work, work.instance(instance_id))

    def test_an_idle_instance_is_moved_at_once(self) -> None:
        self.instance_id = self.members[0]
        self.refresh(self.instance_id)
        (row,) = self.workflows()
        self.assertEqual(("UPDATING", {"was": "ACTIVE"}), (self.row().status, row["inputs"]))

    def test_one_is_enough_behind_what_is_under_way(self) -> None:
        self.instance_id = self.members[0]
        with self.work() as work:
            instance = self.instance(work)
            instance.process_event(work.session, "restart")
            running = submitting.submit(work, operations.INSTANCE_RESTART, instance, {})
        for _ in range(3):
            self.refresh(self.instance_id)
        self.assertEqual(["instance.restart", "instance.configure"], [row["kind"] for row in self.workflows()])
        self.assertEqual((running, {}), tuple(self.workflows()[1][name] for name in ("after_id", "inputs")))

    def test_one_that_is_being_deleted_is_left_alone(self) -> None:
        self.instance_id = self.members[0]
        with self.work() as work:
            self.instance(work).process_event(work.session, "delete")
        self.refresh(self.instance_id)
        self.assertEqual([], self.workflows())
