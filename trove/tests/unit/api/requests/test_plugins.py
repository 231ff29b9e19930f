# SPDX-License-Identifier: Apache-2.0
"""What requests need of an engine."""

from typing import Any
from unittest import mock

from trove.api.requests import plugins
from trove.common import exception
from trove.datastores.mysql.plugin import MySQL
from trove.datastores.postgresql.plugin import PostgreSQL
from trove.datastores.redis.plugin import Redis
from trove.datastores.spi import Capability
from trove.tests import base


class PluginsTest(base.UnitTestCase):
    def test_one_that_is_not_installed_is_the_operators_matter(self) -> None:
        plugin = PostgreSQL()
        req: Any = mock.Mock()
        req.services.plugins = {"postgresql": plugin}
        self.assertIs(plugin, plugins.find(req, "postgresql"))
        refused = self.assertRaises(exception.ServiceUnavailable, plugins.find, req, "oracle")
        self.assertIn("'oracle' is not installed", str(refused))

    def test_a_capability_that_is_lacking_is_named(self) -> None:
        plugins.require(PostgreSQL(), Capability.DATABASES)
        refused = self.assertRaises(exception.NotSupported, plugins.require, Redis(), Capability.DATABASES)
        self.assertIn(f"'{Capability.DATABASES.value}'", str(refused))

    def test_users_need_grants_only_where_there_is_something_to_grant(self) -> None:
        plugin: Any = mock.Mock(spec=PostgreSQL, capabilities=frozenset({Capability.USERS}))
        plugin.name = "plain"
        plugins.require_for_users(plugin, [[], ()])
        self.assertRaises(exception.NotSupported, plugins.require_for_users, plugin, [[], ["shop"]])
        plugin.capabilities = frozenset({Capability.ACCESS})
        self.assertRaises(exception.NotSupported, plugins.require_for_users, plugin, [])

    def test_hosts_are_for_engines_that_know_them(self) -> None:
        self.assertEqual("192.0.2.1", plugins.host_of(MySQL(), "192.0.2.1"))
        self.assertEqual(["%", "%"], [plugins.host_of(MySQL(), host) for host in (None, "")])
        self.assertEqual("%", plugins.host_of(PostgreSQL(), "192.0.2.1"))
