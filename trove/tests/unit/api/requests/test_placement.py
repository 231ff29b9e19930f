# SPDX-License-Identifier: Apache-2.0
"""What a request wants of the place of an instance, held against what a provider can."""

from typing import Any
from unittest import mock

from trove.api.requests import placement
from trove.common import exception, ids
from trove.providers.base import Capability
from trove.providers.registry import Traits
from trove.tests import base

NETWORK, SUBNET = ids.new_id(), ids.new_id()
CLOUD = Traits(frozenset({Capability.NETWORKS.value}))
ONE = Traits(frozenset(), only_network=NETWORK)


class PlacementTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.req: Any = mock.Mock()
        self.req.services.conf = self.new_conf(availability_zones=["east", "west"])

    def resolved(self, provider: Traits, **body: Any) -> placement.Placement:
        return placement.resolve(self.req, provider, body)

    def refusal(self, provider: Traits, **body: Any) -> str:
        return str(self.assertRaises(exception.ValidationFailed, self.resolved, provider, **body))

    def test_nothing_wanted(self) -> None:
        found = self.resolved(CLOUD)
        self.assertEqual((None, None, None), (found.availability_zone, found.nic, found.locality))
        self.assertFalse(found.access["is_public"])

    def test_a_network_may_be_named_in_two_ways(self) -> None:
        expected = {"network": NETWORK, "subnet": SUBNET, "address": "192.0.2.9"}
        for name in ("net-id", "network_id"):
            nic = {name: NETWORK, "subnet_id": SUBNET, "ip_address": "192.0.2.9"}
            self.assertEqual(expected, self.resolved(CLOUD, nics=[nic]).nic)

    def test_the_only_network_is_not_chosen(self) -> None:
        self.assertIsNone(self.resolved(ONE, nics=[{"net-id": NETWORK.upper()}]).nic)
        self.assertIn("only name the one network", self.refusal(ONE, nics=[{"net-id": SUBNET}]))

    def test_all_objections_come_at_once(self) -> None:
        nic = {"network_id": NETWORK, "net-id": SUBNET, "ip_address": "here"}
        found = self.refusal(CLOUD, availability_zone="north", nics=[nic])
        for reason in ("'north' does not exist", "needs subnet_id", "an ip_address that is none", "which differ"):
            self.assertIn(reason, found)
        self.assertIn("network_id or subnet_id", self.refusal(CLOUD, nics=[{}]))

    def test_what_a_provider_lacks_is_named(self) -> None:
        body = {"nics": [{"net-id": NETWORK}], "locality": "affinity", "access": {"is_public": True}}
        self.assertEqual(
            ["'access.is_public'", "'locality'"],
            [text.split()[0] for text in placement.lacks(CLOUD, placement.needs(CLOUD, body))],
        )
        self.assertEqual(["'locality'"], [text.split()[0] for text in placement.lacks(ONE, placement.needs(ONE, body))])
