# SPDX-License-Identifier: Apache-2.0

from trove.datastores import spi
from trove.datastores.postgresql import plugin
from trove.tests import base


class TestPlugin(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.plugin: spi.Plugin = plugin.PostgreSQL()

    def test_facts(self) -> None:
        self.assertEqual(("postgresql", 5432, "root"), (self.plugin.name, self.plugin.port, self.plugin.root_name))
        self.assertNotIn(spi.Capability.USER_HOSTS, self.plugin.capabilities)
        self.assertEqual({"13", "14", "15", "16", "17", "18"}, set(self.plugin.versions))

    def test_good_requests_have_no_reasons(self) -> None:
        databases = [{"name": "a'b;"}, {"name": "b", "character_set": "utf8", "collate": "de_DE.UTF-8"}]
        self.assertEqual([], self.plugin.validate_databases(databases))
        users = [{"name": "ann", "password": "x", "host": "%"}, {"name": "bob"}]
        self.assertEqual([], self.plugin.validate_users(users))
        self.assertEqual([], self.plugin.validate_size(256, 1))

    def test_all_reasons_at_once(self) -> None:
        reasons = self.plugin.validate_databases(
            [
                {"name": "postgres"},
                {"name": "x" * 64},
                {"name": "a", "character_set": "klingon", "collate": "'"},
                {"name": "a"},
            ]
        )
        self.assertEqual(5, len(reasons), reasons)
        self.assertIn("the database 'a' is given more than once", reasons)

    def test_users(self) -> None:
        reasons = self.plugin.validate_users(
            [
                {"name": "root", "password": ""},
                {"name": "pg_x", "password": "hunter2\0"},
                {"name": "", "password": "hunter2"},
                {"name": "ann", "password": "hunter2\ud800"},
                {"name": "ann", "password": "x"},
                {"password": ""},
            ]
        )
        self.assertEqual(8, len(reasons), reasons)
        self.assertNotIn("hunter2", " ".join(reasons))

    def test_sizes(self) -> None:
        self.assertEqual(1, len(self.plugin.validate_size(255, 1)))
        self.assertEqual(2, len(self.plugin.validate_size(0, -1)))
