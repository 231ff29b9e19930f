# SPDX-License-Identifier: Apache-2.0
"""Instances through the client, from creation to deletion, on a real PostgreSQL; quotas."""

from typing import Any

from trove.tests.e2e import base
from trove.tests.e2e.client.base import ClientTestCase

_NOTHING = "00000000-0000-0000-0000-000000000000"
_ORDERS = ("orders", "--flavor", "db.tiny", "--size", "1", "--datastore", "postgresql")


class InstanceCommandsTest(ClientTestCase):
    def settled(self, instance_id: str, kind: str) -> dict[str, Any]:
        """Wait until an operation has succeeded and return the instance."""

        def ended() -> bool:
            found = self.http.call("GET", f"/instances/{instance_id}/operations", version="1.1").json()["operations"]
            states = [item["state"] for item in found if item["kind"] == kind]
            self.assertNotIn("FAILED", states, found)
            return states == ["SUCCEEDED"]

        base.wait_until(ended, f"{kind} has succeeded")
        return self.http.wait_active(instance_id)

    def test_life_of_an_instance(self) -> None:
        made = self.works("database instance create", *_ORDERS, "--databases", "shop", "--users", "app:secret-1")
        self.assertEqual(("BUILD", "orders", 1), (made["status"], made["name"], made["volume"]))
        instance_id = made["id"]
        shown = self.http.wait_active(instance_id)
        app = self.connect(shown, "shop", "app", "secret-1")
        self.rows(app, "create table t as select generate_series(1, 1000) as n")

        by_name, by_id = (self.ask("database instance show", key) for key in ("orders", instance_id))
        self.assertEqual((by_name["id"], by_name["status"]), (by_id["id"], by_id["status"]))
        self.assertEqual(("ACTIVE", "HEALTHY"), (by_id["status"], by_id["operating_status"]))
        self.assertEqual(shown["ip"][0], self.works("database instance show", "orders")["ip"])

        self.works("database instance restart", "orders")
        self.settled(instance_id, "instance.restart")
        self.works("database instance resize flavor", "orders", "db.small")
        self.assertEqual("2", self.settled(instance_id, "instance.resize_flavor")["flavor"]["id"])
        self.works("database instance resize volume", "orders", "2")
        self.assertEqual(2, self.settled(instance_id, "instance.resize_volume")["volume"]["size"])
        self.fails("database instance resize volume", "orders", "1", says="more than the present 2 GB", status=400)
        self.works("database instance reboot", instance_id)
        shown = self.settled(instance_id, "instance.reboot")
        app = self.connect(shown, "shop", "app", "secret-1")
        self.assertEqual([(1000,)], self.rows(app, "select count(*) from t"))

        self.works("database instance update", "orders", "--name", "renamed", "--is-private")
        self.assertEqual("renamed", self.ask("database instance show", instance_id)["name"])
        self.fails("database instance update", "renamed", "--name", "again", "--allowed-cidr", "127.0.0.0/8",
                   says="'access.allowed_cidrs' needs the capability 'access-rules'", status=501)  # fmt: skip
        self.fails("database instance show", "orders", says="No instance with a name or ID of 'orders' exists.")
        self.works("database instance delete", "renamed")
        self.http.wait_gone(instance_id)

    def test_force(self) -> None:
        doomed = self.world.request_instance("doomed", "redis")
        self.works("database instance force delete", "doomed")
        self.http.wait_gone(doomed)
        stuck = self.world.request_instance("stuck", "redis")
        self.http.wait_active(stuck)
        self.works("database instance reset status", "stuck")
        self.ask("database instance delete", "--force", stuck)
        self.http.wait_gone(stuck)

    def test_lists(self) -> None:
        ids = {self.world.instance("postgresql"), self.world.instance("mariadb")}
        listed = {row["ID"]: row for row in self.works("database instance list")}
        self.assertLessEqual(ids, set(listed))
        row = listed[self.world.instance("postgresql")]
        self.assertEqual(("postgresql", "postgresql", "ACTIVE", "HEALTHY", 1, ""), tuple(row[key] for key in (
            "Name", "Datastore", "Status", "Operating Status", "Size", "Role")))  # fmt: skip
        first = self.ask("database instance list", "--limit", "1")
        second = self.ask("database instance list", "--limit", "1", "--marker", first[0]["ID"])
        self.assertEqual((1, 1), (len(first), len(second)))
        self.assertNotEqual(first, second)
        everywhere = self.ask("database instance list", "--all-projects", "--include-clustered")
        self.assertLessEqual(ids, {row["ID"] for row in everywhere})
        self.assertEqual(("GET /mgmt/instances: 200",), self.last.calls)
        project = self.http.endpoint.rpartition("/")[2]
        self.assertEqual({project}, {row["Tenant ID"] for row in everywhere})
        self.assertEqual([], self.ask("database instance list", "--project-id", _NOTHING))

    def test_refused_creations(self) -> None:
        before = self.ask("database instance list")
        create = ("database instance create", "refused", "--flavor", "db.tiny")
        self.fails(*create, "--size", "1", "--datastore", "nothing", says="'nothing' was not found", status=404)
        self.fails(*create, "--size", "0", says="Volume size '0' must be an integer and greater than 0.")
        self.fails(*create, "--size", "1", "--datastore", "postgresql", "--configuration", _NOTHING,
                   says=f"Configuration group {_NOTHING} was not found", status=404)  # fmt: skip
        self.fails(*create, "--size", "1", "--datastore", "redis", "--databases", "shop",
                   says="does not have the capability 'databases'", status=501)  # fmt: skip
        unknown = ("database instance create", "refused", "--flavor", "nothing", "--size", "1")
        self.fails(*unknown, says="No flavor with a name or ID of 'nothing' exists.")
        self.fails("database instance delete", "nothing", says="Failed to get database instance nothing, error: 404")
        self.fails("database instance delete", _NOTHING, says=f"Instance {_NOTHING} was not found", status=None)
        self.assertEqual(before, self.ask("database instance list"))

    def test_quotas(self) -> None:
        self.world.instance("postgresql")
        project = self.http.endpoint.rpartition("/")[2]
        before = {row["Resource"]: row for row in self.works("database quota show", project)}
        self.assertLessEqual(1, before["instances"]["In Use"])
        self.assertEqual(1, len({row["Resource"] for row in before.values()} & {"volumes"}))
        changed = self.works("database quota update", project, "instances", "1")
        self.assertEqual({"instances": 1}, changed)
        self.addCleanup(self.ask, "database quota update", project, "instances", str(before["instances"]["Limit"]))
        self.fails("database instance create", *_ORDERS, says="limit 1")
        self.fails("database quota update", project, "nothing", "1", says="There is no quota of 'nothing'", status=404)
