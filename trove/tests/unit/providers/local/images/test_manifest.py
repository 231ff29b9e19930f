# SPDX-License-Identifier: Apache-2.0

import json

from trove.providers.local.images import manifest
from trove.tests import base
from trove.tests.unit.providers.local.images import case


class TestManifest(base.UnitTestCase):
    def test_what_was_written_is_read(self) -> None:
        directory = self.tempdir()
        written = case.make_image(directory, "one")
        self.assertEqual(written, manifest.read(directory / "one"))

    def test_a_damaged_one_is_said_to_be(self) -> None:
        directory = self.tempdir()
        case.make_image(directory, "one")
        file = directory / "one" / manifest.FILE
        good = json.loads(file.read_text())
        lacking = {key: value for key, value in good.items() if key != "checksum"}
        for bad in (lacking, {**good, "more": 1}, {**good, "engines": 1}, []):
            file.write_text(json.dumps(bad))
            self.assertIn("damaged", str(self.assertRaises(manifest.ImageError, manifest.read, directory / "one")), bad)
        for text in ("", "{", "\0"):
            file.write_text(text)
            error = self.assertRaises(manifest.ImageError, manifest.read, directory / "one")
            self.assertIn("damaged", str(error), text)
        file.write_text(json.dumps({**good, "format": 2}))
        self.assertIn("another release", str(self.assertRaises(manifest.ImageError, manifest.read, directory / "one")))
        file.unlink()
        self.assertRaises(FileNotFoundError, manifest.read, directory / "one")

    def test_names_that_lead_elsewhere_are_refused(self) -> None:
        for name in ("", ".", "..", "../x", "a/b", "-x", ".building-x", "A", "a b", "x" * 65, "a\n"):
            self.assertRaises(manifest.ImageError, manifest.check_name, name)
        for name in ("trixie", "pg-17.2_x", "0", "x" * 64):
            self.assertEqual(name, manifest.check_name(name))
