# SPDX-License-Identifier: Apache-2.0

import os
import stat
from pathlib import Path

from trove.datastores import spi
from trove.datastores.enginelib import templates
from trove.tests import base


class TestName(base.UnitTestCase):
    def test_everything_that_influences_the_content_is_in_it(self) -> None:
        program = self.tempdir() / "server"
        program.write_bytes(b"1")
        first = templates.name("pg", "15.2", program, ["-k"])
        self.assertEqual(first, templates.name("pg", "15.2", program, ["-k"]))
        self.assertTrue(first.startswith("pg-15.2-"))
        program.write_bytes(b"22")
        others = {
            templates.name("pg", "15.2", program, ["-k"]),
            templates.name("pg", "15.2", program, ["-K"]),
            templates.name("pg", "15.3", program, ["-k"]),
            templates.name("pg", "15.2", program.with_name("absent"), ["-k"]),
        }
        self.assertEqual(4, len(others - {first}))


class TestTemplates(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir() / "templates"
        self.volume = self.tempdir()
        self.made: list[Path] = []

    def make(self, target: Path) -> str:
        self.made.append(target)
        target.mkdir()
        (target / "file").write_text("content")
        return f"note {len(self.made)}"

    def provide(self, name: str, directory: Path | None = None) -> str:
        return templates.Templates(directory or self.directory).provide("t", self.volume / name, self.make)

    def test_made_once_and_copied(self) -> None:
        self.assertEqual(["note 1"] * 3, [self.provide(name) for name in "abc"])
        self.assertEqual(1, len(self.made))
        for name in "abc":
            self.assertEqual("content", (self.volume / name / "file").read_text())
        self.assertEqual([], list(self.volume.glob(".*")))
        self.assertEqual(["t"], os.listdir(self.directory))
        self.assertEqual(0o600, stat.S_IMODE((self.directory / "t" / templates.NOTE).stat().st_mode))

    def test_without_a_place_every_one_is_made(self) -> None:
        store = templates.Templates(None)
        self.assertEqual(["note 1", "note 2"], [store.provide("t", self.volume / name, self.make) for name in "ab"])

    def test_a_place_that_cannot_be_written_is_no_error(self) -> None:
        blocked = self.tempdir() / "file"
        blocked.write_text("in the way")
        self.assertEqual(["note 1", "note 2"], [self.provide(name, blocked) for name in "ab"])

    def test_a_half_made_template_is_not_used(self) -> None:
        (self.directory / "t" / templates.DATA).mkdir(parents=True)
        self.assertEqual("note 1", self.provide("a"))
        self.assertEqual("content", (self.volume / "a" / "file").read_text())

    def test_what_fails_leaves_neither_template_nor_target(self) -> None:
        def fails(target: Path) -> str:
            target.mkdir()
            raise spi.EngineError("engine.program", "initdb failed.")

        store = templates.Templates(self.directory)
        self.assertRaises(spi.EngineError, store.provide, "t", self.volume / "a", fails)
        self.assertFalse(self.directory.exists())
        self.assertFalse((self.volume / "a").exists())

    def test_a_late_child_of_a_killed_attempt_meets_nobody(self) -> None:
        self.provide("a")
        self.assertNotEqual(self.volume / "a", self.made[0])
        self.assertEqual(self.volume, self.made[0].parent)
