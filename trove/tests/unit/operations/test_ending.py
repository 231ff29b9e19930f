# SPDX-License-Identifier: Apache-2.0
"""What an end gives back, by whatever it ends."""

from trove.domain import operations
from trove.objects import errors, instance_module, secret
from trove.operations import ending
from trove.operations.accepted import Accepted
from trove.tests.fixtures.rows import make_module
from trove.tests.unit.operations import case
from trove.workflow.listing import OperationNotFound
from trove.workflow.model import Failed

BROKEN = Failed("engine.broken", "It said password=hunter2", "token: hunter2")
SIZES = {"size_gib": 5, "old_size_gib": 2}


class EndingTest(case.OperationsCase):
    def test_by_force(self) -> None:
        workflow_id = self.submit(operations.INSTANCE_RESIZE_VOLUME, **SIZES)
        with self.work() as work:
            self.assertTrue(ending.abandon(work, workflow_id, BROKEN))
            self.assertFalse(ending.abandon(work, workflow_id, BROKEN))
            self.assertRaises(OperationNotFound, ending.abandon, work, "nothing", BROKEN)
        row = self.workflow(workflow_id)
        self.assertEqual(
            ("REVERTED", "engine.broken", "It said password=***"),
            (row["state"], row["error_symbol"], row["error_message"]),
        )
        self.assertEqual(2, self.used()["volumes"])
        self.assertEqual(
            ["dbaas.instance_resize_volume.start", "dbaas.instance_resize_volume.error"],
            [name for name, _ in self.notified()],
        )
        self.assertNotIn("hunter2", str(self.notified()))

    def test_by_a_wish(self) -> None:
        workflow_id = self.submit(operations.INSTANCE_RESTART)
        with self.work() as work:
            self.assertEqual([True, False], [ending.cancel(work, workflow_id) for _ in range(2)])
            self.assertIn(workflow_id, work.wakes)
        self.assertIsNotNone(self.workflow(workflow_id)["cancel_requested_at"])

    def test_by_force_for_another_reason(self) -> None:
        workflow_id = self.submit(operations.INSTANCE_RESTART)
        with self.work() as work:
            ending.abandon(work, workflow_id, ending.superseded("a deletion"), cause=BROKEN)
        self.assertEqual(ending.SUPERSEDED, self.workflow(workflow_id)["error_symbol"])
        self.assertEqual("engine.broken", self.notified()[-1][1]["exception"])

    def test_a_creation_leaves_no_secret_and_no_module_in_doubt(self) -> None:
        with self.work() as work:
            module = make_module(work.session)
            instance_module.begin(work.session, self.instance_id, [module], work.now())
            secret_id = secret.put(work.session, self.instance_id, "users", [{"name": "u"}])
        accepted = Accepted("instance.create", self.instance_id, {"users_secret": secret_id})
        with self.work() as work:
            ending.fail(work, accepted, BROKEN)
        with self.work() as work:
            self.assertEqual([], instance_module.pending(work.session, self.instance_id))
            self.assertRaises(errors.SecretNotFound, secret.get, work.session, secret_id)
        self.assertEqual(1, self.used()["instances"])

    def test_a_success(self) -> None:
        old, new = ({"flavor_id": str(mib), "ram_mib": mib} for mib in (512, 256))
        accepted = Accepted("instance.resize_flavor", self.instance_id, {"old": old, "new": new})
        with self.work() as work:
            ending.succeed(work, accepted)
        self.assertEqual(256, self.used()["ram"])
        self.assertEqual([], self.notified())  # nothing was started
