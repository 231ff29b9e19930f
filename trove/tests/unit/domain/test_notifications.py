# SPDX-License-Identifier: Apache-2.0
"""What billing and auditing systems read."""

from typing import Any

from trove.domain import notifications
from trove.tests import base


class NotificationsTest(base.UnitTestCase):
    def row(self, **columns: Any) -> dict[str, Any]:
        return {
            "id": "i", "name": "db", "created_at": "c", "launched_at": "l", "flavor_id": "f", "server_id": "s",
            "region": "r", "status": "RESTART_REQUIRED", "project_id": "p", "user_id": "u", "manager": "mysql",
            **columns,
        }  # fmt: skip

    def test_names(self) -> None:
        for phase in (notifications.START, notifications.END, notifications.ERROR):
            self.assertEqual(f"dbaas.instance_create.{phase}", notifications.event_type("instance_create", phase))
        self.assertEqual({"message": "m", "exception": "a.b"}, notifications.error_members("a.b", "m"))

    def test_usage(self) -> None:
        told = notifications.usage(self.row(), {"mysql": "billed"})
        self.assertEqual(("billed", "l"), (told["service_id"], told["launched_at"]))
        self.assertEqual(("restart_required",) * 2, (told["state"], told["state_description"]))
        self.assertEqual(("p", "i", "s"), (told["tenant_id"], told["instance_id"], told["nova_instance_id"]))

    def test_an_instance_that_was_not_launched_and_a_datastore_that_is_not_billed(self) -> None:
        told = notifications.usage(self.row(launched_at=None), {"postgresql": "billed"})
        self.assertEqual(("c", "unknown-service-id-error"), (told["launched_at"], told["service_id"]))
