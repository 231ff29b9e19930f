# SPDX-License-Identifier: Apache-2.0
"""Finding entry points without importlib.metadata, and with it."""

import os
import sys
from importlib import metadata

import fixtures

from trove.guestagent import installed
from trove.tests.base import UnitTestCase

GROUP = "trove.datastores.guest"


class TestInstalled(UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.site = self.tempdir()
        self.useFixture(fixtures.MonkeyPatch("sys.path", [str(self.site), *sys.path]))

    def install(self, text: str, package: str = "third_party-2.0.dist-info") -> None:
        directory = self.site / package
        directory.mkdir()
        (directory / "entry_points.txt").write_text(text)

    def test_finds_what_a_third_party_installed(self) -> None:
        self.install(
            "[console_scripts]\nthird = os.path:split\n\n"
            "# a comment\n[trove.datastores.guest]\nother=os:sep\nthird = os.path:join [extra]\n"
            "[last]\nthird = os:nosuch\n"
        )
        self.assertIs(os.path.join, installed.load(GROUP, "third"))
        self.assertEqual(os.sep, installed.load(GROUP, "other"))

    def test_egg_info_of_a_development_install(self) -> None:
        self.install(f"[{GROUP}]\nthird = os.path:join\n", "third_party.egg-info")
        self.assertIs(os.path.join, installed.load(GROUP, "third"))

    def test_first_on_the_path_wins(self) -> None:
        self.install(f"[{GROUP}]\nthird = os.path:join\n")
        later = self.tempdir()
        sys.path.append(str(later))
        self.site = later
        self.install(f"[{GROUP}]\nthird = os.path:split\n")
        self.assertIs(os.path.join, installed.load(GROUP, "third"))

    def test_nobody_has_it(self) -> None:
        self.install(f"[another.group]\nthird = os.path:join\n# {GROUP}\n")
        self.assertRaises(LookupError, installed.load, GROUP, "third")

    def test_what_it_names_is_not_there(self) -> None:
        self.install(f"[{GROUP}]\na = os.path:nosuch\nb = no_such_module_at_all:x\n")
        for name in ("a", "b"):
            self.assertRaises(ImportError, installed.load, GROUP, name)

    def test_library_is_asked_for_what_is_installed_otherwise(self) -> None:
        entry = metadata.EntryPoint("third", "os.path:join", GROUP)
        self.useFixture(fixtures.MonkeyPatch("importlib.metadata.entry_points", lambda group, name: [entry]))
        self.assertIs(os.path.join, installed.load(GROUP, "third"))

    def test_names_of_one_package(self) -> None:
        self.install(f"[{GROUP}]\nthird = os.path:join\nfourth = posixpath:join\n")
        self.assertEqual(["third"], installed.names(GROUP, within="os."))
        self.assertIn("postgresql", installed.names(GROUP, within="trove."))

    def test_agrees_with_the_library_about_trove_itself(self) -> None:
        known = {item.name: item.value for item in metadata.entry_points(group=GROUP)}
        for name, value in known.items():
            self.assertEqual(value, installed._declared(GROUP, name))

    def test_version(self) -> None:
        installed.agent_version.cache_clear()
        self.addCleanup(installed.agent_version.cache_clear)
        (self.site / "trove-9.8.7.dist-info").mkdir()
        (self.site / "trove-dashboard-1.0.dist-info").mkdir()
        self.assertEqual("9.8.7", installed.agent_version())
