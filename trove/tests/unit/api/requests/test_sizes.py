# SPDX-License-Identifier: Apache-2.0
"""Flavors that requests refer to, and volumes that they ask for."""

from typing import Any
from unittest import mock

from trove.api.requests import sizes
from trove.objects import catalog
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture


class FlavorTest(base.UnitTestCase):
    def test_ways_to_name_one(self) -> None:
        for reference in ("5", 5, "http://h/v2.1/flavors/5", "https://h/flavors/5/", {"id": 5}, {"id": "http://h/5"}):
            with self.subTest(reference):
                self.assertEqual("5", sizes.flavor_id(reference))

    def test_one_that_there_is_not_is_a_bad_request(self) -> None:
        db = self.useFixture(DatabaseFixture("sqlite")).db
        with db.writer() as session:
            catalog.register_flavor(session, id="5", name="five", vcpus=1, ram_mib=512, disk_gib=5)
        with db.reader() as session:
            self.assertEqual("five", sizes.find_flavor(session, "http://h/flavors/5").name)
            refused = self.assertRaises(sizes.UnknownFlavor, sizes.find_flavor, session, "6")
        self.assertEqual((400, "flavor.unknown"), (refused.code, refused.symbol))
        self.assertIn("Flavor 6", str(refused))


class VolumeTest(base.UnitTestCase):
    def test_the_cap_of_one_instance(self) -> None:
        req: Any = mock.Mock()
        req.services.conf = self.new_conf(max_accepted_volume_size=10)
        sizes.check_volume(req, 10)
        refused = self.assertRaises(sizes.VolumeTooLarge, sizes.check_volume, req, 11)
        self.assertEqual((413, "volume.too_large"), (refused.code, refused.symbol))
