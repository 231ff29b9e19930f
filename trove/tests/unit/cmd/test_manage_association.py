# SPDX-License-Identifier: Apache-2.0
"""Restrict versions to flavors and volume types from the command line."""

from trove.common import ids
from trove.tests.unit.cmd import case

VERSION = ("mysql", "8.0")


class TestAssociations(case.ManageCase):
    def setUp(self) -> None:
        super().setUp()
        self.manage("db_sync")
        self.manage("seed_local")
        self.done("datastore_version_update", *VERSION, "mysql", ids.new_id(), "", "1")

    def test_flavors(self) -> None:
        self.assertIn("may use all flavors", self.done("datastore_version_flavor_list", *VERSION))
        self.assertIn("flavors: 1, 2, 3", self.done("datastore_version_flavor_add", *VERSION, "1", "3,2"))
        self.assertIn("flavors: 1, 2, 3", self.done("datastore_version_flavor_add", *VERSION, "2"))
        self.assertIn("flavors: 2", self.done("datastore_version_flavor_delete", *VERSION, "1,3"))
        self.assertIn("may use all flavors", self.done("datastore_version_flavor_delete", *VERSION, "2"))

    def test_volume_types(self) -> None:
        self.assertIn("volume types: local", self.done("datastore_version_volume_type_add", *VERSION, "local"))
        self.assertIn("volume types: local", self.done("datastore_version_volume_type_list", *VERSION))
        self.assertIn("all volume types", self.done("datastore_version_volume_type_delete", *VERSION, "local"))

    def test_mistakes_change_nothing(self) -> None:
        for words, reason in (
            (("datastore_version_flavor_add", *VERSION, "1", "99"), "there is no flavor 99; nothing was changed"),
            (("datastore_version_volume_type_add", *VERSION, "gold"), "there is no volume type gold"),
            (("datastore_version_flavor_delete", *VERSION, "1"), "is not restricted to flavor 1"),
            (("datastore_version_flavor_list", "mysql", "9"), "has no version '9'"),
            (("datastore_version_flavor_list", "nope", "9"), "'nope' was not found"),
        ):
            self.assertIn(reason, self.refused(*words))
        self.assertIn("may use all flavors", self.done("datastore_version_flavor_list", *VERSION))
