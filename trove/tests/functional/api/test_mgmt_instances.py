# SPDX-License-Identifier: Apache-2.0
"""Instances as operators see them: lists, details, the superuser's history, whether an agent lives."""

from typing import Any

from trove.common import ids
from trove.tests.functional.api import base, world


class MgmtCase(world.InstanceTestCase):
    """Calls the API as an administrator of :data:`base.PROJECT`."""

    def ask(self, path: str, *, status: int = 200, **options: Any) -> Any:
        """Return the document that an administrator gets."""
        answer = self.call("GET", f"/mgmt{path}", status=status, app=self.admin, **options)
        return answer.json if answer.body else None

    def listed(self, query: str = "") -> list[str]:
        """Return the ids in a list."""
        return [item["id"] for item in self.ask(f"/instances{query}")["instances"]]


class ListTest(MgmtCase):
    def test_all_projects_or_one(self) -> None:
        ours, theirs = self.create()["id"], self.create(project=base.OTHER_PROJECT)["id"]
        self.assertEqual(sorted([ours, theirs]), self.listed())
        self.assertEqual([theirs], self.listed(f"?project_id={base.OTHER_PROJECT}&include_clustered=True"))
        self.assertEqual([], self.listed("?project_id=nobody"))

    def test_deleted_ones(self) -> None:
        living, gone = self.active(), self.active()
        self.call("DELETE", f"/instances/{gone}", status=202)
        self.settle()
        self.assertEqual([living], self.listed("?deleted=False"))
        self.assertEqual([gone], self.listed("?deleted=true"))
        self.assertEqual(sorted([living, gone]), self.listed())
        (shown,) = self.ask("/instances?deleted=True")["instances"]
        self.assertEqual((True, "DELETED", None), (shown["deleted"], shown["status"], shown["server"]))
        self.assertIsNotNone(shown["deleted_at"])
        self.assertEqual(gone, self.ask(f"/instances/{gone}")["instance"]["id"])

    def test_pages_lead_to_the_end_once(self) -> None:
        made = sorted(self.create()["id"] for _ in range(5))
        seen, path = [], "/mgmt/instances?limit=2&deleted=False"
        while path:
            document = self.call("GET", path, status=200, app=self.admin).json
            seen += [item["id"] for item in document["instances"]]
            self.assertIn(len(document["instances"]), (1, 2))
            links = document.get("links")
            path = "/" + links[0]["href"] if links else ""
            path = path and "//v1.0" + path.partition("/v1.0")[2]
        self.assertEqual(made, seen)

    def test_wrong_queries(self) -> None:
        for query in ("limit=0", "limit=-1", "limit=x", "deleted=maybe", "project_id=", "project_id=" + "p" * 256):
            self.call("GET", f"/mgmt/instances?{query}", status=400, app=self.admin)
        self.call("GET", "/mgmt/instances?surprise=1", status=200, app=self.admin)
        self.call("GET", "/mgmt/instances?surprise=1", status=400, app=self.admin, version="1.1")


class ShowTest(MgmtCase):
    def test_what_owners_do_not_see(self) -> None:
        instance_id = self.active(project=base.OTHER_PROJECT)
        shown = self.ask(f"/instances/{instance_id}")["instance"]
        server = self.cloud.resources()["server"][f"instance:{instance_id}/server"]
        self.assertEqual((base.OTHER_PROJECT, False, None), (shown["tenant_id"], shown["deleted"], shown["deleted_at"]))
        self.assertEqual((server.id, "db"), (shown["server"]["id"], shown["server"]["name"]))
        self.assertEqual(shown["addresses"], shown["server"]["addresses"])
        self.assertEqual(("HEALTHY", "healthy"), (shown["service_status"], shown["guest_status"]["state_description"]))
        self.assertEqual("Nothing is in progress.", shown["task_description"])
        self.assertEqual(
            {"size": 2, "id": shown["volume_id"], "used": 0.5, "used_percent": 25.0, "wal_size": 0.25, "total": 2.0},
            shown["volume"],
        )
        self.assertNotIn("root_enabled", shown)

    def test_where_it_is(self) -> None:
        path = f"/instances/{self.active()}"
        self.assertNotIn("placement", self.ask(path, version="1.2")["instance"])
        expected = {"provider": "fake", "host": None, "zone": None}
        self.assertEqual(expected, self.ask(path, version="1.3")["instance"]["placement"])
        (listed,) = self.ask("/instances", version="1.3")["instances"]
        self.assertEqual(expected, listed["placement"])

    def test_what_is_not_there_yet_is_null(self) -> None:
        made = self.create()["id"]
        self.assertIsNone(self.ask(f"/instances/{made}", version="1.3")["instance"]["placement"])
        shown = self.ask(f"/instances/{made}")["instance"]
        self.assertEqual((None, None), (shown["server"], shown["server_id"]))
        self.assertEqual("The instance is being created.", shown["task_description"])

    def test_history_of_root(self) -> None:
        instance_id = self.active()
        never = {"id": instance_id, "enabled": "Never", "user": "Nobody", "created": "Never"}
        self.assertEqual({"root_history": never}, self.ask(f"/instances/{instance_id}/root"))
        self.hints.wake = lambda workflow_id: self.settle()  # type: ignore[method-assign]
        self.call("POST", f"/instances/{instance_id}/root", status=200)
        self.call("DELETE", f"/instances/{instance_id}/root", status=204)
        found = self.ask(f"/instances/{instance_id}/root")["root_history"]
        self.assertEqual((instance_id, found["created"]), (found["id"], found["enabled"]))
        shown = self.ask(f"/instances/{instance_id}")["instance"]
        self.assertEqual(found["enabled"], shown["root_enabled"])
        self.assertEqual(found["user"], shown["root_enabled_by"] or "Unknown")

    def test_unknown_ids(self) -> None:
        for what in ("", "/root", "/diagnostics", "/hwinfo", "/rpc_ping"):
            self.ask(f"/instances/{ids.new_id()}{what}", status=404)

    def test_what_agents_do_not_tell(self) -> None:
        instance_id = self.active()
        for what, capability in (("diagnostics", "agent-diagnostics"), ("hwinfo", "hardware-information")):
            path = f"/mgmt/instances/{instance_id}/{what}"
            self.assertIn(f"'{capability}'", self.refused("GET", path, status=501, app=self.admin))


class PingTest(MgmtCase):
    def test_a_fresh_heartbeat_answers(self) -> None:
        instance_id = self.active()
        self.ask(f"/instances/{instance_id}/rpc_ping", status=204)
        self.guests.beat(instance_id, age=self.conf.guest_bus.agent_heartbeat_expiry + 5)
        message = self.refused("GET", f"/mgmt/instances/{instance_id}/rpc_ping", status=400, app=self.admin)
        self.assertIn("has not been heard of", message)

    def test_an_agent_that_never_spoke(self) -> None:
        self.ask(f"/instances/{self.create()['id']}/rpc_ping", status=400)


class PolicyTest(MgmtCase):
    def test_whoever_is_refused_gets_401(self) -> None:
        instance_id = self.active()
        for path in ("", f"/{instance_id}", f"/{instance_id}/root", f"/{instance_id}/hwinfo", "/nothing/rpc_ping"):
            message = self.refused("GET", f"/mgmt/instances{path}", status=401)
            self.assertIn("for administrators", message)
        for body in ({"stop": {}}, {"reboot": {}}, b"nonsense"):
            self.refused("POST", f"/mgmt/instances/{instance_id}/action", body, status=401)

    def test_an_operator_may_let_others_in(self) -> None:
        policy = self.tempdir() / "policy.yaml"
        policy.write_text('"mgmt:instance:index": "role:member"\n"mgmt:instance:stop": "role:member"\n')
        app = self.make_app(self.new_conf(auth_strategy="noauth", oslo_policy__policy_file=str(policy)))
        theirs = self.active(project=base.OTHER_PROJECT)
        listed = self.call("GET", "/mgmt/instances", status=200, app=app).json["instances"]
        self.assertEqual([(theirs, base.OTHER_PROJECT)], [(item["id"], item["tenant_id"]) for item in listed])
        self.refused("GET", f"/mgmt/instances/{theirs}", status=401, app=app)
        self.call("POST", f"/mgmt/instances/{theirs}/action", {"stop": {}}, status=202, app=app)
        # One rule of several lets the call in; another one then refuses the body.
        path = f"/mgmt/instances/{theirs}/action"
        self.assertIn("mgmt:instance:reboot", self.refused("POST", path, {"reboot": {}}, status=403, app=app))
