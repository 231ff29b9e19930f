# SPDX-License-Identifier: Apache-2.0
"""Who asks for a list and may see it gets one, empty where there is nothing to list, whatever the engine cannot do.

Existing clients look names up in lists and show a page for each, so a refusal breaks more than the one call.
"""

from typing import Any

from trove.api import routes, schemas
from trove.tests.functional.api import world

SOME_ID = "11111111-2222-3333-4444-555555555555"
SCHEMAS = schemas.load()


def is_list(route: routes.Route) -> bool:
    """Tell whether a route's answer is an object with a list, and perhaps links to more of it."""
    if route.method != "GET" or route.response is None:
        return False
    schema = SCHEMAS[route.response]
    forms = schema.get("anyOf", [schema])
    return any(
        item.get("type") == "array"
        for form in forms
        for name, item in form.get("properties", {}).items()
        if not name.endswith("links")
    )


class ListsTest(world.InstanceTestCase):
    def test_none_is_refused_for_what_an_engine_lacks(self) -> None:
        instance_id = self.active(datastore={"type": "tiny"}, volume=None)
        values: dict[str, Any] = {
            "project_id": self.project_of(instance_id), "instance_id": instance_id, "datastore": "tiny",
            "version": self.tiny.id, "version_id": self.tiny.id, "user_name": "ann",
        }  # fmt: skip
        walked = []
        for route in filter(is_list, routes.ROUTES):
            if route.public:
                continue
            url = "/" + route.path.format_map(_Known(values))
            least = ".".join(map(str, max((1, 0), tuple(route.min_version))))
            with self.subTest(route.path):
                answer = self.call("GET", url, app=self.admin, version=least)
                self.assertIn(answer.status_int, (200, 404), answer.text)
                self.assertTrue(answer.status_int == 200 or SOME_ID in url or "ann" in url, answer.text)
                walked.append(route.path)
        for name in ("databases", "users", "backups", "log", "modules"):
            self.assertIn(f"{routes.P}/instances/{{instance_id}}/{name}", walked)
        self.assertGreater(len(walked), 25)

    def project_of(self, instance_id: str) -> str:
        """Return the project of an instance."""
        return str(self.show(instance_id, app=self.admin)["tenant_id"])


class _Known(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return SOME_ID
