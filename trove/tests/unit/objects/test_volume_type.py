# SPDX-License-Identifier: Apache-2.0
from trove.objects import errors, volume_type
from trove.objects.volume_type import VolumeType
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture


class VolumeTypeTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.session = self.enterContext(self.useFixture(DatabaseFixture()).db.writer())
        volume_type.register_volume_type(self.session, id="1", name="ssd")
        volume_type.register_volume_type(self.session, id="2", name="hdd", is_public=False, description="slow")

    def find(self, name_or_id: str) -> str:
        return str(VolumeType.get_by_name_or_id(self.session, name_or_id).id)

    def test_by_name_or_id(self) -> None:
        self.assertEqual(["1", "2"], [self.find("ssd"), self.find("2")])
        err = self.assertRaises(errors.VolumeTypeNotFound, self.find, "tape")
        self.assertIn("tape", str(err))

    def test_an_id_wins_over_a_name(self) -> None:
        volume_type.register_volume_type(self.session, id="0", name="1")
        self.assertEqual("1", self.find("1"))

    def test_of_one_name_the_first(self) -> None:
        volume_type.register_volume_type(self.session, id="0", name="hdd")
        self.assertEqual("0", self.find("hdd"))

    def test_listing_is_by_name(self) -> None:
        self.assertEqual(["hdd", "ssd"], [found.name for found in VolumeType.list(self.session)])

    def test_registering_again_makes_it_equal(self) -> None:
        volume_type.register_volume_type(self.session, id="2", name="hdd")
        found = VolumeType.get_by_name_or_id(self.session, "2")
        self.assertEqual((True, None), (found.is_public, found.description))
