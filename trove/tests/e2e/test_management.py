# SPDX-License-Identifier: Apache-2.0
"""What operators do to a real instance on one host, through the ordinary client where it has a command."""

from typing import Any

import psycopg2

from trove.tests.e2e import base, test_survival


class ManagementTest(base.EndToEndTestCase):
    def test_stop_and_reboot_keep_the_data(self) -> None:
        service = self.standalone()
        client = service.client
        made = client.run(
            "instance", "create", "orders", "--flavor", "db.tiny", "--size", "1", "--datastore", "postgresql",
            "--databases", "shop", "--users", "app:secret-1",
        )  # fmt: skip
        shown = client.wait_active(made["id"])
        app = self.connect(shown, "shop", "app", "secret-1")
        self.rows(app, "create table t as select generate_series(1, 1000) as n")

        self.act(client, made["id"], {"stop": {}})
        base.wait_until(lambda: self.operating(client, made["id"]) == "SHUTDOWN", "the database is stopped")
        self.assertRaises(psycopg2.OperationalError, self.connect, shown, "shop", "app", "secret-1")
        client.run("instance", "restart", "orders", json_output=False)
        self.check_data(client.wait_active(made["id"]))

        before = test_survival.agent_pid(service, made["id"])
        client.run("instance", "reboot", made["id"], json_output=False)
        base.wait_until(lambda: self.ended(client, made["id"], "instance.reboot"), "the reboot has ended")
        self.check_data(client.wait_active(made["id"]))
        self.assertFalse(base.alive(before))
        self.assertTrue(base.alive(test_survival.agent_pid(service, made["id"])))

        refused = self.act(client, made["id"], {"migrate": {}}, status=501)
        self.assertIn("migrate-server", refused.text)
        self.check_lists_and_quotas(client, made["id"])

    def check_lists_and_quotas(self, client: base.Client, instance_id: str) -> None:
        (listed,) = client.run("instance", "list", "--all-projects")
        self.assertEqual((instance_id, "orders"), (listed["ID"], listed["Name"]))
        shown = client.call("GET", f"/mgmt/instances/{instance_id}").json()["instance"]
        self.assertEqual((instance_id, False), (shown["server"]["id"], shown["deleted"]))
        self.assertEqual(204, client.call("GET", f"/mgmt/instances/{instance_id}/rpc_ping").status_code)
        project = shown["tenant_id"]
        client.run("quota", "update", project, "instances", "1", json_output=False)
        found = {row["Resource"]: (row["In Use"], row["Limit"]) for row in client.run("quota", "show", project)}
        self.assertEqual((1, 1), found["instances"])
        error = self.assertRaises(
            base.ClientError, client.run, "instance", "create", "more", "--flavor", "db.tiny", "--size", "1",
            "--datastore", "postgresql",
        )  # fmt: skip
        self.assertIn("limit 1", error.text)

    def act(self, client: base.Client, instance_id: str, action: Any, status: int = 202) -> Any:
        """Run a management action."""
        answer = client.call("POST", f"/mgmt/instances/{instance_id}/action", action)
        self.assertEqual(status, answer.status_code, answer.text)
        return answer

    @staticmethod
    def operating(client: base.Client, instance_id: str) -> str:
        """Return the operating status."""
        shown = client.instance(instance_id)
        assert shown is not None
        return str(shown["operating_status"])

    @staticmethod
    def ended(client: base.Client, instance_id: str, kind: str) -> bool:
        """Tell whether the operation of ``kind`` has succeeded."""
        found = client.call("GET", f"/instances/{instance_id}/operations", version="1.1").json()["operations"]
        return [item["state"] for item in found if item["kind"] == kind] == ["SUCCEEDED"]

    def check_data(self, shown: dict[str, Any]) -> None:
        """Check that what was written is there."""
        app = self.connect(shown, "shop", "app", "secret-1")
        self.assertEqual([(1000,)], self.rows(app, "select count(*) from t"))
