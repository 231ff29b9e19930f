# SPDX-License-Identifier: Apache-2.0

from pathlib import Path
from unittest import mock

from trove.datastores.postgresql import installations
from trove.tests import base


class TestInstallations(base.UnitTestCase):
    def _home(self, name: str, banner: bytes | None) -> Path:
        home = self.tempdir() / name
        (home / "bin").mkdir(parents=True)
        (home / "bin" / "initdb").touch()
        if banner is not None:
            (home / "bin" / "postgres").write_bytes(b"\x7fELF..\0" + banner + b"\0more")
        return home

    def test_the_version_is_read_from_the_program(self) -> None:
        for banner, version in {
            b"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n": "15.18",
            b"postgres (PostgreSQL) 16.14\n": "16.14",
            b"postgres (PostgreSQL) 18beta2\n": "18beta2",
            b"nothing of the kind": None,
            b"": None,
        }.items():
            self.assertEqual(version, installations.read_version(self._home("x", banner)), banner)
        self.assertIsNone(installations.read_version(self._home("x", None)))

    def test_newest_first_each_once_and_only_known_versions(self) -> None:
        homes = {v: self._home(v, f"postgres (PostgreSQL) {v}\n".encode()) for v in ("15.9", "15.18", "18.4", "9.6")}
        link = self.tempdir() / "link"
        link.symlink_to(homes["18.4"])
        candidates = [(home, "x") for home in [*homes.values(), link, Path("/nonexistent")]]
        with mock.patch.object(installations, "_candidates", autospec=True, return_value=iter(candidates)):
            found = installations.find()
        self.assertEqual(["18.4", "15.18", "15.9"], [item.version for item in found])
        self.assertEqual(homes["15.9"], found[-1].home)

    def test_wheels_are_found_without_importing_them(self) -> None:
        import sys

        before = set(sys.modules)
        installations.find()
        self.assertEqual(set(), {name.split(".")[0] for name in set(sys.modules) - before} & set(installations.WHEELS))

    def test_in_an_image_only_its_distribution_is_looked_at(self) -> None:
        root = self.tempdir()
        home = root / "opt/real/17"
        (home / "bin").mkdir(parents=True)
        (home / "bin/initdb").touch()
        (home / "bin/postgres").write_bytes(b"postgres (PostgreSQL) 17.11 (Debian)")
        (root / "usr/lib/postgresql").mkdir(parents=True)
        (root / "usr/lib/postgresql/17").symlink_to("/opt/real/17")
        (found,) = installations.find(root)
        self.assertEqual(("17.11", Path("/opt/real/17"), "image"), (found.version, found.home, found.source))
        self.assertEqual([], installations.find(self.tempdir()))
