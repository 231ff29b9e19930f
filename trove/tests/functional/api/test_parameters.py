# SPDX-License-Identifier: Apache-2.0
"""Parameters as tenants see them, and as operators correct them."""

from typing import Any

from trove.common import ids
from trove.tests.functional.api import world


class ParameterTest(world.InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = f"/datastores/versions/{self.version.id}/parameters"
        self.mgmt = f"/mgmt{self.path}"

    def names(self, version: Any = None) -> dict[str, Any]:
        """Return the parameters of a version by name."""
        path = f"/datastores/versions/{(version or self.version).id}/parameters"
        found = self.call("GET", path, status=200).json["configuration-parameters"]
        return {item["name"]: item for item in found}

    def put(self, name: str, **members: Any) -> Any:
        """Change a parameter as an administrator."""
        body = {"name": name, "data_type": "integer", "restart_required": 0, "max_size": 9, "min_size": 0, **members}
        document = {"configuration-parameter": body}
        return self.call("PUT", f"{self.mgmt}/{name}", document, status=200, app=self.admin).json


class TenantTest(ParameterTest):
    def test_list(self) -> None:
        found = self.names()
        self.assertEqual(
            {
                "name": "max_connections", "datastore_version_id": self.version.id, "restart_required": True,
                "type": "integer", "min": 1, "max": 262143,
            },
            found["max_connections"],
        )  # fmt: skip
        types = [found[name]["type"] for name in ("DateStyle", "autovacuum", "checkpoint_completion_target")]
        self.assertEqual(["string", "boolean", "float"], types)
        self.assertNotIn("min", found["DateStyle"])
        self.assertEqual(0.0, found["checkpoint_completion_target"]["min"])
        for name in ("port", "data_directory", "listen_addresses"):
            self.assertNotIn(name, found)
        for store in ("postgresql", self.version.datastore_id):
            for version in ("16", self.version.id):
                path = f"/datastores/{store}/versions/{version}/parameters"
                listed = self.call("GET", path, status=200).json["configuration-parameters"]
                self.assertEqual(list(found.values()), listed)

    def test_one_is_shown_bare_whatever_its_case(self) -> None:
        for path in (self.path, "/datastores/postgresql/versions/16/parameters"):
            for name in ("datestyle", "DateStyle"):
                shown = self.call("GET", f"{path}/{name}", status=200).json
                self.assertEqual(("DateStyle", "string"), (shown["name"], shown["type"]))
            for name in ("nothing", "port", "%20", "x" * 300):
                self.refused("GET", f"{path}/{name}", status=404)

    def test_versions(self) -> None:
        old = self.seed(name="15", active=False, default=False)
        self.assertIn("vacuum_defer_cleanup_age", self.names(old))
        self.assertNotIn("vacuum_defer_cleanup_age", self.names())
        self.assertEqual({}, self.names(self.tiny))
        self.refused("GET", f"/datastores/versions/{ids.new_id()}/parameters", status=404)
        self.refused("GET", "/datastores/versions/16/parameters", status=400)
        self.refused("GET", "/datastores/nothing/versions/16/parameters", status=404)
        self.refused("GET", "/datastores/postgresql/versions/0/parameters", status=400)


class OperatorTest(ParameterTest):
    def send(self, method: str, path: str = "", status: int = 200, **members: Any) -> Any:
        """Send a request as an administrator; one that is refused must change nothing."""
        body = {"configuration-parameter": members} if members else None
        if status >= 400:
            return self.refused(method, self.mgmt + path, body, status=status, app=self.admin)
        answer = self.call(method, self.mgmt + path, body, status=status, app=self.admin)
        return answer.json if answer.body else None

    def test_for_administrators_only(self) -> None:
        rule = {"configuration-parameter": {"name": "x", "data_type": "string", "restart_required": 0}}
        for method, path, body in (
            ("GET", "", None), ("GET", "/work_mem", None), ("POST", "", rule), ("PUT", "/x", rule),
            ("DELETE", "/x", None),
        ):  # fmt: skip
            self.refused(method, self.mgmt + path, body, status=401)

    def test_adding_changing_and_taking_away(self) -> None:
        given = {"name": "my.own", "data_type": "integer", "restart_required": 1, "max_size": 9, "min_size": 0}
        expected = {"name": "my.own", "datastore_version_id": self.version.id, "restart_required": True,
                    "type": "integer", "max_size": 9, "min_size": 0}  # fmt: skip
        self.assertEqual(expected, self.send("POST", **given))
        self.assertEqual(expected, self.send("GET", "/MY.OWN"))
        self.assertIn(expected, self.send("GET")["configuration-parameters"])
        self.assertEqual((0, 9), (self.names()["my.own"]["min"], self.names()["my.own"]["max"]))
        self.assertIn("exists already", self.send("POST", status=400, **{**given, "name": "My.Own"}))
        changed = self.send("PUT", "/My.own", **{**given, "max_size": 10, "restart_required": False})
        self.assertEqual({**expected, "max_size": 10, "restart_required": False}, changed)
        self.send("DELETE", "/MY.own", status=204)
        self.assertNotIn("my.own", self.names())
        self.send("DELETE", "/my.own", status=400)
        self.send("PUT", "/my.own", status=404, **given)
        self.send("GET", "/my.own", status=404)

    def test_what_the_engine_brings_can_be_corrected(self) -> None:
        before = self.names()["work_mem"]
        self.put("Work_Mem", min_size=100, max_size=200)
        body = {"name": "g", "values": {"work_mem": 64}}
        said = self.refused("POST", "/configurations", {"configuration": body}, status=422)
        self.assertIn("from 100 to 200", said)
        self.send("DELETE", "/WORK_MEM", status=204)
        self.assertNotIn("work_mem", self.names())
        self.send("DELETE", "/work_mem", status=400)
        given = {"name": "WORK_MEM", "data_type": "integer", "restart_required": 0, "max": 7, "min": 7}
        self.assertEqual("work_mem", self.send("POST", **given)["name"])
        self.assertEqual({**before, "min": 7, "max": 7}, self.names()["work_mem"])

    def test_other_types(self) -> None:
        for kind in ("string", "boolean", "float"):
            given = {"name": f"a_{kind}", "data_type": kind, "restart_required": False}
            self.assertEqual(kind, self.send("POST", **given)["type"])
        self.assertEqual("integer", self.put("a_string", data_type="biginteger")["type"])

    def test_wrong_bodies(self) -> None:
        good = {"name": "n", "data_type": "integer", "restart_required": 1, "max_size": 9, "min_size": 1}
        for change in ({"name": ""}, {"name": "x" * 129}, {"name": "a b"}, {"name": "a\nb"}, {"name": 7},
                       {"data_type": "list"}, {"data_type": None}, {"restart_required": 2}, {"restart_required": "1"},
                       {"max_size": None}, {"min_size": None}, {"max_size": 0}, {"max_size": "9"}, {"min_size": 0.5},
                       {"max_size": 2**70}):  # fmt: skip
            with self.subTest(str(change)[:60]):
                self.send("POST", status=400, **{**good, **change})
        for missing in ("name", "data_type", "restart_required", "max_size", "min_size"):
            self.send("POST", status=400, **{key: value for key, value in good.items() if key != missing})
        said = self.send("POST", status=400, name="n", data_type="integer", restart_required=1)
        self.assertIn("max_size", said)
        self.assertIn("min_size", said)
        self.refused("POST", self.mgmt, {"parameter": good}, status=400, app=self.admin)
        self.send("PUT", "/work_mem", status=400, **good)

    def test_what_the_service_needs_cannot_be_touched(self) -> None:
        given = {"data_type": "integer", "restart_required": 1, "max_size": 9, "min_size": 1}
        self.assertIn("managed by the service", self.send("POST", status=400, name="PORT", **given))
        self.assertIn("managed by the service", self.send("PUT", "/port", status=400, name="port", **given))
        self.assertIn("managed by the service", self.send("DELETE", "/port", status=400))
