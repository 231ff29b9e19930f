# SPDX-License-Identifier: Apache-2.0
"""Names and addresses of the bridge; the contract suite makes real ones."""

import ipaddress
import json
from pathlib import Path

from trove.providers import base
from trove.providers.local.network import Network
from trove.tests import base as tests

LONGEST_INTERFACE = 15


class NetworkTest(tests.UnitTestCase):
    def network(self, base_dir: Path | None = None, **options: object) -> Network:
        values = {"bridge": None, "pool": "10.230.0.0/16", "prefix": 22, **options}
        return Network(base_dir or self.tempdir(), **values)

    def test_names_are_short_and_of_one_base_dir(self) -> None:
        one, other = self.network(), self.network()
        slug = "8ed4d45c-0000-4000-8000-0123456789ab"
        for name in (one.bridge, one.interface(slug)):
            self.assertLessEqual(len(name), LONGEST_INTERFACE)
        self.assertNotEqual(one.bridge, other.bridge)
        self.assertNotEqual(one.interface(slug), other.interface(slug))
        self.assertNotEqual(one.interface(slug), one.interface("another"))
        self.assertTrue(one.namespace(slug).name.endswith(slug))

    def test_bad_parameters(self) -> None:
        for options, part in (
            ({"pool": "10.230.0.0/40"}, "bridge_pool"),
            ({"pool": "10.230.0.1/16"}, "bridge_pool"),
            ({"prefix": 8}, "bridge_prefix"),
            ({"prefix": 30}, "bridge_prefix"),
            ({"bridge": "a-name-of-16-chars"}, "15 characters"),
        ):
            err = self.assertRaises(base.FatalError, self.network, **options)
            self.assertIn(part, str(err))

    def test_chosen_network_is_kept(self) -> None:
        directory = self.tempdir()
        (directory / "network.json").write_text(json.dumps({"network": "10.230.8.0/29"}))
        network = self.network(directory, prefix=29)
        self.assertEqual("10.230.8.1", network.host_address())
        given = list(network.addresses("tag"))
        self.assertEqual(5, len(set(given)))
        hosts = {str(host) for host in ipaddress.IPv4Network("10.230.8.0/29").hosts()}
        self.assertEqual(hosts - {"10.230.8.1"}, set(given))
        self.assertEqual(given, list(network.addresses("tag")))

    def test_networks_of_others_are_left_alone(self) -> None:
        network = self.network(pool="10.230.0.0/28", prefix=29)
        first, second = (ipaddress.IPv4Network(text) for text in ("10.230.0.0/29", "10.230.0.8/29"))
        self.assertEqual(second, network._choose([(first, "docker0")]))
        self.assertEqual(first, network._choose([(second, "docker0")]))
        wide = [(ipaddress.IPv4Network("10.0.0.0/8"), "vpn0")]
        self.assertIn("bridge_pool", str(self.assertRaises(base.ConflictError, network._choose, wide)))
