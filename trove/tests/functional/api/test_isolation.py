# SPDX-License-Identifier: Apache-2.0
"""Projects do not see each other: every route is walked with another project's ids, and nothing may change."""

from typing import Any

from trove.api import authn, routes
from trove.tests.functional.api import base, world

#: A body that the route would accept.
BODIES: dict[str, Any] = {
    "instance.update": {"instance": {"name": "stolen"}},
    "instance.edit": {"instance": {"name": "stolen"}},
    "instance.action": {"restart": {}},
    "database.create": {"databases": [{"name": "stolen"}]},
    "user.create": {"users": [{"name": "app", "password": "p"}]},
    "user.update_all": {"users": [{"name": "app", "password": "stolen"}]},
    "user.update": {"user": {"password": "stolen"}},
    "user_access.update": {"databases": [{"name": "shop"}]},
    "root.create": {"password": "stolen"},
    "ssl.change": {"ssl": {"disable": True}},
}


class IsolationTest(world.InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        granted = {"name": "app", "password": "p", "databases": [{"name": "shop"}]}
        self.theirs = self.active(project=base.OTHER_PROJECT, databases=[{"name": "shop"}], users=[granted])
        self.values = {
            "project_id": base.PROJECT,
            "instance_id": self.theirs,
            "database_name": "shop",
            "user_name": "app",
            "operation_id": self.workflows(self.theirs)[0]["id"],
        }

    def walk(self) -> list[routes.Route]:
        """Return every route about an instance of one's own; one that this test has no body for fails it.

        What operators do to the instances of all projects has tests of its own.
        """
        found = [route for route in routes.ROUTES if "{instance_id}" in route.path and not route.admin]
        self.assertEqual(set(), {route.request for route in found if route.request} - set(BODIES))
        return found

    def test_other_projects_ids_do_not_exist(self) -> None:
        for route in self.walk():
            url = "/" + route.path.format(**self.values)
            with self.subTest(f"{route.method} {route.path}"):
                body = BODIES[route.request] if route.request else None
                message = self.refused(route.method, url, body, status=404, version="1.1")
                self.assertIn(f"Instance {self.theirs} was not found", message)

    def test_actions_too(self) -> None:
        for body in ({"resize": {"volume": 3}}, {"resize": {"flavorRef": "medium"}},
                     {"reset_status": {"force_delete": True}}, {"reset_status": {}}):  # fmt: skip
            self.refused("POST", f"/instances/{self.theirs}/action", body, status=404)

    def test_the_other_projects_path_is_forbidden(self) -> None:
        app = self.basic_app()
        for route in self.walk():
            url = "/" + route.path.format(**{**self.values, "project_id": base.OTHER_PROJECT})
            body = BODIES[route.request] if route.request else None
            headers = {"Authorization": "Basic bWU6cA=="}
            with self.subTest(f"{route.method} {route.path}"):
                self.refused(route.method, url, body, status=403, version="1.1", app=app, headers=headers)

    def basic_app(self) -> Any:
        """Return an application that knows one member of this test's project."""
        path = self.tempdir() / "users.yaml"
        user = {"name": "me", "password": "p", "project_id": base.PROJECT, "roles": ["member"]}
        authn.write_users_file(path, [user])
        return self.make_app(self.new_conf(auth_strategy="http_basic", http_basic_auth_user_file=str(path)))

    def test_the_owner_may(self) -> None:
        """The same walk by the owner finds everything, so that the tests above test something."""
        for route in self.walk():
            if route.method == "GET" and route.lacks is None:
                url = "/" + route.path.format(**{**self.values, "project_id": base.OTHER_PROJECT})
                self.call("GET", url, status=200, version="1.1")

    def test_project_ids_that_could_not_be_stored(self) -> None:
        for project, status in (("p" * 255, 200), ("p" * 256, 404), ("%C3%BC%20%2F%25", 200)):
            self.call("POST", "/instances", self.wanted(), status=status, project=project)
            self.call("GET", "/instances", status=status, project=project)
