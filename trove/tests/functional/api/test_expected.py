# SPDX-License-Identifier: Apache-2.0
"""A client reads its writes: what was accepted and is not done counts for what follows; lists show what is there."""

from typing import Any

import fixtures
import testscenarios

from trove.objects import guest_command
from trove.tests.fixtures.databases import DIALECTS
from trove.tests.functional.api import test_races, world

PASSWORD = "s3cret-Pa55word"


class ExpectedTest(world.InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.instance_id = self.active(databases=[{"name": "shop"}])
        self.path = f"/instances/{self.instance_id}"
        self.useFixture(fixtures.MonkeyPatch("trove.api.waiting.SECONDS", 0.01))

    def send(self, method: str, path: str, body: Any = None, status: int = 202) -> str:
        """Send a request while nothing goes on; return the symbol of a refusal."""
        if status == 202:
            self.call(method, self.path + path, body, status=status)
            return ""
        before = self.everything()
        document = self.call(method, self.path + path, body, status=status, version="1.2").json
        self.assertEqual(before, self.everything())
        (fault,) = document.values()
        return str(fault["symbol"])

    def make_database(self, name: str, status: int = 202) -> str:
        return self.send("POST", "/databases", {"databases": [{"name": name}]}, status)

    def user(self, name: str, *databases: str, status: int = 202) -> str:
        user = {"name": name, "password": PASSWORD, "databases": [{"name": item} for item in databases]}
        return self.send("POST", "/users", {"users": [user]}, status)

    def shown(self, path: str, status: int = 200) -> Any:
        return self.call("GET", self.path + path, status=status).json

    @property
    def engine(self) -> Any:
        return self.guests.engines[self.instance_id]

    def all_succeed(self) -> None:
        self.settle()
        self.assertEqual({"SUCCEEDED"}, {row["state"] for row in self.workflows(self.instance_id)})

    def test_one_after_the_other(self) -> None:
        self.make_database("orders")
        self.user("app", "orders")
        self.send("PUT", "/users/app/databases", {"databases": [{"name": "shop"}]})
        self.send("DELETE", "/users/app/databases/orders")
        self.send("PUT", "/users/app", {"user": {"name": "web", "password": "other"}})
        self.send("PUT", "/users", {"users": [{"name": "web", "password": "third"}]})
        self.send("PUT", "/users/web/databases", {"databases": [{"name": "orders"}]})
        self.all_succeed()
        self.assertEqual({("web", "%"): ["shop", "orders"]}, self.engine.users)
        self.assertEqual({("web", "%"): "third"}, self.engine.passwords)

    def test_lists_show_what_is_there(self) -> None:
        self.make_database("orders")
        self.user("app")
        self.send("DELETE", "/databases/shop")
        self.assertEqual(["shop"], [item["name"] for item in self.shown("/databases")["databases"]])
        self.assertEqual([], self.shown("/users")["users"])
        for path in ("/databases/orders", "/users/app", "/users/app/databases"):
            self.shown(path, 404)
        self.all_succeed()
        self.assertEqual(["orders"], [item["name"] for item in self.shown("/databases")["databases"]])
        self.assertEqual(["app"], [item["name"] for item in self.shown("/users")["users"]])

    def test_twice_is_refused(self) -> None:
        self.make_database("orders")
        self.assertEqual("database.exists", self.make_database("orders", 400))
        self.user("app")
        self.assertEqual("user.exists", self.user("app", status=400))
        self.user("other")
        moved = {"user": {"name": "other"}}
        self.assertEqual("user.exists", self.send("PUT", "/users/app", moved, 400))
        self.all_succeed()

    def test_what_is_on_its_way_out_is_gone(self) -> None:
        self.user("app", "shop")
        self.send("DELETE", "/users/app")
        for method, path, body in (
            ("DELETE", "/users/app", None),
            ("PUT", "/users/app", {"user": {"password": "x"}}),
            ("PUT", "/users/app/databases", {"databases": [{"name": "shop"}]}),
            ("PUT", "/users", {"users": [{"name": "app", "password": "x"}]}),
        ):
            self.assertEqual("user.not_found", self.send(method, path, body, 404))
        self.send("DELETE", "/databases/shop")
        self.assertEqual("database.not_found", self.send("DELETE", "/databases/shop", status=404))
        self.assertEqual("request.validation", self.user("new", "shop", status=400))
        self.make_database("shop")
        self.user("app", "shop")
        self.all_succeed()
        self.assertEqual({("app", "%"): ["shop"]}, self.engine.users)

    def test_a_renamed_user_has_its_new_name_only(self) -> None:
        self.user("a")
        self.send("PUT", "/users/a", {"user": {"name": "b"}})
        self.assertEqual("user.not_found", self.send("DELETE", "/users/a", status=404))
        self.user("a")
        self.send("DELETE", "/users/b")
        self.all_succeed()
        self.assertEqual([("a", "%")], list(self.engine.users))

    def test_what_fails_is_expected_no_more(self) -> None:
        self.guests.failures["create_databases"] = ("database.create_failed", "There is no room.")
        self.make_database("orders")
        self.settle()
        self.assertEqual("request.validation", self.user("app", "orders", status=400))
        self.make_database("orders")
        self.user("app", "orders")
        self.settle()
        self.assertEqual({("app", "%"): ["orders"]}, self.engine.users)

    def test_a_bound(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.operations.submitting.MOST_EDITS", 3))
        for name in "abc":
            self.make_database(name)
        self.assertEqual("instance.queue_full", self.make_database("d", 422))
        self.all_succeed()
        self.make_database("d")

    def test_many_at_once(self) -> None:
        """All of two hundred quick deletions are carried out, and reported so."""
        names = [f"d{number:03}" for number in range(200)]
        self.send("POST", "/databases", {"databases": [{"name": name} for name in names]})
        for name in names:
            self.send("DELETE", f"/databases/{name}")
        with self.db.reader() as session:
            self.assertEqual(201, guest_command.count_unfinished(session, self.instance_id))
        self.settle()
        self.all_succeed()
        self.assertEqual(["shop"], list(self.engine.databases))


class ExpectedRacesTest(testscenarios.WithScenarios, test_races.RacingTestCase):
    scenarios = [(dialect, {"dialect": dialect}) for dialect in DIALECTS]

    def test_the_same_thing_is_accepted_once(self) -> None:
        path = f"/instances/{self.active()}"
        databases = ("POST", f"{path}/databases", {"databases": [{"name": "x"}]})
        self.assertEqual({202: 1, 400: 4}, self.at_once(*[databases] * 5))
        users = ("POST", f"{path}/users", {"users": [{"name": "u", "password": "p", "databases": [{"name": "x"}]}]})
        self.assertEqual({202: 1, 400: 4}, self.at_once(*[users] * 5))
