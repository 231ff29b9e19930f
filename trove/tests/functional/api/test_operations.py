# SPDX-License-Identifier: Apache-2.0
"""Operations: from 1.1 the owner sees what is and was in progress, with its steps, and never what is the operator's."""

from typing import Any

from trove.common import ids
from trove.providers import base as providers
from trove.tests.functional.api import base, world


class OperationsTest(world.InstanceTestCase):
    def operations(self, instance_id: str, query: str = "") -> Any:
        """Return the document of a list."""
        return self.call("GET", f"/instances/{instance_id}/operations{query}", status=200, version="1.1").json

    def operation(self, instance_id: str, operation_id: str) -> dict[str, Any]:
        """Return one operation."""
        path = f"/instances/{instance_id}/operations/{operation_id}"
        return dict(self.call("GET", path, status=200, version="1.1").json["operation"])

    def test_before_1_1_there_are_none(self) -> None:
        instance_id = str(self.create()["id"])
        (workflow,) = self.workflows(instance_id)
        for path in ("operations", f"operations/{workflow['id']}"):
            self.call("GET", f"/instances/{instance_id}/{path}", status=404)
            self.call("GET", f"/instances/{instance_id}/{path}", status=404, version="1.0")
            self.call("GET", f"/instances/{instance_id}/{path}", status=200, version="latest")

    def test_progress_of_a_creation(self) -> None:
        instance_id = str(self.create(users=[{"name": "u", "password": "s3cret-Pa55word"}])["id"])
        (shown,) = self.operations(instance_id)["operations"]
        self.assertEqual(("instance.create", "QUEUED", 0), (shown["kind"], shown["state"], shown["progress"]))
        self.assertIn("deadline", shown)
        self.assertFalse({"finished", "error", "steps"} & set(shown))
        self.assertEqual([], self.operation(instance_id, shown["id"])["steps"])
        self.worker.drain()
        waiting = self.operation(instance_id, shown["id"])
        self.assertEqual("WAITING", waiting["state"])
        states = {step["name"]: step["state"] for step in waiting["steps"]}
        self.assertEqual(("DONE", "WAITING", "WAITING"),
                         (states["ensure-server"], states["await-guest"], states["create-users"]))  # fmt: skip
        self.assertTrue(0 < waiting["progress"] < 100)
        self.settle()
        done = self.operation(instance_id, shown["id"])
        self.assertEqual(("SUCCEEDED", 100), (done["state"], done["progress"]))
        self.assertEqual({"DONE"}, {step["state"] for step in done["steps"]})
        self.assertIn("finished", done)
        self.assertNotIn("s3cret", str(done))

    def test_why_it_failed(self) -> None:
        self.cloud.fail_next("ensure_server", providers.QuotaError("internal: host 7 is full"))
        instance_id = str(self.create()["id"])
        self.settle()
        (shown,) = self.operations(instance_id)["operations"]
        self.assertEqual("REVERTED", shown["state"])
        self.assertEqual("provider.quota", shown["error"]["symbol"])
        self.assertEqual(self.show(instance_id)["fault"]["message"], shown["error"]["message"])
        self.assertNotIn("host 7", str(self.operation(instance_id, shown["id"])))

    def test_pages_newest_first(self) -> None:
        instance_id = self.active()
        for i in range(4):
            body = {"databases": [{"name": f"d{i}"}]}
            self.call("POST", f"/instances/{instance_id}/databases", body, status=202)
        expected = [item["id"] for item in reversed(self.workflows(instance_id))]
        found, query = [], "?limit=2"
        while query:
            document = self.operations(instance_id, query)
            found += [item["id"] for item in document["operations"]]
            (link,) = document.get("links", [{"href": ""}])
            query = link["href"].partition("/operations")[2]
        self.assertEqual(expected, found)
        for query in ("limit=0", "limit=-1", "limit=x", "surprise=1"):
            self.call("GET", f"/instances/{instance_id}/operations?{query}", status=400, version="1.1")
        self.call("GET", f"/instances/{instance_id}/operations?marker={ids.new_id()}", status=404, version="1.1")

    def test_of_which_instance(self) -> None:
        mine, other = (str(self.create()["id"]) for _ in range(2))
        theirs = str(self.create(project=base.OTHER_PROJECT)["id"])
        (workflow,) = self.workflows(mine)
        for path in (f"/instances/{other}/operations/{workflow['id']}", f"/instances/{mine}/operations/{ids.new_id()}",
                     f"/instances/{theirs}/operations", f"/instances/{ids.new_id()}/operations",
                     f"/instances/{theirs}/operations/{self.workflows(theirs)[0]['id']}"):  # fmt: skip
            self.call("GET", path, status=404, version="1.1")
        path = f"/instances/{theirs}/operations"
        self.assertEqual(1, len(self.call("GET", path, status=200, version="1.1", app=self.admin).json["operations"]))


class MicroversionsTest(world.InstanceTestCase):
    """What 1.1 adds must not show at 1.0, whose clients were written before it."""

    def test_documents(self) -> None:
        instance_id = self.active(databases=[{"name": "d", "character_set": "UTF8"}])
        for path in ("", "/databases", "/databases/d", "/users", "/root"):
            url = f"/instances/{instance_id}{path}"
            plain = self.call("GET", url, status=200)
            self.assertEqual(plain.json, self.call("GET", url, status=200, version="1.0").json)
            self.assertEqual("database 1.0", plain.headers["OpenStack-API-Version"])
            self.assertNotIn("endpoints", plain.text)
            self.assertNotIn("character_set", plain.text)

    def test_unknown_members_are_ignored_at_1_0_only(self) -> None:
        instance_id = self.active(databases=[{"name": "d"}], users=[{"name": "u", "password": "p"}])
        path = f"/instances/{instance_id}"
        for method, where, body in (
            ("POST", "/instances", self.wanted(volume={"size": 1, "x": 1})),
            ("POST", f"{path}/databases", {"databases": [{"name": "a", "x": 1}], "y": 1}),
            ("POST", f"{path}/users", {"users": [{"name": "a", "password": "p", "x": 1}]}),
            ("PUT", f"{path}/users", {"users": [{"name": "u", "password": "p", "x": 1}]}),
            ("PUT", f"{path}/users/u", {"user": {"password": "p", "x": 1}}),
            ("PUT", f"{path}/users/u/databases", {"databases": [{"name": "d", "x": 1}]}),
            ("POST", f"{path}/action", {"restart": {"x": 1}}),
        ):
            with self.subTest(f"{method} {where}"):
                self.assertIn(".x is not allowed", self.refused(method, where, body, status=400, version="1.1"))
                response = self.call(method, where, body)
                self.assertIn(response.status_int, (200, 202), response.text)
