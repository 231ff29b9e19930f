# SPDX-License-Identifier: Apache-2.0
"""What gophercloud and the Terraform provider above it send and read, as the sources of both have it
(``openstack/db/v1`` of gophercloud, ``resource_openstack_db_*_v1.go`` of the provider): they are programs in Go, which
no test here runs."""

from typing import Any

from trove.common import ids
from trove.tests.functional.api import world


class GophercloudTest(world.InstanceTestCase):
    provider_capabilities = frozenset[str]()
    only_network = ids.new_id()

    def pages(self, path: str, collection: str) -> list[dict[str, Any]]:
        """Return the items of all pages, followed as gophercloud follows them."""
        found: list[dict[str, Any]] = []
        while path:
            document = self.call("GET", path, status=200).json
            found += document[collection]
            following = [link["href"] for link in document.get(f"{collection}_links", ()) if link["rel"] == "next"]
            path = "".join(following).partition("/v1.0/")[2]
            path = path and f"/{path.partition('/')[2]}"
        return found

    def test_an_instance(self) -> None:
        wanted = {
            "flavorRef": "small",
            "name": "orders",
            "databases": [{"name": "shop"}],
            "users": [{"name": "app", "password": "p", "databases": [{"name": "shop"}]}],
            "datastore": {"type": "postgresql", "version": "16"},
            "nics": [{"net-id": self.only_network}],
            "volume": {"size": 1},
        }
        made = self.call("POST", "/instances", {"instance": wanted}, status=200).json["instance"]
        self.settle()
        shown = self.show(made["id"])
        self.assertEqual("ACTIVE", shown["status"])
        self.assertEqual(shown["ip"][0], shown["hostname"])
        # Its way to detach a configuration group, which it does also where there is none.
        self.call("PUT", f"/instances/{made['id']}", {"instance": {}}, status=202)
        self.call("DELETE", f"/instances/{made['id']}", status=202)
        self.settle()
        self.call("GET", f"/instances/{made['id']}", status=404)

    def test_the_twenty_first(self) -> None:
        instance_id = self.active()
        names = [f"n{number:02}" for number in range(21)]
        self.call(
            "POST", f"/instances/{instance_id}/databases", {"databases": [{"name": name} for name in names]}, status=202
        )
        users = [{"name": name, "password": "p"} for name in names]
        self.call("POST", f"/instances/{instance_id}/users", {"users": users}, status=202)
        self.settle()
        for collection in ("databases", "users"):
            found = self.pages(f"/instances/{instance_id}/{collection}", collection)
            self.assertEqual(names, [item["name"] for item in found])

    def test_more_instances_than_a_page_has(self) -> None:
        made = {self.create(volume={"size": 1})["id"] for _ in range(3)}
        self.assertEqual(made, {item["id"] for item in self.pages("/instances?limit=1", "instances")})
