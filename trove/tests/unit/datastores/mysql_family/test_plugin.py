# SPDX-License-Identifier: Apache-2.0

from trove.datastores import parameter_values, spi
from trove.datastores.mariadb.plugin import MariaDB
from trove.datastores.mysql.plugin import MySQL
from trove.tests import base

PLUGINS = (MariaDB(), MySQL())


class TestFamilyPlugin(base.UnitTestCase):
    def test_every_capability(self) -> None:
        for plugin in PLUGINS:
            self.assertEqual(frozenset(spi.Capability), plugin.capabilities)

    def test_all_reasons_at_once(self) -> None:
        for plugin in PLUGINS:
            reasons = plugin.validate_databases(
                [{"name": "mysql"}, {"name": "a"}, {"name": "a", "character_set": "x"}, {"name": "", "collate": "!"}]
            )
            self.assertEqual(5, len(reasons), reasons)

    def test_parameters_are_as_the_servers_take_them(self) -> None:
        for plugin in PLUGINS:
            known = plugin.parameters(plugin.versions[0])
            self.assertEqual(set(), {item.type for item in known.values()} & {"integer", "size"})
            self.assertEqual("integer", known["max_connections"].public_type)
            kept, reasons = parameter_values.judge(
                known, {"innodb_buffer_pool_size": "128M", "default_time_zone": "+5:30", "max_allowed_packet": "1k"}
            )
            self.assertEqual({"innodb_buffer_pool_size": 2**27, "time_zone": "+05:30"}, kept)
            self.assertIn("from 65536 to 1073741824", reasons[0])

    def test_what_would_keep_the_service_out_or_waiting_is_protected(self) -> None:
        known = MySQL().parameters("9.7")
        self.assertTrue(known["protocol_compression_algorithms"].protected)
        self.assertTrue(MariaDB().parameters("10.11")["innodb_max_purge_lag_wait"].protected)

    def test_a_user_is_a_name_and_a_host(self) -> None:
        for plugin in PLUGINS:
            ann = {"name": "ann", "password": "x"}
            self.assertEqual([], plugin.validate_users([ann, {**ann, "host": "10.0.0.1"}]))
            self.assertEqual(1, len(plugin.validate_users([ann, {**ann, "host": "%"}])))
            self.assertEqual(1, len(plugin.validate_users([{**ann, "host": "fe80::1"}, {**ann, "host": "FE80::1"}])))
            self.assertEqual(1, len(plugin.validate_users([{**ann, "host": "example.org"}])))

    def test_reserved_users_at_any_host(self) -> None:
        for plugin in PLUGINS:
            for name in ("root", "Root", "os_admin", "OS_ADMIN"):
                self.assertEqual(1, len(plugin.validate_users([{"name": name, "host": "10.0.0.1"}])), name)

    def test_length_of_names(self) -> None:
        for plugin, limit in ((MariaDB(), 80), (MySQL(), 32)):
            self.assertEqual([], plugin.validate_users([{"name": "ü" * limit}]))
            self.assertEqual(1, len(plugin.validate_users([{"name": "ü" * (limit + 1)}])))

    def test_passwords_are_judged_and_never_told(self) -> None:
        for plugin in PLUGINS:
            for password in ("", "hunter2\0", "hunter2\ud800"):
                (reason,) = plugin.validate_users([{"name": "ann", "password": password}])
                self.assertIn("ann", reason)
                self.assertNotIn("hunter2", reason)

    def test_size(self) -> None:
        self.assertEqual([[], []], [plugin.validate_size(512, 1) for plugin in PLUGINS])
        self.assertEqual([0, 1], [len(plugin.validate_size(256, 0)) for plugin in PLUGINS])
        self.assertEqual([2, 2], [len(plugin.validate_size(128, -1)) for plugin in PLUGINS])
