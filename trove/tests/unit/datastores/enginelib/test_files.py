# SPDX-License-Identifier: Apache-2.0

import os
import stat

from trove.datastores.enginelib import files
from trove.tests import base


class TestFiles(base.UnitTestCase):
    def test_a_private_file_replaces_another(self) -> None:
        path = self.tempdir() / "x"
        path.write_text("old")
        path.chmod(0o644)
        files.write_private(path, "new")
        self.assertEqual(("new", 0o600), (path.read_text(), stat.S_IMODE(path.stat().st_mode)))

    def test_a_failed_write_leaves_the_old_file_alone(self) -> None:
        path = self.tempdir() / "x"
        path.write_text("old")
        self.assertRaises(UnicodeEncodeError, files.write_private, path, "\ud800")
        self.assertEqual(("old", [path]), (path.read_text(), list(path.parent.iterdir())))

    def test_a_private_directory(self) -> None:
        path = self.tempdir() / "a" / "b"
        for _ in range(2):
            self.assertEqual(0o700, stat.S_IMODE(files.private_directory(path).stat().st_mode))
            path.chmod(0o755)

    def test_copy_tree(self) -> None:
        source, target = self.tempdir() / "s", self.tempdir() / "t"
        (source / "deep").mkdir(parents=True)
        (source / "deep" / "big").write_bytes(os.urandom(300_000))
        (source / "empty").touch()
        (source / "deep" / "big").chmod(0o600)
        files.copy_tree(source, target)
        self.assertEqual((source / "deep" / "big").read_bytes(), (target / "deep" / "big").read_bytes())
        self.assertEqual(0o600, stat.S_IMODE((target / "deep" / "big").stat().st_mode))
        self.assertTrue((target / "empty").exists())
        self.assertRaises(FileExistsError, files.copy_tree, source, target)

    def test_a_failed_copy_leaves_nothing(self) -> None:
        target = self.tempdir() / "t"
        self.assertRaises(OSError, files.copy_tree, self.tempdir() / "absent", target)
        self.assertEqual([], list(target.parent.iterdir()))
