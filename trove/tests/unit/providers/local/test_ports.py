# SPDX-License-Identifier: Apache-2.0
"""Which address is chosen, with a host that is only described."""

import errno
import ipaddress

from trove.providers import base
from trove.providers.local import ports
from trove.providers.local.records import Store
from trove.tests import base as tests


class PortsTest(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.store = Store(self.tempdir())
        self.taken: dict[tuple[str, int], int] = {}
        self.reason = 0

    def probe(self, address: str, port: int) -> int:
        if address.startswith("127.0.0."):
            return self.taken.get((address, port), 0)
        return self.taken.get((address, port), self.reason)

    def ports(self, pool: str = "127.64.0.0/10") -> ports.Ports:
        return ports.Ports(self.store, pool, probe=self.probe)

    def test_same_tag_same_first_choice(self) -> None:
        first = self.ports().ensure(base.PortSpec("a", 5432))
        self.ports().remove("a")
        self.assertEqual(first, self.ports().ensure(base.PortSpec("a", 5432)))

    def test_pool_is_used_up_without_network_and_broadcast_like_addresses(self) -> None:
        made = [self.ports("127.5.0.252/30").ensure(base.PortSpec(f"t{n}", 5432)) for n in range(4)]
        pool = [port for port in made if port.address != "127.0.0.1"]
        self.assertEqual({"127.5.0.252", "127.5.0.253", "127.5.0.254"}, {port.address for port in pool})
        self.assertEqual({5432}, {port.port for port in pool})
        fallback = next(port for port in made if port.address == "127.0.0.1")
        self.assertIn(fallback.port, ports.FALLBACK_PORTS)

    def test_one_address_for_each_even_with_other_ports(self) -> None:
        made = [self.ports("127.5.0.1/32").ensure(base.PortSpec(f"t{n}", 5432 + n)) for n in range(2)]
        self.assertEqual(["127.5.0.1", "127.0.0.1"], [port.address for port in made])

    def test_no_such_address_on_this_host(self) -> None:
        self.reason = errno.EADDRNOTAVAIL
        self.assertEqual("127.0.0.1", self.ports().ensure(base.PortSpec("a", 5432)).address)

    def test_fallback_ports_that_are_taken_are_skipped(self) -> None:
        self.reason = errno.EADDRNOTAVAIL
        first = self.ports().ensure(base.PortSpec("a", 5432))
        self.ports().remove("a")
        self.taken[(first.address, first.port)] = errno.EADDRINUSE
        self.assertNotEqual(first.port, self.ports().ensure(base.PortSpec("a", 5432)).port)

    def test_nothing_is_free(self) -> None:
        self.reason = errno.EADDRINUSE
        self.taken = {("127.0.0.1", port): errno.EADDRINUSE for port in ports.FALLBACK_PORTS}
        self.assertRaises(base.QuotaError, self.ports().ensure, base.PortSpec("a", 5432))
        self.assertIsNone(self.ports().find("a"))

    def test_pool_must_be_loopback(self) -> None:
        for pool in ("10.0.0.0/8", "::1/128", "127.0.0.1/8", "x"):
            self.assertRaises(base.FatalError, self.ports, pool)

    def test_candidates_are_each_tried_once(self) -> None:
        seen = list(self.ports("127.5.0.0/22")._candidates("tag"))
        self.assertEqual(len(set(seen)), len(seen))
        self.assertEqual(4 * 254, len(seen))
        self.assertTrue(all(ipaddress.ip_address(a) in ipaddress.ip_network("127.5.0.0/22") for a in seen))
