# SPDX-License-Identifier: Apache-2.0

import os
from unittest import mock

from trove.providers.local.images import listing, store
from trove.providers.local.images.manifest import ImageError
from trove.tests import base
from trove.tests.unit.providers.local.images import case


class TestImages(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir() / "images"
        self.directory.mkdir()
        self.images = store.Images(self.directory)

    def test_only_complete_images_can_be_used(self) -> None:
        case.make_image(self.directory, "good")
        (self.directory / ".building-half" / store.ROOT).mkdir(parents=True)
        (self.directory / "stray").mkdir()
        (self.directory / ".packages").mkdir()
        states = {entry.name: entry.problem for entry in self.images.entries()}
        self.assertEqual({"good", "half", "stray"}, set(states))
        self.assertIsNone(states["good"])
        self.assertIn("incomplete", str(states["half"]))
        self.assertEqual(self.directory / "good" / store.ROOT, self.images.root("good"))
        for name, why in {"half": "not complete", "stray": "not complete", "none": "does not exist"}.items():
            self.assertIn(why, str(self.assertRaises(ImageError, self.images.root, name)))
        self.assertRaises(ImageError, self.images.root, "../images/good")

    def test_a_directory_that_does_not_exist_is_empty(self) -> None:
        self.assertEqual([], store.Images(self.directory / "no").entries())
        self.assertIs(False, store.Images(self.directory / "no").remove("x"))

    def test_an_image_is_proven_once_and_again_when_it_was_replaced(self) -> None:
        case.make_image(self.directory, "good")
        with mock.patch.object(listing, "compute", autospec=True, side_effect=listing.compute) as compute:
            self.images.root("good")
            self.images.root("good")
            self.assertEqual(1, compute.call_count)
            self.images.remove("good")
            case.make_image(self.directory, "good", built_at="later")
            compute.reset_mock()
            self.images.root("good")
            self.assertEqual(1, compute.call_count)

    def test_what_was_changed_is_not_used(self) -> None:
        case.make_image(self.directory, "good")
        engine = self.directory / "good" / store.ROOT / "usr/bin/engine"
        engine.write_bytes(b"Program")
        self.images.root("good")
        self.assertIn("not what was built", str(self.assertRaises(ImageError, self.images.verify, "good")))
        engine.unlink()
        self.assertRaises(ImageError, store.Images(self.directory).root, "good")

    def test_remove_takes_everything_of_that_name_and_nothing_else(self) -> None:
        case.make_image(self.directory, "one")
        case.make_image(self.directory, "two")
        (self.directory / ".building-one").mkdir()
        self.assertIs(True, self.images.remove("one"))
        self.assertIs(False, self.images.remove("one"))
        self.assertEqual(["two"], [entry.name for entry in self.images.entries()])
        self.images.verify("two")

    def test_who_builds_keeps_others_away(self) -> None:
        (self.directory / ".building-one").mkdir()
        with self.images.exclusive("one"):
            self.assertRaises(ImageError, store.Images(self.directory).remove, "one")
            (entry,) = self.images.entries()
            self.assertEqual("is being built", entry.problem)
            with self.images.exclusive("two"):
                pass
        self.assertIs(True, self.images.remove("one"))

    def test_nothing_is_deleted_through_a_mount(self) -> None:
        case.make_image(self.directory, "one")
        inside = os.path.realpath(self.directory / "one" / store.ROOT / "proc")
        line = f"1 2 0:3 / {inside.replace(' ', chr(92) + '040')} rw - proc proc rw\n"
        with mock.patch("builtins.open", mock.mock_open(read_data=line)):
            self.assertIn(inside, str(self.assertRaises(ImageError, store.refuse_mounts, self.directory / "one")))
            store.refuse_mounts(self.directory / "on")
