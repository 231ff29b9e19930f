# SPDX-License-Identifier: Apache-2.0
"""What was accepted, as those see it who end it."""

from trove.domain import operations
from trove.operations import submitting
from trove.operations.accepted import Accepted
from trove.tests.unit.operations import case


class AcceptedTest(case.OperationsCase):
    def test_a_row(self) -> None:
        inputs = {"log": "general", "enabled": True, "discard": False, "publish": False, "manager": "mysql"}
        with self.work() as work:
            workflow_id = submitting.submit(work, operations.LOG_CHANGE, self.instance(work), inputs)
        found = Accepted.of_row(self.workflow(workflow_id))
        self.assertEqual(Accepted("log.change", self.instance_id, inputs), found)
