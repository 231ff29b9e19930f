# SPDX-License-Identifier: Apache-2.0
"""The local provider's files: names, replacement, leftovers."""

import json
import os
from unittest import mock

from trove.common import ids
from trove.providers import base
from trove.providers.local import records
from trove.tests import base as tests


class SlugTest(tests.UnitTestCase):
    def test_instances_are_found_by_their_id(self) -> None:
        instance_id = ids.new_id()
        self.assertEqual(instance_id, records.slug("server", ids.instance_tag(instance_id, "server")))

    def test_names_differ_and_stay_inside(self) -> None:
        instance_id = ids.new_id()
        own = [f"instance:{instance_id}/{part}" for part in ("server", "volume", "server/")]
        tags = [*own, "../..", "a/b", "a-b", "x" * 300, "x" * 301, "", "."]
        names = [records.slug("server", tag) for tag in tags]
        self.assertEqual(len(tags), len(set(names)))
        for name in names:
            self.assertRegex(name, r"^[0-9A-Za-z.-]{1,80}$")
            self.assertNotIn(name, (".", ".."))


class StoreTest(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.store = records.Store(self.tempdir() / "a" / "b")

    def test_the_name_of_the_host_stays(self) -> None:
        base_dir = self.tempdir() / "c"
        for name in ("one", "renamed"):
            self.assertEqual("one", records.Store(base_dir, host=name).known_host)

    def test_round_trip(self) -> None:
        self.assertIsNone(self.store.read("port", "t"))
        self.store.write("port", {"tag": "t", "port": 1})
        record = {"tag": "t", "port": 1, "host": "localhost"}
        self.assertEqual(record, self.store.read("port", "t"))
        self.assertEqual([record], self.store.all("port"))

    def test_host_is_written_down_where_it_is_missing(self) -> None:
        other = records.Store(self.store.base_dir, host="two")
        other.write("port", {"tag": "t"} | other.origin())
        self.store.write("port", self.store.read("port", "t"))
        self.assertEqual("two", self.store.read("port", "t")["host"])

    def test_a_record_that_cannot_be_read_hides_no_other(self) -> None:
        for tag in ("a", "b", "c", "d", "e"):
            self.store.make_directory("server", {"tag": tag}, "state", {})
        for tag, text in (("a", "{"), ("b", "[]"), ("d", '{"tag": 3}'), ("e", '{"tag": "c"}')):
            self.store.file("server", tag).write_text(text)
        for _ in range(2):  # each is reported once
            self.assertEqual([{"tag": "c"}], self.store.all("server"))
        broken = [self.store.file("server", tag) for tag in "abd"]
        self.assertEqual(sorted(broken), self.store.unreadable("server"))
        self.assertEqual(3, self.logs.text().count("cannot be read"))
        self.assertEqual(5, len(self.store.slugs("server")))
        self.assertRaises(base.FatalError, self.store.read, "server", "a")

    def test_directory_appears_with_everything_in_it(self) -> None:
        with mock.patch.object(records.Path, "rename", autospec=True, side_effect=KeyboardInterrupt):
            record = {"tag": "t"}
            self.assertRaises(KeyboardInterrupt, self.store.make_directory, "server", record, "state", {"f": b"x"})
        self.assertIsNone(self.store.read("server", "t"))
        self.store.make_directory("server", record, "state", {"f": b"x"})
        self.assertEqual(record, self.store.read("server", "t"))
        file = self.store.directory("server", "t") / "state" / "f"
        self.assertEqual((b"x", 0o600), (file.read_bytes(), file.stat().st_mode & 0o777))

    def test_failed_write_keeps_the_old_record(self) -> None:
        self.store.write("port", {"tag": "t", "port": 1})
        with mock.patch.object(os, "replace", autospec=True, side_effect=OSError):
            self.assertRaises(OSError, self.store.write, "port", {"tag": "t", "port": 2})
        self.assertEqual(1, self.store.read("port", "t")["port"])
        self.assertEqual(1, len(list((self.store.base_dir / "ports").iterdir())))

    def test_file_of_another_tag(self) -> None:
        self.store.file("port", "t").write_text(json.dumps({"tag": "other"}))
        self.assertRaises(base.ConflictError, self.store.read, "port", "t")

    def test_what_was_discarded_is_in_the_trash(self) -> None:
        self.store.make_directory("volume", {"tag": "t"}, "data", {})
        item = self.store.discard("volume", "t")
        self.assertEqual(self.store.base_dir / "trash", item.parent)
        self.assertIsNone(self.store.read("volume", "t"))
        self.store.trash.round()
        self.assertFalse(item.exists())

    def test_discarding_what_is_absent(self) -> None:
        self.assertIsNone(self.store.discard("volume", "t"))
        self.assertIsNone(self.store.discard("port", "t"))

    def test_sweeping_does_not_follow_links(self) -> None:
        outside = self.tempdir()
        (outside / "kept").write_text("")
        self.store.make_directory("volume", {"tag": "t"}, "data", {})
        (self.store.directory("volume", "t") / "data" / "link").symlink_to(outside)
        self.store.trash.sweep(self.store.discard("volume", "t"))
        self.assertTrue((outside / "kept").exists())

    def test_base_dir_that_cannot_be_made(self) -> None:
        file = self.tempdir() / "file"
        file.write_text("")
        self.assertRaises(base.FatalError, records.Store, file / "x")
