# SPDX-License-Identifier: Apache-2.0
# covers: trove/objectstore/base.py
# covers: trove/objectstore/filesystem.py
"""The filesystem store keeps the contract, and what its directory looks like."""

import os
import stat

from trove.objectstore import base as objectstore
from trove.objectstore import filesystem
from trove.tests import base
from trove.tests.contract.objectstore import suite
from trove.tests.fixtures.clock import ManualClock


class FilesystemTest(suite.StoreSuite, base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(ManualClock())
        self.root = self.tempdir() / "objects"
        self.store = filesystem.FilesystemStore(self.root)

    def pass_expiry(self, name: str) -> None:
        self.clock.advance(3601)

    def files(self) -> list[str]:
        """Return the names of all files."""
        return sorted(file for _, _, files in os.walk(self.root) for file in files)

    def test_private(self) -> None:
        self.store.put("p", "c", "a/b", [b"x"])
        for folder, folders, files in os.walk(self.root):
            for name in (*folders, *files):
                mode = stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode)
                self.assertEqual(0o600 if name in files else 0o700, mode, name)
        self.assertEqual(0o700, stat.S_IMODE(self.root.stat().st_mode))

    def test_no_name_leads_out(self) -> None:
        for name in ("/out", "a//b", "...", "..a/b..", "%2e%2e/out", "a\\.."):
            self.store.put("..", "..", name, [b"x"])
            self.assertEqual([name], [item.name for item in self.store.find("..", "..")])
            self.store.remove("..", "..", name)
        self.assertEqual([self.root.name], [path.name for path in self.root.parent.iterdir()])

    def test_sweep(self) -> None:
        self.store.put("p", "c", "old", [b"x"], expire_after=60)
        self.store.put("p", "c", "deep/old", [b"x"], expire_after=60)
        self.store.put("p", "c", "kept", [b"x"])
        (self.root / "d.p" / "d.c" / "x.0123456789abcdef").write_bytes(b"a dead writer's")
        self.assertEqual(0, self.store.sweep())
        self.assertEqual(7, len(self.files()))
        self.clock.advance(61)
        self.assertEqual(2, self.store.sweep())
        self.assertEqual(3, len(self.files()))
        os.utime(self.root / "d.p" / "d.c" / "x.0123456789abcdef", (0, 0))
        self.assertEqual(0, self.store.sweep())
        self.assertEqual(2, len(self.files()))
        self.assertFalse((self.root / "d.p" / "d.c" / "d.deep").exists())
        self.assertEqual(["kept"], [item.name for item in self.store.find("p", "c")])

    def test_nothing_is_left_of_what_was_replaced(self) -> None:
        for content in (b"1", b"2", b"3"):
            self.store.put("p", "c", "a", [content])
        self.assertEqual(2, len(self.files()))
        self.store.remove("p", "c", "a")
        self.assertEqual([], self.files())

    def test_a_disk_that_fails_is_an_answer(self) -> None:
        self.store.put("p", "c", "a", [b"x"])
        (self.root / "d.p" / "d.c" / "o.a").unlink()
        (self.root / "d.p" / "d.c" / "o.a").mkdir()
        self.assertRaises(objectstore.StoreUnavailable, self.store.head, "p", "c", "a")
        self.assertRaises(objectstore.StoreUnavailable, self.store.put, "p", "c", "a", [b"x"])

    def test_a_directory_that_cannot_be_made(self) -> None:
        (self.root / "file").write_text("")
        self.assertRaises(objectstore.StoreRefused, filesystem.FilesystemStore, self.root / "file" / "objects")
