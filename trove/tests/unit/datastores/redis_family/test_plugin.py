# SPDX-License-Identifier: Apache-2.0

from trove.datastores import spi
from trove.datastores.redis.plugin import Redis
from trove.datastores.valkey.plugin import Valkey
from trove.tests import base


class TestPlugins(base.UnitTestCase):
    plugins: tuple[spi.Plugin, ...] = (Redis(), Valkey())

    def test_facts(self) -> None:
        self.assertEqual(["redis", "valkey"], [plugin.name for plugin in self.plugins])
        for plugin in self.plugins:
            self.assertEqual((6379, "root"), (plugin.port, plugin.root_name))
            lacking = {spi.Capability.DATABASES, spi.Capability.ACCESS, spi.Capability.USER_HOSTS}
            self.assertEqual(set(spi.Capability) - lacking, plugin.capabilities)

    def test_all_reasons_at_once(self) -> None:
        for plugin in self.plugins:
            self.assertEqual([], plugin.validate_users([{"name": "ann", "password": "x", "host": "%"}, {"name": "b"}]))
            users = [{"name": "a b", "password": ""}, {"name": "root"}, {"name": "c"}, {"name": "c"}]
            self.assertEqual(4, len(plugin.validate_users(users)))
            self.assertEqual([], plugin.validate_databases([]))
            self.assertEqual(1, len(plugin.validate_databases([{"name": "a"}])))
            self.assertEqual([], plugin.validate_size(256, 1))
            self.assertEqual(2, len(plugin.validate_size(255, -1)))
