# SPDX-License-Identifier: Apache-2.0
# covers: trove/datastores/redis_family/product.py

import pathlib

from trove.datastores.redis.product import REDIS
from trove.datastores.redis_family import installations
from trove.datastores.redis_family.product import version_key
from trove.datastores.valkey.product import VALKEY
from trove.tests import base


def install(folder: pathlib.Path, name: str, *versions: str) -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(b"\x7fELF\0" + b"\0".join(version.encode() for version in versions) + b"\x00127.0.0.1\x00")
    path.chmod(0o755)
    return path


class TestInstallations(base.UnitTestCase):
    def test_the_newest_version_of_a_known_series_is_the_programs_own(self) -> None:
        home = self.tempdir()
        install(home / "bin", "redis-server", "6.2.0", "7.0.9", "7.0.15", "14.2.1", "x7.2.0", "127.0.0")
        self.assertEqual("7.0.15", installations.read_version(REDIS, home))
        self.assertIsNone(installations.read_version(VALKEY, home))

    def test_versions_that_are_not_known_are_left_out(self) -> None:
        home = self.tempdir()
        install(home, "redis-server", "5.0.0", "6.2.14")
        self.assertIsNone(installations.read_version(REDIS, home))
        self.assertIsNone(installations.read_version(REDIS, home / "missing"))

    def test_in_an_image_with_links_as_they_are_meant_inside(self) -> None:
        root = self.tempdir()
        install(root / "usr" / "bin", "redis-check-rdb", "8.0.2")
        (root / "usr" / "bin" / "redis-server").symlink_to("/usr/bin/redis-check-rdb")
        (found,) = installations.find(REDIS, root)
        self.assertEqual(("8.0.2", pathlib.Path("/usr"), "image"), (found.version, found.home, found.source))

    def test_another_engine_under_this_ones_name_is_none(self) -> None:
        root = self.tempdir()
        install(root / "usr" / "bin", "valkey-server", "7.2.4", "8.1.1")
        (root / "usr" / "bin" / "redis-server").symlink_to("valkey-server")
        self.assertEqual([], installations.find(REDIS, root))
        self.assertEqual(["8.1.1"], [item.version for item in installations.find(VALKEY, root)])

    def test_versions_sort_by_age(self) -> None:
        self.assertEqual(["7.0.9", "7.0.15", "8.0.2"], sorted(["8.0.2", "7.0.15", "7.0.9"], key=version_key))
        self.assertTrue(REDIS.knows("7.0.15"))
        self.assertFalse(REDIS.knows("70.1.0"))
