# SPDX-License-Identifier: Apache-2.0
"""Whether the database of an instance can take a change now."""

import datetime

from trove.common import clock
from trove.domain import instance_states
from trove.objects import heartbeat
from trove.operations import readiness
from trove.tests.unit.operations import case


class ReadinessTest(case.OperationsCase):
    def judge(self, status: str, service_status: str, age: float = 0.0) -> tuple[str, bool]:
        now = clock.utcnow()
        with self.work() as work:
            seen = now - datetime.timedelta(seconds=age)
            heartbeat.record(work.session, [heartbeat.HeartbeatRecord(self.instance_id, service_status, seen)])
        row = self.row()._replace(status=status, service_status=service_status, reported_at=seen, read_at=now)
        return readiness.operating_status(self.conf, row), readiness.is_usable(self.conf, row)

    def test_statuses_that_existing_clients_take_for_idle(self) -> None:
        for status in (instance_states.ACTIVE, instance_states.RESTART_REQUIRED, instance_states.UPDATING):
            self.assertEqual(("HEALTHY", True), self.judge(status, "healthy"))
        for status in (instance_states.BUILD, instance_states.REBOOT, instance_states.RESIZE, instance_states.SHUTDOWN):
            self.assertEqual(("", False), self.judge(status, "healthy"))

    def test_what_the_guest_says(self) -> None:
        self.assertEqual(("BLOCKED", False), self.judge(instance_states.ACTIVE, "blocked"))
        expiry = self.conf.guest_bus.agent_heartbeat_expiry
        self.assertEqual(("ERROR", False), self.judge(instance_states.ACTIVE, "healthy", age=expiry + 1))
