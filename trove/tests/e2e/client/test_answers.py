# SPDX-License-Identifier: Apache-2.0
"""What the client needs of every answer, beyond what its commands show; the list is in the documentation."""

from collections.abc import Iterator
from typing import Any

from trove.tests.e2e.client.base import ClientTestCase

#: The client takes a member that is there for one that has a value.
_NEVER_NULL = frozenset((
    "volume", "replica_of", "replicas", "access", "fault", "configuration", "datastore", "ip", "networks", "flavor",
    "links",
))  # fmt: skip


def _nulls(document: Any, path: str = "") -> Iterator[str]:
    if isinstance(document, list):
        for item in document:
            yield from _nulls(item, path)
    elif isinstance(document, dict):
        for key, value in document.items():
            if value is None and key in _NEVER_NULL:
                yield f"{path}.{key}"
            yield from _nulls(value, f"{path}.{key}")


class AnswerTest(ClientTestCase):
    def get(self, path: str) -> Any:
        """Return what a path answers at the version that the client uses."""
        answer = self.http.call("GET", path)
        answer.raise_for_status()
        return answer.json()

    def test_nothing_optional_is_null(self) -> None:
        instance_id = self.world.instance("postgresql")
        for path in ("/instances", f"/instances/{instance_id}", "/mgmt/instances", "/configurations"):
            self.assertEqual([], list(_nulls(self.get(path))), path)
        shown = self.get(f"/instances/{instance_id}")["instance"]
        self.assertIsInstance(shown["flavor"]["id"], str)
        self.assertLessEqual({"type", "version", "version_number"}, set(shown["datastore"]))
        self.assertNotIn("replicas", shown)
        for flavor in self.get("/flavors")["flavors"]:
            self.assertIsInstance(flavor["id"], int | None)
            self.assertIsInstance(flavor["str_id"], str)

    def test_links_of_pages(self) -> None:
        instance_id = self.world.instance("postgresql")
        for path in ("/instances", "/configurations", f"/instances/{instance_id}/databases"):
            self.assertIsInstance(self.get(path).get("links", []), list, path)
        self.world.instance("mariadb")
        (link,) = self.get("/instances?limit=1")["links"]
        self.assertEqual("next", link["rel"])
        self.assertIn("marker=", link["href"])

    def test_errors_have_one_member_with_a_message(self) -> None:
        unknown = "00000000-0000-0000-0000-000000000000"
        for method, path, body, status in (
            ("GET", f"/instances/{unknown}", None, 404),
            ("GET", "/nowhere", None, 404),
            ("POST", "/instances", {"instance": {}}, 400),
            ("POST", "/instances", {}, 400),
            ("POST", "/backups", {"backup": {"name": "b", "instance": unknown, "incremental": 0}}, 404),
            ("GET", f"/instances/{unknown}/ssl", None, 404),
            ("PUT", "/instances", {}, 405),
        ):
            answer = self.http.call(method, path, body)
            self.assertEqual(status, answer.status_code, (path, answer.text))
            self.assertEqual("application/json", answer.headers["Content-Type"].partition(";")[0])
            (error,) = answer.json().values()
            self.assertEqual(status, error["code"])
            self.assertTrue(error["message"])

    def test_spellings_of_the_client(self) -> None:
        for query in ("include_clustered=False&deleted=False", "include_clustered=True&deleted=True"):
            self.get(f"/mgmt/instances?{query}")
            self.get(f"/instances?{query.partition('&')[0]}")
        size_and_no_type = {"volume": {"size": 1, "type": None}, "access": {"is_public": False}}
        instance_id = self.world.request_instance("null-type", "redis", **size_and_no_type)
        self.get(f"/instances/{instance_id}")  # which the client asks at once
        self.http.wait_active(instance_id)
        self.http.call("DELETE", f"/instances/{instance_id}").raise_for_status()
        self.http.wait_gone(instance_id)
