# SPDX-License-Identifier: Apache-2.0
"""The data directory."""

import os
from unittest import mock

from trove.standalone import layout
from trove.tests import base


class TestLayout(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        patcher = mock.patch.object(layout, "_free_port", autospec=True, side_effect=iter(range(20000, 30000)))
        patcher.start()
        self.addCleanup(patcher.stop)
        self.layout = layout.Layout(self.tempdir() / "a" / "b")

    def test_settings_are_chosen_once(self) -> None:
        self.assertFalse(self.layout.started)
        self.assertRaises(FileNotFoundError, self.layout.settings)
        first = self.layout.create()
        self.assertTrue(self.layout.started)
        self.assertEqual(first, self.layout.create())
        self.assertEqual(first, layout.Layout(self.layout.root).settings())

    def test_private(self) -> None:
        self.layout.create()
        self.assertEqual(0o711 if os.geteuid() == 0 else 0o700, self.layout.root.stat().st_mode & 0o777)
        for path in self.layout.root.iterdir():
            if path.is_file():
                self.assertEqual(0o600, path.stat().st_mode & 0o777, path)

    def test_damaged_settings(self) -> None:
        self.layout.create()
        for text in ("", "{", "[]", '{"project_id": "p"}', "3"):
            (self.layout.root / "settings.json").write_text(text)
            err = self.assertRaises(ValueError, self.layout.settings)
            self.assertIn("settings.json is damaged", str(err))

    def test_a_file_in_its_place(self) -> None:
        self.layout.root.parent.mkdir()
        self.layout.root.write_text("")
        err = self.assertRaises(NotADirectoryError, self.layout.create_root)
        self.assertEqual(str(self.layout.root), err.filename)

    def test_write_private_replaces_as_a_whole(self) -> None:
        path = self.tempdir() / "x"
        path.write_text("old")
        layout.write_private(path, "new")
        self.assertEqual(("new", 0o600), (path.read_text(), path.stat().st_mode & 0o777))
        self.assertEqual([path], list(path.parent.iterdir()))
