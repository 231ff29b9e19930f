# SPDX-License-Identifier: Apache-2.0
# covers: trove/api/requests/data.py
"""Databases, users and access inside an instance: forms of clients, names of all kinds, refusals, results."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import fixtures

from trove.db import models
from trove.domain import operations
from trove.tests.functional.api import base, world

PASSWORD = "s3cret-Pa55word"
#: Names that paths, URLs, SQL and JSON treat in ways of their own.
ODD_NAMES = (
    "a.b",
    "a b1",
    "a/b",
    "50%",
    "%41",
    "a%2Fb",
    "ünï-\U0001f418x",
    "a'; --x",
    'a"x',
    "a@b",
    "x@",
    "update1",
    "a\\x",
    "база",
    "数据库",
    "größe",
    "٣",
)
#: Those that a request may ask for; the others were made by their owner, in the database's own language.
NEW_NAMES = tuple(name for name in ODD_NAMES if "/" not in name)


class InsideTestCase(world.InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch("trove.api.waiting.SECONDS", 0.01))  # nothing goes on by itself
        self.instance_id = self.active(**self.begin)
        self.path = f"/instances/{self.instance_id}"

    begin: dict[str, Any] = {}

    @property
    def engine(self) -> Any:
        """What the played guest's database holds."""
        return self.guests.engines[self.instance_id]

    def change(self, method: str, path: str, body: Any = None) -> None:
        """Have a change accepted and carried out."""
        self.assertEqual("", self.call(method, self.path + path, body, status=202).text)
        self.assertEqual(self.instance_id, self.hints.delivered[-1])
        self.settle()
        self.assertEqual("SUCCEEDED", self.workflows(self.instance_id)[-1]["state"])

    def refuse(self, method: str, path: str, body: Any = None, *, status: int = 400) -> str:
        """Have a change refused."""
        return self.refused(method, self.path + path, body, status=status)

    def find_in_engine(self, *, databases: Sequence[str] = (), users: Sequence[str] = ()) -> None:
        """Have the guest report what its owner has made without the service."""
        self.engine.databases.update(dict.fromkeys(databases, (None, None)))
        for name in users:
            self.engine.users[name, "%"], self.engine.passwords[name, "%"] = [], "theirs"
        self.guests.inventory(self.instance_id)

    def get(self, path: str, **options: Any) -> Any:
        """Return a document."""
        return self.call("GET", self.path + path, status=200, **options).json


class DatabasesTest(InsideTestCase):
    def test_life(self) -> None:
        self.assertEqual({"databases": []}, self.get("/databases"))
        wanted = [{"name": "b", "character_set": "UTF8", "collate": "C.UTF-8"}, {"name": "a", "character_set": None}]
        self.change("POST", "/databases", {"databases": wanted})
        self.assertEqual({"databases": [{"name": "a"}, {"name": "b"}]}, self.get("/databases"))
        self.assertEqual({"database": {"name": "b"}}, self.get("/databases/b"))
        full = {"name": "b", "character_set": "UTF8", "collate": "C.UTF-8"}
        self.assertEqual({"database": full}, self.get("/databases/b", version="1.1"))
        self.change("DELETE", "/databases/b")
        self.assertEqual({"databases": [{"name": "a"}]}, self.get("/databases"))
        self.assertEqual(["a"], list(self.engine.databases))

    def test_one_at_a_time(self) -> None:
        self.change("POST", "/databases", {"database": {"name": "one"}})
        self.assertEqual(["one"], list(self.engine.databases))

    def test_an_empty_list_changes_nothing(self) -> None:
        before = self.everything()
        self.call("POST", f"{self.path}/databases", {"databases": []}, status=202)
        self.assertEqual(before, self.everything())

    def test_odd_names(self) -> None:
        self.change("POST", "/databases", {"databases": [{"name": name} for name in NEW_NAMES]})
        self.find_in_engine(databases=ODD_NAMES)
        self.assertEqual(sorted(ODD_NAMES), sorted(item["name"] for item in self.get("/databases")["databases"]))
        for name in ODD_NAMES:
            with self.subTest(name):
                self.assertEqual({"name": name}, self.get(f"/databases/{quote(name, safe='')}")["database"])
                self.change("DELETE", f"/databases/{quote(name, safe='').replace('.', '%2e')}")
                self.assertNotIn(name, self.engine.databases)

    def test_what_an_existing_client_cannot_write_into_a_path(self) -> None:
        message = self.refuse("POST", "/databases", {"databases": [{"name": "x"}, {"name": "x/../.."}]})
        self.assertIn("databases[1].name must not have a '/'", message)
        for name in ("a?b", "a"):
            self.change("POST", "/databases", {"databases": [{"name": name}]})
        for version in ("1.0", "1.1"):
            message = self.refused("DELETE", f"{self.path}/databases/a?b", status=400, version=version)
            self.assertIn("query parameter 'b' is not known", message)
        self.change("DELETE", "/databases/a%3Fb")
        self.assertEqual(["a"], list(self.engine.databases))

    def test_refusals(self) -> None:
        self.change("POST", "/databases", {"databases": [{"name": "x"}]})
        for body, words in (
            ({}, "either databases"),
            ([], "either databases"),
            ({"databases": {}}, "must be a list"),
            ({"databases": None}, "must be a list"),
            ({"databases": [{}]}, "databases[0].name is required"),
            ({"databases": [{"name": "---"}]}, "databases[0].name must have a letter or a digit"),
            ({"databases": [{"name": "x" * 256}]}, "databases[0].name must have at most 255 characters"),
            ({"databases": [{"name": "ü" * 256}]}, "databases[0].name must have at most 255 characters"),
            ({"databases": [{"name": "→"}]}, "databases[0].name must have a letter or a digit"),
            ({"databases": [{"name": "\u0301"}]}, "databases[0].name must have a letter or a digit"),
            ({"databases": [{"name": "数" * 22}]}, "longer than 63 bytes"),
            ({"databases": [{"name": "y"}], "database": {"name": "z"}}, "either databases"),
            ({"databases": [{"name": "x"}]}, "already: 'x'"),
            ({"databases": [{"name": "y"}, {"name": "y"}]}, "more than once"),
            ({"databases": [{"name": "xü" * 22}]}, "longer than 63 bytes"),
            ({"databases": [{"name": "postgres"}, {"name": "y", "character_set": "EBCDIC"}]}, "EBCDIC"),
            ({"databases": [{"name": "y", "character_set": "utf8", "collate": "utf8_bin"}]}, "possible are C, POSIX"),
            ({"databases": [{"name": "y"}] * 1001}, "at most 1000"),
        ):
            with self.subTest(str(body)[:80]):
                self.assertIn(words, self.refuse("POST", "/databases", body))
        self.refuse("DELETE", "/databases/nope", status=404)
        self.assertIn("reserved", self.refuse("DELETE", "/databases/postgres"))
        self.call("GET", f"{self.path}/databases/nope", status=404)
        self.call("GET", f"{self.path}/databases/{'n' * 300}", status=404)
        for method in ("PATCH", "PUT"):
            self.refuse(method, "/databases", {}, status=405)

    def test_pages(self) -> None:
        names = sorted([*ODD_NAMES, *[f"d{i:02}" for i in range(15)]])
        self.find_in_engine(databases=names)
        self.assertIn("links", self.get("/databases"))
        found, path = [], "/databases?limit=4"
        while path:
            document = self.get(path)
            found += [item["name"] for item in document["databases"]]
            self.assertEqual(document.get("links"), document.get("databases_links"))
            (link,) = document.get("databases_links", [{"href": ""}])
            path = link["href"].partition(self.path)[2]
        self.assertEqual(names, found)
        self.assertEqual(["d14"], [d["name"] for d in self.get("/databases?marker=d13&limit=1")["databases"]])
        for query in ("limit=0", "limit=-1", "limit=abc"):
            self.call("GET", f"{self.path}/databases?{query}", status=400)

    def test_a_failure_in_the_guest_is_a_fault(self) -> None:
        self.guests.failures["create_databases"] = ("database.exists", "The database exists.")
        self.call("POST", f"{self.path}/databases", {"databases": [{"name": "x"}]}, status=202)
        self.settle()
        shown = self.show(self.instance_id)
        self.assertEqual(("ACTIVE", "The database exists."), (shown["status"], shown["fault"]["message"]))
        self.change("POST", "/databases", {"databases": [{"name": "x"}]})
        self.assertNotIn("fault", self.show(self.instance_id))

    def test_order_of_acceptance_is_kept(self) -> None:
        for name in ("one", "two", "three"):
            self.call("POST", f"{self.path}/databases", {"databases": [{"name": name}]}, status=202)
        self.settle()
        self.assertEqual(["one", "two", "three"], list(self.engine.databases))


class UsersTest(InsideTestCase):
    begin = {"databases": [{"name": "shop"}, {"name": "log"}]}

    def user(self, name: str = "app", **more: Any) -> dict[str, Any]:
        return {"name": name, "password": PASSWORD, **more}

    def add(self, *users: dict[str, Any]) -> None:
        self.change("POST", "/users", {"users": list(users)})

    def test_life(self) -> None:
        self.assertEqual({"users": []}, self.get("/users"))
        self.add(self.user("b", databases=[{"name": "shop"}]), self.user("a", host=None))
        self.assertEqual(
            {"users": [{"name": "a", "host": "%", "databases": []},
                       {"name": "b", "host": "%", "databases": [{"name": "shop"}]}]},
            self.get("/users"),
        )  # fmt: skip
        self.assertEqual({"user": {"name": "a", "host": "%", "databases": []}}, self.get("/users/a"))
        self.assertEqual(PASSWORD, self.engine.passwords["a", "%"])
        self.change("PUT", "/users/a", {"user": {"password": "new-one"}})
        self.assertEqual("new-one", self.engine.passwords["a", "%"])
        self.change("PUT", "/users/a", {"user": {"name": "c", "host": None, "password": None}})
        self.assertEqual("new-one", self.engine.passwords["c", "%"])
        self.change("PUT", "/users/c", {"user": {"name": None, "password": "newer"}})
        self.assertEqual("newer", self.engine.passwords["c", "%"])
        self.change("DELETE", "/users/c")
        self.assertEqual(["b"], [item["name"] for item in self.get("/users")["users"]])

    def test_as_openstacksdk_creates_one(self) -> None:
        self.change("POST", "/users/app", {"users": self.user()})
        self.change("POST", "/users/two@%25", {"users": [self.user("two")]})
        self.change("POST", "/users", {"users": self.user("three")})
        self.assertEqual({"app", "two", "three"}, {name for name, _ in self.engine.users})
        for body in ({"users": self.user("other")}, {"users": []}, {"users": [self.user("x"), self.user("y")]}):
            self.assertIn("exactly the user", self.refuse("POST", "/users/x", body))

    def test_odd_names(self) -> None:
        self.add(*[self.user(name) for name in NEW_NAMES])
        self.find_in_engine(users=ODD_NAMES)
        for name in ODD_NAMES:
            with self.subTest(name):
                for written in (name, f"{name}@%"):
                    path = f"/users/{quote(written, safe='').replace('.', '%2e')}"
                    self.assertEqual(name, self.get(path)["user"]["name"])
                self.change("PUT", f"{path}/databases", {"databases": [{"name": "shop"}]})
                self.change("PUT", path, {"user": {"password": "next"}})
                self.assertEqual("next", self.engine.passwords[name, "%"])
                self.change("DELETE", path)
                self.assertNotIn((name, "%"), self.engine.users)

    def test_the_longest_name_with_a_host(self) -> None:
        name = "n" * 63
        self.add(self.user(name))
        self.assertEqual(name, self.get(f"/users/{name}@%25")["user"]["name"])
        self.change("DELETE", f"/users/{name}@10.0.0.1")

    def test_several_passwords(self) -> None:
        self.add(self.user("a"), self.user("b"))
        body = {"users": [{"name": "a", "password": "p-a"}, {"name": "b", "password": "p-b", "host": "%"}]}
        self.change("PUT", "/users", body)
        self.assertEqual({("a", "%"): "p-a", ("b", "%"): "p-b"}, self.engine.passwords)
        for body, status in (
            ({"users": [{"name": "a", "password": "x"}, {"name": "nobody", "password": "x"}]}, 404),
            ({"users": [{"name": "a", "password": "x"}, {"name": "os_admin", "password": "x"}]}, 400),
            ({"users": [{"name": "a", "password": "x"}, {"name": "a", "password": "y"}]}, 400),
            ({"users": [{"name": "a"}]}, 400),
            ({"users": {"name": "a", "password": "x"}}, 400),
            ({}, 400),
        ):
            self.refuse("PUT", "/users", body, status=status)

    def test_refusals(self) -> None:
        self.add(self.user())
        for body, words in (
            ({}, "users is required"),
            ({"users": [{"name": "x"}]}, "users[0].password is required"),
            ({"users": [{"name": "", "password": PASSWORD}]}, "users[0].name must"),
            ({"users": [self.user("x", host="a b")]}, "users[0].host must"),
            ({"users": [self.user("x", databases=[{"name": "shop"}] * 2)]}, "users[0].databases must not have equal"),
            ({"users": [self.user("x", databases=[{"name": "nope"}])]}, "'nope', which does not exist"),
            ({"users": [self.user("x"), self.user("x")]}, "more than once"),
            ({"users": [self.user("postgres"), self.user("x" * 64)]}, "longer than 63 bytes"),
            ({"users": [self.user("new"), self.user()]}, "already: 'app'"),
        ):
            message = self.refuse("POST", "/users", body)
            self.assertIn(words, message)
            self.assertNotIn(PASSWORD, message)
        for body in ({}, {"user": {}}, {"user": {"name": None}}, {"user": {"name": ""}}, {"user": {"password": ""}},
                     {"user": {"name": "postgres"}}, {"user": {"name": "x" * 64}}, {"user": []}):  # fmt: skip
            self.refuse("PUT", "/users/app", body)
        self.add(self.user("other"))
        self.assertIn("already: 'other'", self.refuse("PUT", "/users/app", {"user": {"name": "other"}}))
        for method, body in (("PUT", {"user": {"password": "x"}}), ("DELETE", None)):
            self.refuse(method, "/users/nobody", body, status=404)
            self.assertIn("reserved", self.refuse(method, "/users/os_admin", body))
            self.assertIn("reserved", self.refuse(method, "/users/os_admin@%25", body))
        self.call("GET", f"{self.path}/users/nobody", status=404)
        self.assertNotIn(PASSWORD, self.logs.text())

    def test_renaming_to_the_same_name_is_nothing(self) -> None:
        self.add(self.user())
        before = self.everything()
        self.call("PUT", f"{self.path}/users/app", {"user": {"name": "app", "host": "10.0.0.1"}}, status=202)
        self.assertEqual(before, self.everything())

    def test_passwords_are_erased(self) -> None:
        self.call("POST", f"{self.path}/users", {"users": [self.user()]}, status=202)
        with self.db.reader() as session:
            raw = (
                session.connection().exec_driver_sql("SELECT args FROM guest_commands WHERE state = 'PENDING'").scalar()
            )
        self.assertNotIn(PASSWORD, str(raw))
        self.assertNotIn(PASSWORD, str(self.workflows(self.instance_id)))
        self.settle()
        self.assertEqual([None], list({row["args"] for row in self.rows(models.GuestCommand)}))
        self.assertNotIn(PASSWORD, self.logs.text())

    def test_pages(self) -> None:
        names = sorted([*NEW_NAMES, "z", "y"])
        self.add(*[self.user(name) for name in names])
        found, path = [], "/users?limit=4"
        while path:
            document = self.get(path)
            found += [item["name"] for item in document["users"]]
            self.assertEqual(document.get("links"), document.get("users_links"))
            (link,) = document.get("users_links", [{"href": ""}])
            path = link["href"].partition(self.path)[2]
        self.assertEqual(names, found)
        for typed in ("y@%25", "y"):
            self.assertEqual(["z"], [item["name"] for item in self.get(f"/users?marker={typed}")["users"]][:1])


class AccessTest(InsideTestCase):
    begin = {
        "databases": [{"name": "shop"}],
        "users": [{"name": "app", "password": "p", "databases": [{"name": "shop"}]}],
    }

    def setUp(self) -> None:
        super().setUp()
        self.find_in_engine(databases=["a/b"])

    def test_life(self) -> None:
        self.assertEqual({"databases": [{"name": "shop"}]}, self.get("/users/app/databases"))
        self.change(
            "PUT", "//users//app/databases", {"databases": [{"name": "a/b"}, {"name": "a/b"}, {"name": "shop"}]}
        )
        self.assertEqual({"databases": [{"name": "shop"}, {"name": "a/b"}]}, self.get("/users/app@%25/databases"))
        self.change("DELETE", "/users/app/databases/a%2Fb")
        self.assertEqual(["shop"], self.engine.users["app", "%"])

    def test_refusals(self) -> None:
        for body in ({}, [], {"databases": {}}, {"databases": [7]}, {"databases": [{}]}, {"databases": ["shop"]}):
            self.refuse("PUT", "/users/app/databases", body)
        message = self.refuse(
            "PUT", "/users/app/databases", {"databases": [{"name": "y"}, {"name": "shop"}, {"name": "x"}]}
        )
        self.assertIn("'x', 'y'", message)
        self.refuse("PUT", "/users/nobody/databases", {"databases": [{"name": "shop"}]}, status=404)
        self.refuse("DELETE", "/users/nobody/databases/shop", status=404)
        self.refuse("DELETE", "/users/app/databases/a%2Fb", status=404)
        self.call("GET", f"{self.path}/users/nobody/databases", status=404)
        before = self.everything()
        self.call("PUT", f"{self.path}/users/app/databases", {"databases": []}, status=202)
        self.assertEqual(before, self.everything())


class HostsTest(InsideTestCase):
    """An engine whose users have hosts; the host in a path is behind the last @."""

    begin = {
        "datastore": {"type": "hosts"},
        "users": [{"name": "app", "password": "p1", "host": "10.0.0.%"}, {"name": "any", "password": "p2"}],
    }

    def test_who_is_meant(self) -> None:
        self.change("POST", "/users", {"users": [{"name": "a@b", "password": "p"}, {"name": "x@", "password": "p"}]})
        for written, name, host in (
            ("app@10.0.0.%", "app", "10.0.0.%"),
            ("any", "any", "%"),
            ("any@%", "any", "%"),
            ("a@b", "a@b", "%"),
            ("a@b@%", "a@b", "%"),
            ("x@", "x@", "%"),
        ):
            shown = self.get(f"/users/{quote(written, safe='')}")["user"]
            self.assertEqual((name, host), (shown["name"], shown["host"]))
        self.change("POST", "/users", {"users": [{"name": "a", "host": "b", "password": "p"}]})
        self.assertEqual("a", self.get("/users/a%40b")["user"]["name"])
        for written in ("app", "app@10.0.0.1", "any@10.0.0.1"):
            self.call("GET", f"{self.path}/users/{quote(written, safe='')}", status=404)

    def test_a_host_that_an_existing_client_cannot_write_into_a_path(self) -> None:
        network = "10.0.0.0/255.255.0.0"
        message = self.refuse("POST", "/users", {"users": [{"name": "new", "host": network, "password": "p"}]})
        self.assertIn("users[0].host must not have a '/'", message)
        self.assertIn("user.host must not have a '/'", self.refuse("PUT", "/users/any", {"user": {"host": network}}))
        self.assertEqual({("app", "10.0.0.%"), ("any", "%")}, set(self.engine.users))

    def test_change_of_host(self) -> None:
        self.change("PUT", "/users/any", {"user": {"host": "::1"}})
        self.assertEqual("p2", self.engine.passwords["any", "::1"])
        self.change("PUT", "/users", {"users": [{"name": "any", "host": "::1", "password": "p3"}]})
        self.assertEqual("p3", self.engine.passwords["any", "::1"])
        self.refuse("PUT", "/users", {"users": [{"name": "any", "password": "p3"}]}, status=404)

    def test_an_update_that_names_the_host_of_the_instance(self) -> None:
        own = self.show(self.instance_id)["hostname"]
        self.change("PUT", f"/users/any@{own}", {"user": {"password": "p4", "host": "%"}})
        self.assertEqual("p4", self.engine.passwords["any", "%"])
        self.refuse("DELETE", f"/users/any@{own}", status=404)

    def test_the_host_is_kept_from_creation(self) -> None:
        self.assertEqual({("app", "10.0.0.%"), ("any", "%")}, set(self.engine.users))


class ReadinessTest(world.InstanceTestCase):
    """422 until the instance is idle and its database answers."""

    changes: tuple[tuple[str, str, Any], ...] = (
        ("POST", "/databases", {"databases": [{"name": "x"}]}),
        ("POST", "/databases", {"databases": []}),
        ("DELETE", "/databases/shop", None),
        ("POST", "/users", {"users": [{"name": "x", "password": "p"}]}),
        ("POST", "/users/x", {"users": {"name": "x", "password": "p"}}),
        ("PUT", "/users", {"users": [{"name": "app", "password": "p"}]}),
        ("PUT", "/users/app", {"user": {"password": "p"}}),
        ("DELETE", "/users/app", None),
        ("PUT", "/users/app/databases", {"databases": [{"name": "shop"}]}),
        ("DELETE", "/users/app/databases/shop", None),
        ("POST", "/root", None),
        ("DELETE", "/root", None),
    )
    reads = ("/databases", "/databases/shop", "/users", "/users/app", "/users/app/databases", "/root")

    def refuse_changes(self, instance_id: str) -> None:
        for method, path, body in self.changes:
            with self.subTest(f"{method} {path}"):
                message = self.refused(method, f"/instances/{instance_id}{path}", body, status=422)
                self.assertIn("not ready", message)

    def test_while_it_is_built_and_when_that_failed(self) -> None:
        instance_id = str(self.create()["id"])
        self.refuse_changes(instance_id)
        self.guests.failures["prepare"] = ("engine.init", "It failed.")
        for _ in range(2):
            for path in self.reads:
                self.call("GET", f"/instances/{instance_id}{path}", status=422)
            self.settle()
        self.assertEqual("ERROR", self.show(instance_id)["status"])
        self.refuse_changes(instance_id)

    def test_while_busy_silent_or_ill(self) -> None:
        instance_id = self.active(
            databases=[{"name": "shop"}], users=[{"name": "app", "password": "p", "databases": [{"name": "shop"}]}]
        )
        self.action(instance_id, {"restart": {}})
        self.refuse_changes(instance_id)
        self.settle()
        self.guests.beat(instance_id, "blocked")
        self.refuse_changes(instance_id)
        self.guests.beat(instance_id, age=1000)
        self.refuse_changes(instance_id)
        for path in self.reads:
            self.call("GET", f"/instances/{instance_id}{path}", status=200)
        self.call("DELETE", f"/instances/{instance_id}", status=202)
        self.refuse_changes(instance_id)

    def test_capabilities_come_first(self) -> None:
        instance_id = str(self.create(datastore={"type": "tiny"}, volume=None)["id"])
        words = {"/databases": "'databases'", "/users": "'users'", "/root": "'root'"}
        lists = ("/databases", "/users")
        for method, path, body in [*self.changes, *[("GET", path, None) for path in self.reads]]:
            if method == "GET" and path in lists:
                shown = self.call(method, f"/instances/{instance_id}{path}", status=200).json
                self.assertEqual({path.strip("/"): []}, shown)
                continue
            if method == "GET" and path.endswith("/databases"):
                self.refused(method, f"/instances/{instance_id}{path}", status=404)
                continue
            message = self.refused(method, f"/instances/{instance_id}{path}", body, status=501)
            word = (
                "'access'"
                if "/users/app/databases" in path
                else next(w for p, w in words.items() if path.startswith(p))
            )
            self.assertIn(word, message)
            self.assertIn("'tiny'", message)


class EditsAreNotExclusiveTest(InsideTestCase):
    def test_a_change_inside_does_not_stand_in_the_way(self) -> None:
        self.call("POST", f"{self.path}/databases", {"databases": [{"name": "x"}]}, status=202)
        with self.db.reader() as session:
            self.assertIsNone(self.store.active(session, operations.instance_claim(self.instance_id)))
        self.assertEqual("ACTIVE", self.show(self.instance_id)["status"])
        self.action(self.instance_id, {"restart": {}})
        self.settle()
        self.assertEqual(["x"], list(self.engine.databases))
        self.assertEqual("create_databases restart", " ".join(name for name, _ in self.guests.seen[-2:]))
        self.assertEqual(base.PROJECT, self.workflows(self.instance_id)[-1]["project_id"])
