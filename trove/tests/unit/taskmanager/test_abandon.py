# SPDX-License-Identifier: Apache-2.0
"""Workflows that an operator ends by force."""

from trove.domain import operations
from trove.taskmanager.abandon import abandon
from trove.tests.unit.operations import case
from trove.workflow.listing import OperationNotFound
from trove.workflow.model import Failed

ABORTED = Failed("workflow.aborted", "The operation was ended by the operator.", "by force")


class AbandonTest(case.OperationsCase):
    def abandon(self, workflow_id: str) -> bool:
        with self.work() as work:
            return abandon(work, workflow_id, ABORTED)

    def test_the_instance_leaves_its_state_and_quota_comes_back_once(self) -> None:
        workflow_id = self.submit(operations.INSTANCE_RESIZE_VOLUME, "resize", size_gib=5, old_size_gib=2)
        self.assertEqual([True, False], [self.abandon(workflow_id) for _ in range(2)])
        row = self.row()
        self.assertEqual(("ACTIVE", "workflow.aborted", 2), (row.status, row.fault_symbol, self.used()["volumes"]))
        errors = [name for name, _ in self.notified() if name.endswith(".error")]
        self.assertEqual(["dbaas.instance_resize_volume.error"], errors)

    def test_changes_of_modules(self) -> None:
        """Their hooks ask the database for the time, which a command line has as well."""
        for kind in (operations.MODULE_APPLY, operations.MODULE_REMOVE):
            workflow_id = self.submit(kind, modules=["m"], command_id="c")
            self.assertTrue(self.abandon(workflow_id))
            self.assertEqual("REVERTED", self.workflow(workflow_id)["state"])

    def test_what_waits_goes_on(self) -> None:
        first = self.submit(operations.INSTANCE_CONFIGURE, "update", was="RESTART_REQUIRED")
        second = self.submit(operations.INSTANCE_CONFIGURE)
        self.abandon(first)
        self.assertEqual((second, "UPDATING"), (self.holder(), self.row().status))
        self.assertEqual("RESTART_REQUIRED", self.workflow(second)["inputs"]["was"])

    def test_of_another_release(self) -> None:
        workflow_id = self.submit(operations.INSTANCE_RESTART, "restart")
        self.put(workflow_id, kind_version=99)
        self.assertTrue(self.abandon(workflow_id))
        self.assertEqual("REBOOT", self.row().status)

    def test_none_at_all(self) -> None:
        self.assertRaises(OperationNotFound, self.abandon, "nothing")
