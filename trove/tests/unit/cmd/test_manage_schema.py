# SPDX-License-Identifier: Apache-2.0
"""Commands of the database schema."""

from trove.tests.unit.cmd import case


class TestSchema(case.ManageCase):
    def test_branches(self) -> None:
        self.assertEqual((0, "", ""), self.manage("db_version"))
        self.assertIn("run first: trove-manage db_sync --expand", self.refused("db_sync", "--contract"))
        for words in (
            ("db_sync", "--expand"),
            ("db_sync", "--contract"),
            ("db_sync",),
            ("db_upgrade", "--version", "9"),
        ):
            self.assertEqual(0, self.manage(*words)[0])
        self.assertRegex(self.manage("db_version")[1], r"^contract_\d+\nexpand_\d+\n$")

    def test_no_way_back(self) -> None:
        self.manage("db_sync")
        self.assertIn("cannot be downgraded", self.refused("db_downgrade", "1"))
        self.assertRegex(self.manage("db_version")[1], "expand")

    def test_recreate_wants_the_name_of_the_database(self) -> None:
        self.manage("db_sync")
        self.manage("datastore_update", "postgresql", "")
        look = ("datastore_version_flavor_list", "postgresql", "16")
        for words in ((), ("--confirm", "yes")):
            self.assertIn(f"--confirm {self.database}", self.refused("db_recreate", *words))
        self.assertIn("has no version '16'", self.refused(*look))
        self.assertEqual(0, self.manage("db_recreate", "--confirm", str(self.database))[0])
        self.assertIn("Datastore 'postgresql' was not found", self.refused(*look))
        self.assertRegex(self.manage("db_version")[1], r"^contract_\d+\nexpand_\d+\n$")
