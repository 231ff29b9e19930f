# SPDX-License-Identifier: Apache-2.0
"""Which directories are hidden and what is shown again; the contract suite runs the launcher for real."""

import os
from pathlib import Path

from trove.providers import base
from trove.providers.local import privileges
from trove.tests import base as tests

#: Nobody who owns a file of this test, so that only the bits for others count.
STRANGER = privileges.Account("stranger", 2**30, 2**30)


class ViewTest(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = Path(os.path.realpath(self.tempdir().parent))  # 0700, so it is hidden itself
        self.open = self.root / "open"
        self.open.mkdir()
        self.root.chmod(0o755)
        self.outer = self.root / "outer"

    def make(self, path: str, mode: int = 0o755) -> str:
        made = self.root / path
        made.mkdir(parents=True, exist_ok=True)
        made.chmod(mode)
        return str(made)

    def view(self, *read_only: str, writable: tuple[str, ...] = ()) -> list[str]:
        """Return the words with the test's directory cut off."""
        words = privileges.view(STRANGER, read_only, writable)
        return [word.replace(str(self.root), "") for word in words]

    def closed_above(self) -> bool:
        """Tell whether the directory of all tests is closed, too (as for root with a private TMPDIR)."""
        return any(not STRANGER.may_enter(str(parent)) for parent in self.root.parents)

    def test_nothing_is_in_the_way(self) -> None:
        if self.closed_above():
            self.skipTest("TMPDIR is not open to others")
        self.assertEqual([], self.view(self.make("a/b"), writable=(self.make("c"),)))

    def test_topmost_closed_directory_is_hidden(self) -> None:
        if self.closed_above():
            self.skipTest("TMPDIR is not open to others")
        target = self.make("closed/also/code")
        self.make("closed/also", 0o700)
        self.make("closed", 0o700)
        self.assertEqual(["hide=/closed", "ro=/closed/also/code"], self.view(target))

    def test_what_lies_inside_something_shown_needs_nothing_more(self) -> None:
        if self.closed_above():
            self.skipTest("TMPDIR is not open to others")
        outer, inner = self.make("closed/venv"), self.make("closed/venv/engine")
        self.make("closed", 0o700)
        self.assertEqual(["hide=/closed", "ro=/closed/venv"], self.view(inner, outer))
        expected = ["hide=/closed", "ro=/closed/venv", "rw=/closed/venv/engine"]
        self.assertEqual(expected, self.view(outer, writable=(inner,)))

    def test_closed_directory_inside_something_shown(self) -> None:
        if self.closed_above():
            self.skipTest("TMPDIR is not open to others")
        outer, inner = self.make("closed/venv"), self.make("closed/venv/private/engine")
        self.make("closed/venv/private", 0o700)
        self.make("closed", 0o700)
        expected = ["hide=/closed", "hide=/closed/venv/private", "ro=/closed/venv", "ro=/closed/venv/private/engine"]
        self.assertEqual(expected, self.view(outer, inner))

    def test_needed_directory_that_is_closed_itself(self) -> None:
        if self.closed_above():
            self.skipTest("TMPDIR is not open to others")
        if os.geteuid() != 0:
            self.skipTest("only root's directories are taken apart")
        self.make("venv/bin")
        self.make("venv/lib")
        self.assertEqual(["hide=/venv", "ro=/venv/bin", "ro=/venv/lib"], self.view(self.make("venv", 0o700)))

    def test_symbolic_links_are_followed_and_shown(self) -> None:
        if self.closed_above():
            self.skipTest("TMPDIR is not open to others")
        self.make("closed/python/bin")
        link = self.root / "closed" / "current"
        link.symlink_to("python")
        outside = self.open / "python"
        outside.symlink_to(link)
        self.make("closed", 0o700)
        expected = ["hide=/closed", "ro=/closed/python/bin", "link=/closed/current:python"]
        self.assertEqual(expected, self.view(str(outside / "bin")))

    def test_link_with_a_colon(self) -> None:
        self.make("closed/real")
        (self.root / "closed" / "a:b").symlink_to("real")
        self.make("closed", 0o700)
        self.assertRaises(base.FatalError, self.view, str(self.root / "closed" / "a:b"))

    def test_circle_of_links(self) -> None:
        (self.root / "x").symlink_to("y")
        (self.root / "y").symlink_to("x")
        self.assertRaises(base.FatalError, self.view, str(self.root / "x"))

    def test_absent_path_is_left_out(self) -> None:
        self.assertEqual([], [word for word in self.view(str(self.root / "absent")) if "absent" in word])


class AccountTest(tests.UnitTestCase):
    def test_mode_bits(self) -> None:
        directory = self.tempdir()
        owner = privileges.Account("owner", directory.stat().st_uid, 2**30)
        group = privileges.Account("group", 2**30, directory.stat().st_gid)
        for mode, who, enter, list_ in (
            (0o700, owner, True, True), (0o700, group, False, False), (0o700, STRANGER, False, False),
            (0o710, group, True, False), (0o711, STRANGER, True, False), (0o755, STRANGER, True, True),
            (0o077, owner, False, False),
        ):
            directory.chmod(mode)
            self.assertEqual((enter, list_), (who.may_enter(str(directory)), who.may_list(str(directory))), oct(mode))
        directory.chmod(0o700)

    def test_unknown_account_and_root(self) -> None:
        self.assertRaises(base.FatalError, privileges.find_account, "no-such-user-here")
        self.assertRaises(base.FatalError, privileges.find_account, "root")


class NeededPathsTest(tests.UnitTestCase):
    def test_code_paths_hold_this_package_and_its_python(self) -> None:
        import sys

        import trove

        paths = privileges.code_paths()
        self.assertIn(os.path.dirname(trove.__file__), paths)
        self.assertIn(sys.base_prefix, paths)

    def test_engine_paths_hold_the_libraries_beside_the_programs(self) -> None:
        self.assertEqual(("/usr/lib/postgresql/15",), privileges.engine_paths("/usr/lib/postgresql/15/bin/"))
        self.assertEqual(("/opt/engine",), privileges.engine_paths("/opt/engine"))
