# SPDX-License-Identifier: Apache-2.0

import os
from collections.abc import Callable
from pathlib import Path

from trove.providers.local.images import listing
from trove.tests import base
from trove.tests.unit.providers.local.images import case


class TestListing(base.UnitTestCase):
    def _tree(self) -> Path:
        root = self.tempdir() / "root"
        root.mkdir()
        case.make_tree(root)
        return root

    def test_order_and_times_do_not_matter(self) -> None:
        first = self._tree()
        second = self.tempdir()
        (second / "odd\nname").touch()
        (second / "bin").symlink_to("usr/bin")
        (second / "usr").mkdir()
        (second / "usr/bin").mkdir()
        (second / "usr/bin/engine").write_bytes(b"program")
        (second / "usr/bin/engine").chmod(0o755)
        os.utime(second / "usr/bin/engine", (1, 1))
        for contents in (True, False):
            self.assertEqual(listing.compute(first, contents=contents), listing.compute(second, contents=contents))
        found = listing.compute(first, contents=True)
        self.assertEqual((2, 7), (found.files, found.bytes))

    def test_every_change_is_noticed(self) -> None:
        changes: dict[str, Callable[[Path], object]] = {
            "added": lambda root: (root / "usr/new").touch(),
            "lost": lambda root: (root / "odd\nname").unlink(),
            "truncated": lambda root: os.truncate(root / "usr/bin/engine", 3),
            "re-permitted": lambda root: (root / "usr/bin/engine").chmod(0o4755),
            "another target": lambda root: ((root / "bin").unlink(), (root / "bin").symlink_to("/usr/bin")),
            "an empty directory": lambda root: (root / "usr/empty").mkdir(),
            "a file for a link": lambda root: ((root / "bin").unlink(), (root / "bin").touch()),
        }
        for what, change in changes.items():
            root = self._tree()
            before = [listing.compute(root, contents=contents).digest for contents in (True, False)]
            change(root)
            after = [listing.compute(root, contents=contents).digest for contents in (True, False)]
            for one, other in zip(before, after, strict=True):
                self.assertNotEqual(one, other, what)

    def test_a_changed_byte_is_noticed_by_the_full_listing_only(self) -> None:
        root = self._tree()
        full, quick = listing.compute(root, contents=True), listing.compute(root, contents=False)
        (root / "usr/bin/engine").write_bytes(b"progrom")
        self.assertNotEqual(full, listing.compute(root, contents=True))
        self.assertEqual(quick, listing.compute(root, contents=False))
