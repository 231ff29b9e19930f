# SPDX-License-Identifier: Apache-2.0

import errno
import os
import stat

import fixtures

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

    def test_a_failed_copy_leaves_nothing(self) -> None:
        target = self.tempdir() / "t"
        self.assertRaises(OSError, files.copy_tree, self.tempdir() / "absent", target)
        self.assertEqual([], list(target.parent.iterdir()))


class TestAtomicWrite(base.UnitTestCase):
    def test_replaces_with_the_mode(self) -> None:
        path = self.tempdir() / "f"
        files.atomic_write(path, b"old", mode=0o644)
        files.atomic_write(path, b"new")
        self.assertEqual((b"new", 0o600), (path.read_bytes(), path.stat().st_mode & 0o777))
        self.assertEqual([path], list(path.parent.iterdir()))

    def test_failure_leaves_the_old_content_and_no_rubbish(self) -> None:
        path = self.tempdir() / "f"
        files.atomic_write(path, b"old")

        def fail(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "full")

        self.useFixture(fixtures.MonkeyPatch("os.fsync", fail))
        self.assertRaises(OSError, files.atomic_write, path, b"new")
        self.assertEqual(b"old", path.read_bytes())
        self.assertEqual([path], list(path.parent.iterdir()))


class TestCopyTree(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = self.tempdir()
        self.source, self.target = self.root / "s", self.root / "t"
        (self.source / "deep" / "er").mkdir(parents=True)
        (self.source / "empty").write_bytes(b"")
        self.data = os.urandom(300_000)
        (self.source / "deep" / "er" / "f").write_bytes(self.data)
        (self.source / "deep" / "er" / "f").chmod(0o640)
        (self.source / "deep").chmod(0o700)
        os.symlink("../nowhere", self.source / "link")
        os.utime(self.source / "empty", (1, 2))

    def check(self) -> None:
        self.assertEqual(self.data, (self.target / "deep/er/f").read_bytes())
        self.assertEqual(0o640, (self.target / "deep/er/f").stat().st_mode & 0o777)
        self.assertEqual(0o700, (self.target / "deep").stat().st_mode & 0o777)
        self.assertEqual((b"", 2), ((self.target / "empty").read_bytes(), (self.target / "empty").stat().st_mtime))
        self.assertEqual("../nowhere", os.readlink(self.target / "link"))
        self.assertEqual({"s", "t"}, set(os.listdir(self.root)))

    def test_copy(self) -> None:
        files.copy_tree(self.source, self.target)
        self.check()

    def test_without_help_of_the_kernel(self) -> None:
        def cannot(*_args: object) -> int:
            raise OSError(errno.EXDEV, "cannot")

        self.useFixture(fixtures.MonkeyPatch("fcntl.ioctl", cannot))
        self.useFixture(fixtures.MonkeyPatch("os.copy_file_range", cannot))
        files.copy_tree(self.source, self.target)
        self.check()

    def test_kernel_gives_up_in_the_middle(self) -> None:
        real = os.copy_file_range
        answers = iter([1000, 0])

        def partly(reader: int, writer: int, count: int) -> int:
            return real(reader, writer, min(count, size)) if (size := next(answers)) else 0

        self.useFixture(fixtures.MonkeyPatch("fcntl.ioctl", _unsupported))
        self.useFixture(fixtures.MonkeyPatch("os.copy_file_range", partly))
        files.copy_tree(self.source, self.target)
        self.check()

    def test_full_disk_leaves_nothing(self) -> None:
        def full(*_args: object) -> int:
            raise OSError(errno.ENOSPC, "full")

        self.useFixture(fixtures.MonkeyPatch("fcntl.ioctl", full))
        error = self.assertRaises(OSError, files.copy_tree, self.source, self.target)
        self.assertEqual(errno.ENOSPC, error.errno)
        self.assertEqual({"s"}, set(os.listdir(self.root)))

    def test_refuses_what_is_there_and_what_is_no_file(self) -> None:
        self.target.mkdir()
        self.assertRaises(FileExistsError, files.copy_tree, self.source, self.target)
        os.mkfifo(self.source / "pipe")
        self.assertRaises(OSError, files.copy_tree, self.source, self.root / "u")
        self.assertEqual({"s", "t"}, set(os.listdir(self.root)))


def _unsupported(*_args: object) -> int:
    raise OSError(errno.EOPNOTSUPP, "cannot")
