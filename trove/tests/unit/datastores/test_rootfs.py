# SPDX-License-Identifier: Apache-2.0

from pathlib import Path

from trove.datastores import rootfs
from trove.tests import base


class TestInside(base.UnitTestCase):
    def test_links_are_followed_as_they_are_meant_inside(self) -> None:
        root = self.tempdir()
        (root / "usr/lib/engine/bin").mkdir(parents=True)
        (root / "lib").symlink_to("usr/lib")
        (root / "etc").mkdir()
        (root / "etc/absolute").symlink_to("/lib/engine")
        (root / "etc/upwards").symlink_to("../../../../lib/engine/./bin")
        for asked, real in {
            "/usr/lib/engine": "/usr/lib/engine",
            "/lib/engine/bin": "/usr/lib/engine/bin",
            "/etc/absolute/bin": "/usr/lib/engine/bin",
            "/etc/upwards": "/usr/lib/engine/bin",
            "/etc/absolute/../x": "/usr/lib/x",
            "/nothing/here": "/nothing/here",
            "/": "/",
        }.items():
            self.assertEqual(Path(real), rootfs.inside(Path(asked), root), asked)
        self.assertEqual(root / "usr/lib/engine", rootfs.on_host(Path("/etc/absolute"), root))
        self.assertEqual(Path("/etc/absolute"), rootfs.on_host(Path("/etc/absolute"), None))

    def test_a_loop_is_an_error(self) -> None:
        root = self.tempdir()
        (root / "a").symlink_to("b")
        (root / "b").symlink_to("a")
        self.assertRaises(OSError, rootfs.inside, Path("/a/x"), root)
