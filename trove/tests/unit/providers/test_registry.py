# SPDX-License-Identifier: Apache-2.0
"""Loading a provider by name."""

from importlib import metadata
from unittest import mock

from trove.conf.local import NETWORK_ID
from trove.providers import base, fake, registry
from trove.tests import base as tests


class RegistryTest(tests.UnitTestCase):
    def install(self, *entries: tuple[str, str]) -> None:
        made = [metadata.EntryPoint(name, value, registry.GROUP) for name, value in entries]

        def entry_points(*, group: str, name: str | None = None) -> list[metadata.EntryPoint]:
            self.assertEqual(registry.GROUP, group)
            return [entry for entry in made if name in (None, entry.name)]

        patcher = mock.patch.object(metadata, "entry_points", autospec=True, side_effect=entry_points)
        patcher.start()
        self.addCleanup(patcher.stop)

    def test_load(self) -> None:
        self.install(("fake", "trove.providers.fake:make_provider"), ("gone", "no.such.module:x"))
        self.assertIsInstance(registry.load("fake", None), fake.FakeProvider)
        self.assertEqual(["fake", "gone"], registry.names())

    def test_unknown_name_lists_the_known_ones(self) -> None:
        self.install(("fake", "trove.providers.fake:make_provider"))
        err = self.assertRaises(base.FatalError, registry.load, "fak", None)
        self.assertIn("there are: fake", str(err))

    def test_two_claims(self) -> None:
        self.install(("fake", "trove.providers.fake:make_provider"), ("fake", "other:make"))
        err = self.assertRaises(base.FatalError, registry.load, "fake", None)
        self.assertIn("other:make", str(err))

    def test_same_distribution_found_twice_is_no_conflict(self) -> None:
        self.install(*[("fake", "trove.providers.fake:make_provider")] * 2)
        self.assertIsInstance(registry.load("fake", None), fake.FakeProvider)

    def test_not_a_provider(self) -> None:
        self.install(("list", "builtins:str"))
        self.assertRaises(base.FatalError, registry.load, "list", None)

    def test_capabilities_without_making_one(self) -> None:
        self.install(
            ("fake", "trove.providers.fake:make_provider"),
            ("local", "trove.providers.local.provider:make_provider"),
            ("silent", "builtins:str"),
        )
        self.assertEqual({item.value for item in base.Capability}, registry.capabilities("fake"))
        local = registry.capabilities("local")
        self.assertIn("reboot-server", local)
        self.assertNotIn("migrate-server", local)
        self.assertEqual(frozenset(), registry.capabilities("silent"))
        self.assertRaises(base.FatalError, registry.capabilities, "fak")

    def test_the_only_network_without_making_a_provider(self) -> None:
        self.install(
            ("fake", "trove.providers.fake:make_provider"), ("local", "trove.providers.local.provider:make_provider")
        )
        conf = self.new_conf()
        self.assertEqual([None, NETWORK_ID], [registry.only_network(name, conf) for name in ("fake", "local")])
        other = "0" * 8 + NETWORK_ID[8:]
        conf.set_override("network_id", other, group="local")
        self.assertEqual(other, registry.only_network("local", conf))
        self.assertRaises(ValueError, conf.set_override, "network_id", "private", group="local")

    def test_what_is_enabled(self) -> None:
        conf = self.new_conf(provider="fake")
        self.assertEqual(["fake"], registry.enabled(conf))
        conf.set_override("enabled_providers", ["local", "fake", "local"])
        self.assertEqual(["local", "fake"], registry.enabled(conf))

    def test_all_that_are_enabled_are_made(self) -> None:
        self.install(("fake", "trove.providers.fake:make_provider"), ("other", "trove.providers.fake:make_provider"))
        conf = self.new_conf(provider="fake", enabled_providers=["other"])
        held = registry.load_enabled(conf)
        self.assertEqual(("fake", ["other"]), (held.default, list(held.served)))
        conf.set_override("enabled_providers", ["other", "gone"])
        self.assertRaises(base.FatalError, registry.load_enabled, conf)

    def test_for_what_exists_a_provider_does_not_look_at_its_host(self) -> None:
        self.install(
            ("fake", "trove.providers.fake:make_provider"), ("local", "trove.providers.local.provider:make_provider")
        )
        conf = self.new_conf(provider="fake", enabled_providers=["fake", "local"])
        conf.set_override("base_dir", str(self.tempdir()), group="local")
        full = base.FatalError("no room")
        with mock.patch("trove.providers.local.provider.make_provider", autospec=True, side_effect=full):
            self.assertRaises(base.FatalError, registry.load_enabled, conf)
            held = registry.open_enabled(conf)
        self.addCleanup(held.served["local"].close)
        self.assertEqual(("fake", ["fake", "local"]), (held.default, list(held.served)))
        self.assertEqual(["local"], [name for name, it in held.served.items() if isinstance(it, base.OnThisHost)])

    def test_what_is_known_of_them(self) -> None:
        self.install(
            ("fake", "trove.providers.fake:make_provider"), ("local", "trove.providers.local.provider:make_provider")
        )
        conf = self.new_conf(provider="fake", enabled_providers=["local"])
        described = registry.describe(conf)
        self.assertEqual((None, NETWORK_ID), (described.of(None).only_network, described.of("local").only_network))
        self.assertIn("migrate-server", described.of(None).capabilities)
        self.assertNotIn("access-rules", described.of("local").capabilities)
        self.assertEqual(registry.Traits(), described.of("gone"))
        made = fake.FakeProvider(capabilities=[base.Capability.NETWORKS])
        self.assertEqual({"networks"}, registry.describe(conf, [made]).of("fake").capabilities)


class ProvidersTest(tests.UnitTestCase):
    def test_whose_is_it(self) -> None:
        here, cloud = fake.FakeProvider(host="a"), fake.FakeProvider()
        held = registry.Providers("cloud", {"local": here, "cloud": cloud})
        self.assertIs(here, held.of("local", "a"))
        self.assertIs(here, held.of("local", None))
        self.assertIs(cloud, held.of("cloud", None))
        for name, host in (("local", "b"), ("cloud", "a"), ("gone", None)):
            err = self.assertRaises(base.NotMineError, held.of, name, host)
            self.assertIn(f"'{name}'", str(err))

    def test_only_one(self) -> None:
        provider = fake.FakeProvider()
        held = registry.Providers.only(provider)
        self.assertIs(provider, held.of(held.default, None))
