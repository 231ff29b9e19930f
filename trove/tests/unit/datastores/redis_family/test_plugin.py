# SPDX-License-Identifier: Apache-2.0

from trove.datastores import parameter_values, spi
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

    def test_values_that_would_keep_the_service_out(self) -> None:
        for plugin in self.plugins:
            known = plugin.parameters(plugin.versions[0])
            limit = "client-output-buffer-limit"
            good = {"timeout": 0, "maxclients": 16, "maxmemory": "16mb", limit: "normal 0 64mb 1"}
            bad = {"timeout": 4, "maxclients": 15, "maxmemory": "15mb", limit: "normal 0 63mb 1", "databases": 10_001}
            self.assertEqual([], parameter_values.judge(known, good)[1])
            self.assertEqual(len(bad), len(parameter_values.judge(known, bad)[1]))
            self.assertEqual((16, 65000), (known["maxclients"].min, known["maxclients"].max))

    def test_all_reasons_at_once(self) -> None:
        for plugin in self.plugins:
            self.assertEqual([], plugin.validate_users([{"name": "ann", "password": "x", "host": "%"}, {"name": "b"}]))
            users = [{"name": "a b", "password": ""}, {"name": "root"}, {"name": "c"}, {"name": "c"}]
            self.assertEqual(4, len(plugin.validate_users(users)))
            self.assertEqual([], plugin.validate_databases([]))
            self.assertEqual(1, len(plugin.validate_databases([{"name": "a"}])))
            self.assertEqual([], plugin.validate_size(256, 1))
            self.assertEqual(2, len(plugin.validate_size(255, -1)))
