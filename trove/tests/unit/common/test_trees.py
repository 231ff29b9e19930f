# SPDX-License-Identifier: Apache-2.0
"""Trees that somebody hostile has filled are removed, and nothing else is."""

import errno
import os
from unittest import mock

from trove.common import trees
from trove.tests import base
from trove.tests.fixtures import hostile


class RemoveTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.outside, self.top = self.tempdir(), self.tempdir() / "top"
        (self.outside / "kept").write_text("x")
        self.top.mkdir()
        self.addCleanup(trees.remove_quietly, self.top)  # what a test leaves is too deep for the library

    def test_everything_at_once(self) -> None:
        hostile.everything(self.top, self.outside)
        trees.remove(self.top)
        self.assertFalse(os.path.lexists(self.top))
        self.assertEqual("x", (self.outside / "kept").read_text())

    def test_no_descriptor_stays_open(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            self.top.mkdir(exist_ok=True)
            hostile.deep(self.top, 50)
            trees.remove(self.top)
        self.assertEqual(before, len(os.listdir("/proc/self/fd")))

    def test_each_pass_is_bounded_and_gets_on(self) -> None:
        hostile.deep(self.top, 60)
        for number in range(40):
            (self.top / f"wide-{number}" / "below").mkdir(parents=True)
        handle = trees.open_directory(self.top)
        self.addCleanup(os.close, handle)
        for limit in (1, 10):
            calls = 0
            with (
                mock.patch.object(os, "unlink", autospec=True, side_effect=os.unlink) as unlinked,
                mock.patch.object(os, "rmdir", autospec=True, side_effect=os.rmdir) as removed,
            ):
                outcome = trees.empty(handle, limit)
                calls += unlinked.call_count + removed.call_count
            self.assertLessEqual(calls, 10)
            self.assertFalse(outcome.complete)
        passes = 0
        while not (outcome := trees.empty(handle, 10)).complete:
            self.assertTrue(outcome.advanced)
            passes += 1
            self.assertLess(passes, 300)
        self.assertEqual([], os.listdir(handle))

    def test_what_cannot_be_removed_stops_nothing(self) -> None:
        for name in ("a", "b", "c"):
            (self.top / name / "below").mkdir(parents=True)
            (self.top / name / "below" / "file").touch()
        (self.top / "b" / "below" / "im\nmutable").touch()
        real = os.unlink

        def unlink(path: str, **kwargs: int) -> None:
            if path == "im\nmutable":
                raise PermissionError(errno.EPERM, "Operation not permitted", path)
            real(path, **kwargs)

        with mock.patch.object(os, "unlink", autospec=True, side_effect=unlink):
            error = self.assertRaises(PermissionError, trees.remove, self.top)
        self.assertEqual("'im\\nmutable'", error.filename)
        left = [files for _, _, files in os.walk(self.top) if files]
        self.assertEqual([["im\nmutable"]], left)
        trees.remove(self.top)

    def test_many_that_cannot_be_removed_end(self) -> None:
        for number in range(10):
            (self.top / str(number)).touch()
        with (
            mock.patch.object(trees.empty, "__defaults__", (4,)),
            mock.patch.object(os, "unlink", autospec=True, side_effect=PermissionError(errno.EPERM, "no")),
        ):
            self.assertRaises(PermissionError, trees.remove, self.top)

    def test_only_directories(self) -> None:
        (self.top / "link").symlink_to(self.outside)
        (self.top / "file").touch()
        for name in ("link", "file"):
            self.assertRaises(NotADirectoryError, trees.remove, self.top / name)
        self.assertRaises(FileNotFoundError, trees.remove, self.top / "absent")
        trees.remove_quietly(self.top / "absent")
