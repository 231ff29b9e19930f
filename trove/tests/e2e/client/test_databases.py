# SPDX-License-Identifier: Apache-2.0
"""Databases, users and root through the client: on PostgreSQL, on MariaDB where users have hosts, refused by Redis."""

import json
from typing import Any

import psycopg2

from trove.tests.e2e import base
from trove.tests.e2e.client.base import ClientTestCase


class DatabaseCommandsTest(ClientTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.pg = self.world.instance("postgresql")

    def await_names(self, wanted: set[str], command: str, *words: str) -> Any:
        """Run a list until it has these names; what changes a database is carried out after its answer."""
        return base.wait_until(
            lambda: wanted <= {row["Name"] for row in self.ask(command, *words)}, f"{wanted} in {command}"
        )

    def test_databases(self) -> None:
        made = {f"paged-{number}" for number in range(3)}
        self.works("database db create", "postgresql", "paged-0", "--character_set", "UTF8", "--collate", "C")
        for name in sorted(made - {"paged-0"}):
            self.ask("database db create", self.pg, name)
        self.await_names(made | {"shop"}, "database db list", "postgresql")
        # Pages have two: the client asks again, by the marker only.
        listed = self.works("database db list", self.pg)
        self.assertLessEqual({"shop", *made}, {row["Name"] for row in listed})
        self.fails("database db create", "postgresql", "paged-1", says="already: 'paged-1'.", status=400)
        self.works("database db delete", "postgresql", "paged-0")
        for name in sorted(made - {"paged-0"}):
            self.ask("database db delete", self.pg, name)
        base.wait_until(
            lambda: not made & {row["Name"] for row in self.ask("database db list", self.pg)}, "they are gone"
        )
        self.fails("database db delete", "postgresql", "paged-1", says="Database 'paged-1' was not found", status=404)
        self.fails("database db list", "nowhere", says="No instance with a name or ID of 'nowhere' exists.")

    def test_users(self) -> None:
        made = {f"reader-{number}" for number in range(3)}
        self.works("database user create", "postgresql", "reader-0", "secret-0", "--databases", "shop")
        for name in sorted(made - {"reader-0"}):
            self.ask("database user create", self.pg, name, "secret-0")
        self.await_names(made, "database user list", self.pg)
        listed = self.works("database user list", self.pg)
        found = {row["Name"]: (row["Host"], row["Databases"]) for row in listed}
        self.assertEqual(("%", "shop"), found["reader-0"])
        self.assertEqual(("%", ""), found["reader-1"])

        self.assertEqual(
            {"name": "reader-0", "host": "%", "databases": [{"name": "shop"}]},
            self.works("database user show", "postgresql", "reader-0"),
        )
        self.fails("database user show", "postgresql", "nobody", says="User 'nobody' at host '%' was not", status=404)
        self.ask("database user update attributes", "postgresql", "reader-1", "--new_name", "writer.of%")
        self.await_names({"writer.of%"}, "database user list", self.pg)
        self.assertEqual("writer.of%", self.ask("database user show", self.pg, "writer.of%")["name"])
        self.ask("database user delete", self.pg, "writer.of%")

        shown = self.http.wait_active(self.pg)
        self.works("database user update attributes", "postgresql", "reader-0", "--new_password", "secret-1")
        base.wait_until(lambda: self.connects(shown, "shop", "reader-0", "secret-1"), "the password has changed")
        self.works("database user delete", "postgresql", "reader-0")
        for name in sorted(made - {"reader-0", "reader-1"}):
            self.ask("database user delete", self.pg, name)
        base.wait_until(
            lambda: not made & {row["Name"] for row in self.ask("database user list", self.pg)}, "they are gone"
        )
        self.assertFalse(self.connects(shown, "shop", "reader-0", "secret-1"))

    def test_access(self) -> None:
        self.ask("database db create", self.pg, "granted")
        self.ask("database user create", self.pg, "guest", "secret-2")
        shown = self.http.wait_active(self.pg)
        self.works("database user grant access", "postgresql", "guest", "granted", "shop")
        self.await_names({"granted", "shop"}, "database user show access", "postgresql", "guest")
        base.wait_until(lambda: self.connects(shown, "granted", "guest", "secret-2"), "access is granted")
        self.works("database user revoke access", "postgresql", "guest", "granted")
        base.wait_until(lambda: not self.connects(shown, "granted", "guest", "secret-2"), "access is revoked")
        self.assertEqual([{"Name": "shop"}], self.works("database user show access", "postgresql", "guest"))
        self.fails("database user grant access", self.pg, "guest", "nothing", says="'nothing'", status=400)
        self.ask("database user delete", self.pg, "guest")
        self.ask("database db delete", self.pg, "granted")

    def test_root(self) -> None:
        shown = self.http.wait_active(self.pg)
        self.assertFalse(self.ask("database root show", self.pg)["is_root_enabled"])
        root = self.works("database root enable", "postgresql")
        self.assertTrue(self.works("database root show", "postgresql")["is_root_enabled"])
        self.assertTrue(self.connects(shown, "postgres", root["name"], root["password"]))
        chosen = self.ask("database root enable", self.pg, "--root_password", "chosen-secret-3")
        self.assertEqual("chosen-secret-3", chosen["password"])
        base.wait_until(lambda: self.connects(shown, "postgres", "root", "chosen-secret-3"), "root's password is new")
        self.works("database root disable", "postgresql")
        base.wait_until(lambda: not self.connects(shown, "postgres", "root", "chosen-secret-3"), "root is locked out")
        self.fails("database root enable", "nowhere", says="No instance or cluster with a name or ID of 'nowhere'")

    def test_users_with_hosts(self) -> None:
        maria = self.world.instance("mariadb")
        self.ask("database db create", "mariadb", "texts", "--character_set", "utf8mb4", "--collate", "utf8mb4_bin")
        self.await_names({"texts"}, "database db list", "mariadb")
        self.ask("database user create", "mariadb", "a.b", "secret-4", "--host", "10.0.0.%", "--databases", "texts")
        self.await_names({"a.b"}, "database user list", maria)
        at_host = ("a.b", "--host", "10.0.0.%")
        expected = {"name": "a.b", "host": "10.0.0.%", "databases": [{"name": "texts"}]}
        self.assertEqual(expected, self.ask("database user show", "mariadb", *at_host))
        self.fails("database user show", "mariadb", "a.b", says="User 'a.b' at host '%' was not found", status=404)
        self.ask("database user grant access", "mariadb", "a.b", "shop", "--host", "10.0.0.%")
        self.await_names({"shop"}, "database user show access", "mariadb", *at_host)
        self.ask("database user update attributes", "mariadb", *at_host, "--new_host", "10.1.0.%")
        base.wait_until(lambda: "10.1.0.%" in json.dumps(self.ask("database user list", maria)), "the host has changed")
        self.ask("database user delete", "mariadb", "a.b", "--host", "10.1.0.%")
        self.ask("database db delete", "mariadb", "texts")
        base.wait_until(lambda: "texts" not in json.dumps(self.ask("database db list", maria)), "it is gone")

    def test_an_engine_without_databases(self) -> None:
        self.world.instance("redis")
        says = "The datastore 'redis' does not have the capability 'databases'."
        self.assertEqual([], self.ask("database db list", "redis"))
        self.fails("database db create", "redis", "shop", says=says, status=501)
        self.fails("database db delete", "redis", "shop", says=says, status=501)
        self.ask("database user create", "redis", "reader", "secret-5")
        self.await_names({"reader"}, "database user list", "redis")
        self.ask("database user delete", "redis", "reader")

    def connects(self, shown: dict[str, Any], database: str, user: str, password: str) -> bool:
        """Tell whether somebody can connect."""
        try:
            self.connect(shown, database, user, password).close()
        except psycopg2.OperationalError:
            return False
        return True
