# SPDX-License-Identifier: Apache-2.0

from importlib import metadata

from trove.datastores import registry, spi
from trove.datastores.postgresql import plugin
from trove.tests import base

GOOD = "trove.datastores.postgresql.plugin:PostgreSQL"


class Nameless:
    name = "other"


class Boastful(plugin.PostgreSQL):
    capabilities = frozenset({"everything"})  # type: ignore[assignment]


class Mute:
    """Says it takes configuration groups, and not which parameters it has."""

    name = "postgresql"
    versions = ("17",)
    capabilities = frozenset({spi.Capability.CONFIGURATION})
    port, root_name = 1, "root"
    validate_databases = validate_users = validate_size = detect = None


class Broken:
    def __init__(self) -> None:
        raise RuntimeError("no licence")


def entry(name: str, value: str) -> metadata.EntryPoint:
    return metadata.EntryPoint(name, value, registry.GROUP)


class TestRegistry(base.UnitTestCase):
    def _refused(self, *entries: metadata.EntryPoint) -> str:
        return str(self.assertRaises(registry.PluginError, registry.load_plugins, entries))

    def test_the_installed_plugins_load(self) -> None:
        self.assertIn("postgresql", registry.load_plugins())

    def test_one_plugin_seen_twice_is_one(self) -> None:
        self.assertEqual(["postgresql"], list(registry.load_plugins([entry("postgresql", GOOD)] * 2)))

    def test_two_plugins_of_one_name(self) -> None:
        self.assertIn("claimed by", self._refused(entry("postgresql", GOOD), entry("postgresql", f"{__name__}:Broken")))

    def test_a_module_that_is_not_there(self) -> None:
        self.assertIn("'x' (nowhere.at.all:X) cannot be loaded", self._refused(entry("x", "nowhere.at.all:X")))

    def test_a_plugin_that_raises(self) -> None:
        self.assertIn("RuntimeError: no licence", self._refused(entry("x", f"{__name__}:Broken")))

    def test_an_incomplete_plugin(self) -> None:
        self.assertIn("lacks versions, capabilities", self._refused(entry("other", f"{__name__}:Nameless")))

    def test_a_plugin_under_another_name(self) -> None:
        self.assertIn("calls itself 'postgresql'", self._refused(entry("mysql", GOOD)))

    def test_unknown_capabilities(self) -> None:
        self.assertIn("everything", self._refused(entry("postgresql", f"{__name__}:Boastful")))

    def test_every_capability_implies_known_commands(self) -> None:
        self.assertEqual(set(spi.Capability), set(spi.METHODS))
        known = {name for name, _ in spi.command.COMMANDS}
        self.assertEqual(known, spi.CORE_METHODS.union(spi.AGENT_METHODS, *spi.METHODS.values()))

    def test_a_plugin_that_cannot_say_its_parameters(self) -> None:
        self.assertIn("lacks parameters, default_config", self._refused(entry("postgresql", f"{__name__}:Mute")))
