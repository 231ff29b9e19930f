# SPDX-License-Identifier: Apache-2.0
# covers: trove/api/requests/access.py
"""Where an instance is and who reaches it: what a request wants arrives at the cloud, and goes away with it."""

from typing import Any

from trove.common import ids
from trove.db import models
from trove.providers import base as providers
from trove.tests.functional.api import world


class PlacedTest(world.InstanceTestCase):
    def tag(self, instance_id: str, part: str) -> str:
        return ids.instance_tag(instance_id, part)

    def test_zone_and_network(self) -> None:
        network, subnet = ids.new_id(), ids.new_id()
        nic = {"net-id": network, "subnet_id": subnet, "ip_address": "192.0.2.9"}
        instance_id = self.active(availability_zone="west", nics=[nic])
        self.assertEqual("west", self.cloud.spec(self.tag(instance_id, "server")).availability_zone)
        address = {"address": "192.0.2.9", "type": "private", "network": network}
        self.assertEqual([address], self.show(instance_id)["addresses"])

    def test_a_group_is_there_as_long_as_an_instance_in_it(self) -> None:
        instance_id = self.active(locality="anti-affinity")
        self.assertEqual("anti-affinity", self.show(instance_id)["locality"])
        self.assertEqual(["anti-affinity"], list(self.cloud.groups().values()))
        self.assertNotIn("locality", self.show(self.active()))
        self.call("DELETE", f"/instances/{instance_id}", status=202)
        self.settle()
        self.assertEqual(({}, []), (self.cloud.groups(), self.rows(models.ServerGroup)))

    def test_a_group_whose_creation_failed(self) -> None:
        self.cloud.fail_next("ensure_server", providers.QuotaError("no room"))
        instance_id = self.create(locality="affinity")["id"]
        self.settle()
        self.assertEqual("ERROR", self.show(instance_id)["status"])
        self.call("DELETE", f"/instances/{instance_id}", status=202)
        self.settle()
        self.assertEqual([], self.rows(models.ServerGroup))

    def test_access_at_creation(self) -> None:
        access = {"is_public": True, "allowed_cidrs": ["192.0.2.0/24", "2001:db8::/32"]}
        instance_id = self.active(access=access)
        shown = self.show(instance_id)
        self.assertEqual(access, shown["access"])
        self.assertEqual(["private", "public"], [item["type"] for item in shown["addresses"]])
        reach = self.cloud.access(self.tag(instance_id, "port"))
        self.assertEqual((True, ("192.0.2.0/24", "2001:db8::/32")), (reach.is_public, reach.allowed_cidrs))

    def test_what_makes_no_sense(self) -> None:
        self.conf.set_override("availability_zones", ["west", "east"])
        some_id = ids.new_id()
        for wrong, word in (
            ({"availability_zone": "north"}, "west, east"),
            ({"nics": [{}]}, "network_id or subnet_id"),
            ({"nics": [{"network_id": some_id, "ip_address": "192.0.2.9"}]}, "subnet_id"),
            ({"nics": [{"subnet_id": some_id, "ip_address": "192.0.2.999"}]}, "ip_address"),
            ({"nics": [{"net-id": some_id, "network_id": ids.new_id()}]}, "differ"),
            ({"access": {"allowed_cidrs": ["192.0.2.0/33"]}}, "192.0.2.0/24"),
            ({"access": {"allowed_cidrs": ["all"]}}, "all"),
            ({"access": {"allowed_cidrs": ["192.0.2.0/24", "192.0.2.0/24"]}}, "twice"),
        ):
            message = self.refused("POST", "/instances", self.wanted(**wrong), status=400)
            self.assertIn(word, message)
        both = self.wanted(availability_zone="north", access={"allowed_cidrs": ["x"]})
        message = self.refused("POST", "/instances", both, status=400)
        self.assertIn("west, east", message)
        self.assertIn("192.0.2.0/24", message)


class OnlyNetworkTest(world.InstanceTestCase):
    """A provider with one network, and without any capability about networks: the local one."""

    provider_capabilities = frozenset[str]()
    only_network = ids.new_id()

    def test_what_clients_of_clouds_send(self) -> None:
        for key, written in (("net-id", self.only_network), ("network_id", self.only_network.upper())):
            access = {"is_public": True, "allowed_cidrs": ["0.0.0.0/0"]}
            instance_id = self.active(nics=[{key: written}], access=access)
            self.assertEqual(access, self.show(instance_id)["access"])

    def test_another_network_or_a_place_in_it(self) -> None:
        for nic in (
            {"net-id": ids.new_id()},
            {"subnet_id": ids.new_id()},
            {"network_id": self.only_network, "ip_address": "192.0.2.9"},
            {"network_id": self.only_network, "net-id": ids.new_id()},
            {},
        ):
            message = self.refused("POST", "/instances", self.wanted(nics=[nic]), status=400)
            self.assertIn(f"the one network of this service, {self.only_network}", message)

    def test_who_is_kept_out(self) -> None:
        for cidrs in (["192.0.2.0/24"], []):
            message = self.refused("POST", "/instances", self.wanted(access={"allowed_cidrs": cidrs}), status=501)
            self.assertIn("'access.allowed_cidrs' needs the capability 'access-rules'", message)
        instance_id = self.active()
        for cidrs in (["192.0.2.0/24"], []):
            body = {"instance": {"access": {"allowed_cidrs": cidrs}}}
            self.refused("PUT", f"/instances/{instance_id}", body, status=501)

    def test_a_change_that_lets_in_the_same(self) -> None:
        instance_id = self.active()
        for access in ({"is_public": True}, {"allowed_cidrs": ["0.0.0.0/0"]}, {"is_public": False}):
            before = len(self.workflows(instance_id))
            self.call("PUT", f"/instances/{instance_id}", {"instance": {"access": access}}, status=202)
            shown = self.show(instance_id, version="1.2")
            self.assertEqual(("ACTIVE", before), (shown["status"], len(self.workflows(instance_id))))
            self.assertEqual(access, {key: shown["access"][key] for key in access})
        self.action(instance_id, {"restart": {}})
        body = {"instance": {"access": {"is_public": True}}}
        self.refused("PUT", f"/instances/{instance_id}", body, status=422)


class AccessTest(world.InstanceTestCase):
    def change(self, instance_id: str, access: dict[str, Any], status: int = 202, **options: Any) -> Any:
        body = {"instance": {"access": access}}
        return self.call("PUT", f"/instances/{instance_id}", body, status=status, **options)

    def reach(self, instance_id: str) -> providers.Access:
        return self.cloud.access(ids.instance_tag(instance_id, "port"))

    def test_a_change_is_merged(self) -> None:
        instance_id = self.active(access={"allowed_cidrs": ["192.0.2.0/24"]})
        self.change(instance_id, {"is_public": True})
        self.assertEqual(("ACTIVE", ""), self.status(instance_id))
        self.assertEqual("UPDATING", self.show(instance_id, version="1.2")["status"])
        self.settle()
        self.assertEqual(("ACTIVE", "HEALTHY"), self.status(instance_id))
        shown = self.show(instance_id)
        self.assertEqual({"is_public": True, "allowed_cidrs": ["192.0.2.0/24"]}, shown["access"])
        self.assertEqual(2, len(shown["ip"]))
        self.change(instance_id, {"is_public": False, "allowed_cidrs": ["0.0.0.0/0"]})
        self.settle()
        self.assertEqual(providers.Access(), self.reach(instance_id))
        self.assertEqual(1, len(self.show(instance_id)["ip"]))

    def test_an_empty_list_lets_nobody_in(self) -> None:
        instance_id = self.active()
        self.change(instance_id, {"allowed_cidrs": []})
        self.settle()
        self.assertEqual(("0.0.0.0/32",), self.reach(instance_id).allowed_cidrs)

    def test_what_changes_nothing(self) -> None:
        instance_id = self.active()
        before = self.everything()
        self.change(instance_id, {"is_public": False})
        self.assertEqual(before, self.everything())

    def test_a_failure_leaves_what_was(self) -> None:
        instance_id = self.active(access={"allowed_cidrs": ["192.0.2.0/24"]})
        self.cloud.fail_next("set_access", providers.FatalError("no"))
        self.change(instance_id, {"allowed_cidrs": ["198.51.100.0/24"]})
        self.settle()
        shown = self.show(instance_id)
        self.assertEqual(("ACTIVE", ["192.0.2.0/24"]), (shown["status"], shown["access"]["allowed_cidrs"]))
        self.assertEqual(("192.0.2.0/24",), self.reach(instance_id).allowed_cidrs)
        self.assertIn("access", shown["fault"]["message"])
        self.change(instance_id, {"allowed_cidrs": ["198.51.100.0/24"]})
        self.settle()
        self.assertNotIn("fault", self.show(instance_id))

    def test_refusals(self) -> None:
        instance_id = self.active()
        path, body = f"/instances/{instance_id}", {"instance": {"access": {"allowed_cidrs": ["192.0.2.0/33"]}}}
        self.assertIn("192.0.2.0/24", self.refused("PUT", path, body, status=400))
        wanted = {"instance": {"access": {"allowed_cidrs": ["192.0.2.0/24"], "is_public": True}}}
        self.action(instance_id, {"restart": {}})
        self.assertIn(instance_id, self.refused("PUT", path, wanted, status=422))
        self.settle()
        self.provider_capabilities = frozenset()
        self.app = self.make_app(self.conf)
        message = self.refused("PUT", path, wanted, status=501)
        self.assertIn("'access-rules'", message)
        self.assertIn("'public-addresses'", message)
