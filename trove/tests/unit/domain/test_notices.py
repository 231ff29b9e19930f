# SPDX-License-Identifier: Apache-2.0
"""What billing and auditing systems read."""

from typing import Any

from trove.domain import notices
from trove.tests import base


class NoticesTest(base.UnitTestCase):
    def row(self, **columns: Any) -> dict[str, Any]:
        return {
            "id": "i", "name": "db", "created_at": "c", "launched_at": "l", "flavor_id": "f", "server_id": "s",
            "region": "r", "status": "RESTART_REQUIRED", "project_id": "p", "user_id": "u", "manager": "mysql",
            **columns,
        }  # fmt: skip

    def test_names(self) -> None:
        self.assertEqual("dbaas.instance_create.start", notices.event_type("instance_create", notices.START))
        self.assertEqual("dbaas.instance_create.error", notices.event_type("instance_create", notices.ERROR))
        self.assertEqual({"message": "m", "exception": "a.b"}, notices.error_members("a.b", "m"))

    def test_usage(self) -> None:
        told = notices.usage(self.row(), {"mysql": "billed"})
        self.assertEqual(("billed", "l"), (told["service_id"], told["launched_at"]))
        self.assertEqual(("restart_required",) * 2, (told["state"], told["state_description"]))
        self.assertEqual(("p", "i", "s"), (told["tenant_id"], told["instance_id"], told["nova_instance_id"]))

    def test_an_instance_that_was_not_launched_and_a_datastore_that_is_not_billed(self) -> None:
        told = notices.usage(self.row(launched_at=None), {"postgresql": "billed"})
        self.assertEqual(("c", "unknown-service-id-error"), (told["launched_at"], told["service_id"]))
