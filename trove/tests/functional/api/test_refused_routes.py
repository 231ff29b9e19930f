# SPDX-License-Identifier: Apache-2.0
# covers: trove/api/refusals.py
"""What is routed and cannot be done in this release: who may ask is checked first, then the request, and then it is
refused with the capability it needs; nothing is changed, and lists are empty."""

from typing import Any

from trove.api import authn, routes
from trove.common import ids
from trove.tests.functional.api import base, world

SOME_ID = "11111111-2222-3333-4444-555555555555"
CONTAINER = "https://keys.example/v1/containers/1"

CLUSTER = {
    "name": "ring",
    "datastore": {"type": "mariadb", "version": "11"},
    "instances": [
        {"flavorRef": "small", "volume": {"size": "1"}, "type": ["member"], "nics": [{"network_id": "n"}]},
        {"flavorRef": 5, "volume": {"size": 1, "type": None}, "modules": [{"id": SOME_ID}]},
    ],
    "locality": "affinity",
    "extended_properties": {"num_configsvr": 1},
    "configuration": None,
}

#: For each handler that lacks a capability and reads a body, one that it would accept.
BODIES: dict[str, Any] = {
    "backups:create": {"backup": {"name": "nightly", "instance": "INSTANCE", "incremental": 0}},
    "backup_strategies:create": {"backup_strategy": {"swift_container": "c", "instance_id": ""}},
    "clusters:create": {"cluster": CLUSTER},
    "clusters:action": {"grow": CLUSTER["instances"]},
    "clusters:enable_root": {"password": "p"},
    "ssl:change": {"ssl": {"enable": True, "mode": "basic", "container_ref": CONTAINER, "password_ref": CONTAINER}},
    "mgmt_clusters:action": {"reset-task": {}},
}
#: What is refused for what does not exist, not for what cannot be made.
MISSING = {
    "backups:show",
    "backups:delete",
    "clusters:show",
    "clusters:action",
    "clusters:delete",
    "clusters:show_instance",
    "clusters:root",
    "clusters:enable_root",
    "clusters:disable_root",
    "security_groups:show",
    "mgmt_clusters:show",
    "mgmt_clusters:action",
}
LISTS = {
    "/backups": "backups",
    "/backups?all_projects=False&limit=2&marker=20&instance_id=x&datastore=postgresql": "backups",
    "/backup_strategies": "backup_strategies",
    f"/backup_strategies?instance_id={SOME_ID}&project_id={base.PROJECT}": "backup_strategies",
    "/clusters?limit=20": "clusters",
    "/security-groups": "security_groups",
}


class RefusalTest(world.InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.target = self.active()
        values = {"project_id": base.PROJECT, "instance_id": self.target}
        self.values = {**dict.fromkeys(("backup_id", "cluster_id", "member_id", "group_id"), SOME_ID), **values}

    def lacking(self) -> list[routes.Route]:
        """Return the routes that never succeed."""
        return [route for route in routes.ROUTES if route.lacks is not None]

    def body(self, route: routes.Route) -> Any:
        """Return a body that the route would accept."""
        body = BODIES.get(route.handler)
        self.assertEqual(route.request is None, body is None, route.handler)
        if route.handler == "backups:create":
            return {"backup": {**body["backup"], "instance": self.target}}
        return body

    def test_every_one_names_what_it_lacks_and_changes_nothing(self) -> None:
        for route in self.lacking():
            status = 404 if route.handler in MISSING else 501
            with self.subTest(f"{route.method} {route.path}"):
                url = "/" + route.path.format(**self.values)
                message = self.refused(
                    route.method, url, self.body(route), status=status, app=self.admin, version="1.2"
                )
                self.assertIn(SOME_ID if status == 404 else f"'{route.lacks}'", message)
        self.assertNotIn("fault", self.show(self.target))

    def test_policy_comes_first(self) -> None:
        path = self.tempdir() / "users.yaml"
        authn.write_users_file(
            path, [{"name": "me", "password": "p", "project_id": base.OTHER_PROJECT, "roles": ["member"]}]
        )
        app = self.make_app(self.new_conf(auth_strategy="http_basic", http_basic_auth_user_file=str(path)))
        headers = {"Authorization": "Basic bWU6cA=="}
        for route in self.lacking():
            with self.subTest(f"{route.method} {route.path}"):
                url = "/" + route.path.format(**self.values)
                self.refused(route.method, url, b"nonsense", status=403, app=app, headers=headers)
                if route.admin:
                    ours = "/" + route.path.format(**{**self.values, "project_id": base.OTHER_PROJECT})
                    self.refused(route.method, ours, b"nonsense", status=401, app=app, headers=headers)

    def test_lists_are_empty(self) -> None:
        for path, name in LISTS.items():
            self.assertEqual({name: []}, self.call("GET", path, status=200).json)
        self.assertEqual({"backups": []}, self.call("GET", f"/instances/{self.target}/backups", status=200).json)
        self.call("GET", f"/instances/{ids.new_id()}/backups", status=404)
        self.assertEqual({"clusters": []}, self.call("GET", "/mgmt/clusters", status=200, app=self.admin).json)
        self.refused("GET", "/mgmt/clusters", status=401)
        self.call("DELETE", f"/backup_strategies?instance_id={self.target}", status=202)

    def test_other_projects_are_for_administrators(self) -> None:
        for query in (f"project_id={base.OTHER_PROJECT}", f"project_id={base.PROJECT}", "all_projects=True"):
            self.assertIn("all_projects", self.refused("GET", f"/backups?{query}", status=403))
            self.call("GET", f"/backups?{query}", status=200, app=self.admin)
        for method, status in (("GET", 200), ("DELETE", 202)):
            path = f"/backup_strategies?project_id={base.OTHER_PROJECT}"
            self.refused(method, path, status=403)
            self.call(method, path, status=status, app=self.admin)

    def test_what_a_request_refers_to_is_looked_for(self) -> None:
        gone = ids.new_id()
        self.refused("GET", "/backups?datastore=nothing", status=404)
        theirs = self.create(project=base.OTHER_PROJECT)["id"]
        for instance_id in (gone, theirs):
            backup = {"backup": {"name": "b", "instance": instance_id}}
            self.assertIn(instance_id, self.refused("POST", "/backups", backup, status=404))
            strategy = {"backup_strategy": {"swift_container": "c", "instance_id": instance_id}}
            self.refused("POST", "/backup_strategies", strategy, status=404)
            self.refused("GET", f"/instances/{instance_id}/ssl", status=404)
            self.refused("POST", f"/instances/{instance_id}/ssl", {"ssl": {"disable": 1}}, status=404)
        parent = {"backup": {"name": "b", "instance": self.target, "parent_id": gone}}
        self.assertIn(gone, self.refused("POST", "/backups", parent, status=404))

    def test_wrong_backups(self) -> None:
        for change in (
            {"name": ""}, {"name": "-"}, {"instance": ""}, {"instance": None}, {"incremental": 2}, {"parent_id": "x"},
            {"swift_container": "a;b"}, {"swift_container": "a/b"}, {"swift_container": "..."},
            {"restore_from": {}}, {"restore_from": {"remote_location": "u", "local_datastore_version_id": "x"}},
        ):  # fmt: skip
            with self.subTest(str(change)):
                body = {"backup": {"name": "b", "instance": self.target, **change}}
                self.refused("POST", "/backups", body, status=400)
        self.assertIn("instance is required", self.refused("POST", "/backups", {"backup": {"name": "b"}}, status=400))
        restored = {"remote_location": "u", "local_datastore_version_id": SOME_ID, "size": 1.0}
        self.refused("POST", "/backups", {"backup": {"name": "b", "restore_from": restored}}, status=501)
        for body in ({}, {"backup_strategy": {}}, {"backup_strategy": {"swift_container": "c", "x": 1}}):
            self.refused("POST", "/backup_strategies", body, status=400)

    def test_wrong_clusters(self) -> None:
        for change in (
            {"name": None}, {"datastore": {"type": "mariadb"}}, {"instances": []}, {"instances": [{"volume": 1}]},
            {"locality": "near"}, {"configuration": "x"}, {"extended_properties": {"num_mongos": -1}},
        ):  # fmt: skip
            with self.subTest(str(change)):
                self.refused("POST", "/clusters", {"cluster": {**CLUSTER, **change}}, status=400)
        for body in (
            {}, {"grow": [], "shrink": []}, {"grow": []}, {"shrink": [{"id": "x"}]}, {"dance": {}}, {"upgrade": {}},
            {"configuration_attach": {}}, [], None,
        ):  # fmt: skip
            with self.subTest(str(body)):
                self.refused("POST", f"/clusters/{SOME_ID}", body, status=400)
        self.refused("POST", f"/mgmt/clusters/{SOME_ID}/action", {"grow": []}, status=400, app=self.admin)

    def test_who_may_reset_a_cluster(self) -> None:
        path = f"/clusters/{SOME_ID}"
        self.assertIn("cluster:reset-status", self.refused("POST", path, {"reset-status": {}}, status=403))
        self.refused("POST", path, {"reset-status": {}}, status=404, app=self.admin)
        self.refused("POST", path, {"restart": {}}, status=404)

    def test_wrong_ssl(self) -> None:
        path = f"/instances/{self.target}/ssl"
        for change in (
            {}, {"enable": True}, {"enable": True, "disable": True, "container_ref": CONTAINER}, {"mode": "basic"},
            {"enable": 1, "container_ref": CONTAINER, "mode": "best"}, {"disable": "yes"}, {"disable": 1, "x": 1},
            {"disable": 0},
        ):  # fmt: skip
            with self.subTest(str(change)):
                self.refused("POST", path, {"ssl": change}, status=400)
        message = self.refused("POST", path, {"ssl": {"enable": 1, "disable": 1}}, status=400)
        self.assertIn("exactly one", message)
        self.assertIn("container_ref", message)
        self.refused("GET", f"{path}?include_certificate=True", status=501)

    def test_replicas(self) -> None:
        for name, words in (("promote_to_replica_source", "not a replica"), ("eject_replica_source", "no replicas")):
            path = f"/instances/{self.target}/action"
            self.assertIn(words, self.refused("POST", path, {name: {}}, status=400))
            self.refused("POST", path, {name: 1}, status=400)

    def test_what_nobody_serves(self) -> None:
        for method, path in (
            ("GET", "/mgmt/accounts"), ("GET", "/mgmt/hosts"), ("GET", "/mgmt/storage"), ("GET", "/mgmt/flavors"),
            ("POST", "/security-group-rules"), ("DELETE", f"/security-group-rules/{SOME_ID}"),
            ("POST", f"/mgmt/instances/{SOME_ID}/upgrade"), ("GET", f"/instances/{SOME_ID}/metadata"),
        ):  # fmt: skip
            self.refused(method, path, status=404, app=self.admin)
        # What a management path must not inherit from the tenant's.
        for method, path in (
            ("POST", "/mgmt/instances"), ("DELETE", f"/mgmt/instances/{SOME_ID}"),
            ("PUT", f"/mgmt/instances/{SOME_ID}"), ("PATCH", f"/mgmt/instances/{SOME_ID}"),
            ("POST", "/mgmt/clusters"), ("DELETE", f"/mgmt/clusters/{SOME_ID}"),
        ):  # fmt: skip
            self.refused(method, path, {}, status=405, app=self.admin)
