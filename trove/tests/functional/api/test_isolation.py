# SPDX-License-Identifier: Apache-2.0
# covers: trove/api/request.py
"""Projects do not see each other: every route is walked with another project's ids, and nothing may change.

The walk follows the table of routes. A route whose first parameter is new stops it until :data:`SHARED` or
:meth:`IsolationTest.makers` says what the parameter names; the bodies follow from the schemas.
"""

import string
from typing import Any

from trove.api import authn, routes, schemas
from trove.common import ids
from trove.tests.functional.api import base, bodies, world

#: Parameters that name what is everybody's.
SHARED = {"flavor_id", "datastore", "version", "volume_type", "quota_project_id"}
#: Parameters that name something inside what the first one names.
INNER = {"database_name": "shop", "user_name": "app", "log_name": "general"}
#: Bodies where the least that a schema allows is not enough.
BODIES: dict[str, Any] = {
    "instance.edit": {"instance": {"name": "stolen"}},
    "ssl.change": {"ssl": {"disable": True}},
    "user.create": {"users": [{"name": INNER["user_name"], "password": "p"}]},
}


def parameters(route: routes.Route) -> list[str]:
    """Return the names in a route's path, without the project."""
    return [name for _, name, _, _ in string.Formatter().parse(route.path) if name and name != "project_id"]


class IsolationTest(world.InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        granted = {"name": "app", "password": "p", "databases": [{"name": "shop"}]}
        self.theirs = self.active(project=base.OTHER_PROJECT, databases=[{"name": "shop"}], users=[granted])
        self.schemas = schemas.load()
        made = {"operation_id": self.workflows(self.theirs)[0]["id"], **self.makers()}
        self.values = {"project_id": base.PROJECT, **INNER, **made}

    def makers(self) -> dict[str, str]:
        """Return what each first parameter names, made in the other project."""
        group = {"configuration": {"name": "g", "values": {"work_mem": "16MB"}}}
        answer = self.call("POST", "/configurations", group, status=200, project=base.OTHER_PROJECT)
        body = {"module": {"name": ids.new_id(), "module_type": "ping", "contents": "message=theirs"}}
        module = self.call("POST", "/modules", body, status=200, project=base.OTHER_PROJECT).json["module"]
        return {
            "instance_id": self.theirs,
            "configuration_id": answer.json["configuration"]["id"],
            "module_id": module["id"],
        }

    def walk(self) -> list[routes.Route]:
        """Return every route about something of a project's own.

        What operators do to the resources of all projects has tests of its own: nobody else gets that far.
        """
        found = []
        for route in routes.ROUTES:
            names = parameters(route)
            if not names or names[0] in SHARED or route.admin:
                continue
            if names[0] not in self.values:
                # Of what cannot be made yet there is none; the first route that is built needs a maker.
                self.assertIsNotNone(
                    route.lacks,
                    f"{route.method} {route.path} is not covered: have makers() make what {{{names[0]}}} names in the "
                    "other project, or write it into SHARED if it belongs to no project",
                )
            for name in names:
                self.values.setdefault(name, ids.new_id())
            found.append(route)
        return found

    def send(self, route: routes.Route, status: int, project: str = base.PROJECT, **options: Any) -> str:
        """Send a request of another project that must be refused and change nothing; return the message."""
        url = "/" + route.path.format(**{**self.values, "project_id": project})
        return self.refused(route.method, url, self.body(route), status=status, version=base.LATEST, **options)

    def body(self, route: routes.Route) -> Any:
        """Return a body that the route accepts."""
        if route.request is None:
            return None
        return BODIES[route.request] if route.request in BODIES else bodies.least(self.schemas[route.request])

    def test_other_projects_ids_do_not_exist(self) -> None:
        for route in self.walk():
            with self.subTest(f"{route.method} {route.path}; is its body in BODIES?"):
                message = self.send(route, 404)
                self.assertIn(self.values[parameters(route)[0]], message)

    def test_every_form_of_a_body(self) -> None:
        """Where the members of a body are alternatives, each of them; some are an administrator's only."""
        for route in self.walk():
            schema = self.schemas[route.request] if route.request else {}
            if schema.get("maxProperties") == 1:
                url = "/" + route.path.format(**self.values)
                before = self.everything()
                for name, form in schema["properties"].items():
                    answer = self.call(route.method, url, {name: bodies.least(form)}, version=base.LATEST)
                    self.assertIn(answer.status_int, (403, 404), f"{route.method} {route.path} {name}: {answer.text}")
                self.assertEqual(before, self.everything())

    def test_the_other_projects_path_is_forbidden(self) -> None:
        app = self.basic_app()
        headers = {"Authorization": "Basic bWU6cA=="}
        for route in self.walk():
            with self.subTest(f"{route.method} {route.path}"):
                self.send(route, 403, base.OTHER_PROJECT, app=app, headers=headers)

    def basic_app(self) -> Any:
        """Return an application that knows one member of this test's project."""
        path = self.tempdir() / "users.yaml"
        user = {"name": "me", "password": "p", "project_id": base.PROJECT, "roles": ["member"]}
        authn.write_users_file(path, [user])
        return self.make_app(self.new_conf(auth_strategy="http_basic", http_basic_auth_user_file=str(path)))

    def test_the_owner_may(self) -> None:
        """The same walk by the owner finds everything, so that the tests above test something."""
        for route in self.walk():
            inner = set(parameters(route)[1:]) - {"database_name", "user_name", "operation_id"}
            if route.method == "GET" and route.lacks is None and not inner:
                url = "/" + route.path.format(**{**self.values, "project_id": base.OTHER_PROJECT})
                with self.subTest(f"GET {route.path}"):
                    self.call("GET", url, status=200, version=base.LATEST)

    def test_lists_show_nothing_of_others(self) -> None:
        theirs = {base.OTHER_PROJECT, *self.makers().values()}
        for route in routes.ROUTES:
            if route.method == "GET" and not parameters(route) and not route.admin:
                answer = self.call("GET", "/" + route.path.format(**self.values), status=200, version=base.LATEST)
                self.assertEqual([], [found for found in theirs if found in answer.text], route.path)

    def test_ids_in_bodies(self) -> None:
        mine, group = self.active(), self.values["configuration_id"]
        module = {"modules": [{"id": self.values["module_id"]}]}
        self.refused("POST", "/instances", self.wanted(**module), status=404)
        self.refused("POST", f"/instances/{mine}/modules", module, status=404)
        self.refused("POST", "/instances", self.wanted(configuration=group), status=404)
        self.refused("PUT", f"/instances/{mine}", {"instance": {"configuration": group}}, status=404)

    def test_project_ids_that_could_not_be_stored(self) -> None:
        for project, status in (("p" * 255, 200), ("p" * 256, 404), ("%C3%BC%20%2F%25", 200)):
            self.call("POST", "/instances", self.wanted(), status=status, project=project)
            self.call("GET", "/instances", status=status, project=project)
