# SPDX-License-Identifier: Apache-2.0
"""The life of one PostgreSQL instance, through the ordinary client, on one host."""

import json

import psycopg2

from trove.tests.e2e import base


class StoryTest(base.EndToEndTestCase):
    def test_life_of_an_instance(self) -> None:
        service = self.standalone()
        client = service.client

        made = client.run(
            "instance", "create", "orders", "--flavor", "db.tiny", "--size", "1", "--datastore", "postgresql",
            "--databases", "shop", "--users", "app:pa'ss\"w; o\\rd",
        )  # fmt: skip
        self.assertEqual("BUILD", made["status"])
        shown = client.wait_active(made["id"])
        self.assertEqual(["shop"], [row["Name"] for row in client.run("db", "list", "orders")])
        self.assertEqual([("app", "shop")], [(r["Name"], r["Databases"]) for r in client.run("user", "list", "orders")])

        app = self.connect(shown, "shop", "app", "pa'ss\"w; o\\rd")
        self.rows(app, "create table t (n int)")
        self.rows(app, "insert into t select generate_series(1, 1000)")

        self._check_databases_and_users(client, made["id"])
        self._check_root(client, made["id"])

        client.run("instance", "restart", "orders", json_output=False)
        shown = client.wait_active(made["id"])
        app = self.connect(shown, "shop", "app", "pa'ss\"w; o\\rd")
        self.assertEqual([(1000,)], self.rows(app, "select count(*) from t"))

        before = self.rows(app, "show shared_buffers")
        client.run("instance", "resize", "flavor", "orders", "db.medium", json_output=False)
        shown = client.wait_active(made["id"])
        self.assertEqual("3", shown["flavor"]["id"])
        app = self.connect(shown, "shop", "app", "pa'ss\"w; o\\rd")
        self.assertNotEqual(before, self.rows(app, "show shared_buffers"))

        client.run("instance", "resize", "volume", "orders", "2", json_output=False)
        shown = client.wait_active(made["id"])
        self.assertEqual(2, shown["volume"]["size"])
        self.assertEqual([(1000,)], self.rows(app, "select count(*) from t"))

        client.run("instance", "update", "orders", "--name", "renamed", json_output=False)
        self.assertEqual("renamed", client.run("instance", "show", made["id"])["name"])

        operations = client.call("GET", f"/instances/{made['id']}/operations", version="1.1").json()["operations"]
        self.assertLessEqual(
            {"instance.create", "instance.restart", "instance.resize_flavor", "instance.resize_volume", "root.enable"},
            {item["kind"] for item in operations},
        )
        self.assertEqual({"SUCCEEDED"}, {item["state"] for item in operations})
        self.assertEqual({100}, {item["progress"] for item in operations})

        client.run("instance", "delete", "renamed", json_output=False)
        client.wait_gone(made["id"])
        self.assertEqual([], client.run("instance", "list"))
        self.assertEqual([], list((service.layout.guests / "servers").iterdir()))
        self.assertEqual([], list((service.layout.guests / "volumes").iterdir()))
        secrets = ["pa'ss", service.layout.settings().password]
        for line in service.layout.log.read_text().splitlines():
            self.assertFalse([s for s in secrets if s in line], line)

    def _check_databases_and_users(self, client: base.Client, instance_id: str) -> None:
        client.run("db", "create", "orders", 'we"ird; name', json_output=False)
        client.run("db", "create", "orders", "second", json_output=False)
        client.run("user", "create", "orders", "reader", "secret-1", "--databases", "second", json_output=False)
        base.wait_until(
            lambda: {r["Name"] for r in client.run("user", "list", "orders")} == {"app", "reader"}, "the user is listed"
        )
        self.assertEqual(
            {"shop", "second", 'we"ird; name'}, {row["Name"] for row in client.run("db", "list", "orders")}
        )
        shown = client.wait_active(instance_id)
        reader = self.connect(shown, "second", "reader", "secret-1")
        self.rows(reader, "create table own (n int)")
        self.assertRaises(psycopg2.OperationalError, self.connect, shown, "shop", "reader", "secret-1")

        client.run("user", "grant", "access", "orders", "reader", "shop", json_output=False)
        base.wait_until(
            lambda: {r["Name"] for r in client.run("user", "show", "access", "orders", "reader")} == {"shop", "second"},
            "access is granted",
        )
        self.connect(shown, "shop", "reader", "secret-1")
        client.run("user", "revoke", "access", "orders", "reader", "shop", json_output=False)
        base.wait_until(
            lambda: {r["Name"] for r in client.run("user", "show", "access", "orders", "reader")} == {"second"},
            "access is revoked",
        )
        self.assertRaises(psycopg2.OperationalError, self.connect, shown, "shop", "reader", "secret-1")

        error = self.assertRaises(base.ClientError, client.run, "db", "create", "orders", "second", json_output=False)
        self.assertIn("HTTP 400", error.text)
        error = self.assertRaises(base.ClientError, client.run, "user", "delete", "orders", "nobody", json_output=False)
        self.assertIn("HTTP 404", error.text)
        client.run("user", "update", "attributes", "orders", "reader", "--new_password", "secret-2", json_output=False)
        base.wait_until(lambda: self._connects(shown, "second", "reader", "secret-2"), "the password has changed")
        client.run("user", "delete", "orders", "reader", json_output=False)
        base.wait_until(
            lambda: {r["Name"] for r in client.run("user", "list", "orders")} == {"app"}, "the user is gone"
        )
        client.run("db", "delete", "orders", "second", json_output=False)
        base.wait_until(
            lambda: "second" not in json.dumps(client.run("db", "list", "orders")), "the database is gone"
        )

    def _check_root(self, client: base.Client, instance_id: str) -> None:
        shown = client.wait_active(instance_id)
        self.assertFalse(client.run("root", "show", "orders")["is_root_enabled"])
        root = client.run("root", "enable", "orders")
        self.assertTrue(client.run("root", "show", "orders")["is_root_enabled"])
        connection = self.connect(shown, "shop", root["name"], root["password"])
        self.rows(connection, "create database made_by_root")
        client.run("root", "disable", "orders", json_output=False)
        base.wait_until(
            lambda: not self._connects(shown, "shop", root["name"], root["password"]), "root cannot log in any more"
        )

    def _connects(self, shown: dict[str, object], database: str, user: str, password: str) -> bool:
        try:
            self.connect(shown, database, user, password)
        except psycopg2.OperationalError:
            return False
        return True
