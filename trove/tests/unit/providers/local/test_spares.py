# SPDX-License-Identifier: Apache-2.0
"""Who gets a place; the contract suite makes real ones."""

import errno
import json

from trove.common import ids
from trove.providers import base
from trove.providers.local import ports, spares
from trove.providers.local.records import Store
from trove.tests import base as tests


class ShelfTest(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.shelf = spares.Shelf()
        self.place = spares.Place("spare-1", 1, "127.64.0.1")
        self.shelf.put(self.place)
        self.instance_id = ids.new_id()

    def claim(self, part: str, instance_id: str | None = None, tier: int = 1) -> spares.Place | None:
        return self.shelf.claim(ids.instance_tag(instance_id or self.instance_id, part), tier)

    def test_first_instance_gets_it_for_all_its_parts(self) -> None:
        self.assertIs(self.place, self.claim("volume"))
        self.assertIsNone(self.claim("port", ids.new_id()))
        self.assertIs(self.place, self.claim("port"))

    def test_neither_another_tier_nor_what_is_no_instance(self) -> None:
        self.assertIsNone(self.claim("port", tier=2))
        self.assertIsNone(self.shelf.claim("a-tag", 1))
        self.assertIsNone(self.place.instance)

    def test_nobody_gets_what_has_expired(self) -> None:
        self.shelf.expire(self.place)
        self.assertIsNone(self.claim("port"))
        self.assertIs(self.place, self.shelf.take())
        self.assertIsNone(self.shelf.place)

    def test_claimed_place_does_not_expire(self) -> None:
        self.claim("port")
        self.shelf.expire(self.place)
        self.assertIs(self.place, self.claim("volume"))

    def test_finished_when_its_own_server_is_made(self) -> None:
        self.claim("port")
        claimed_at = self.place.claimed_at
        self.shelf.finish(ids.instance_tag(ids.new_id(), "server"))
        self.assertEqual(claimed_at, self.place.claimed_at)
        self.shelf.finish(ids.instance_tag(self.instance_id, "server"))
        self.assertEqual(float("-inf"), self.place.claimed_at)


class AddressTest(tests.UnitTestCase):
    """Addresses of places are nobody else's."""

    def setUp(self) -> None:
        super().setUp()
        self.store = Store(self.tempdir(), None)
        self.shelf = spares.Shelf()
        self.refused: set[str] = set()

    def ports(self, pool: str) -> ports.Ports:
        return ports.Ports(self.store, pool, probe=self.probe, shelf=self.shelf)

    def probe(self, address: str, _port: int) -> int:
        return errno.EADDRINUSE if address in self.refused else 0

    def test_address_of_a_place_is_not_given_to_others(self) -> None:
        found = self.ports("127.5.0.8/31")
        address = found.choose_ahead("spare-1")
        spares.file(self.store, "spare-1").write_text(json.dumps({"id": "spare-1", "address": address}))
        self.assertEqual(({address}, {"spare-1"}), (spares.addresses(self.store), spares.ids(self.store)))
        other = found.ensure(base.PortSpec("a", 5432)).address
        self.assertNotEqual(address, other)
        self.assertEqual("127.0.0.1", found.ensure(base.PortSpec("b", 5432)).address)
        self.assertRaises(base.QuotaError, found.choose_ahead, "spare-2")

    def test_address_on_which_somebody_listens_by_now_is_not_used(self) -> None:
        self.shelf.put(spares.Place("spare-1", 1, "127.5.0.8"))
        self.refused.add("127.5.0.8")
        tag = ids.instance_tag(ids.new_id(), "port")
        self.assertEqual("127.5.0.9", self.ports("127.5.0.8/31").ensure(base.PortSpec(tag, 5432)).address)

    def test_half_written_file_is_passed_over(self) -> None:
        spares.file(self.store, "spare-1").write_text("")
        self.assertEqual(set(), spares.addresses(self.store))
