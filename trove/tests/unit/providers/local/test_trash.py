# SPDX-License-Identifier: Apache-2.0
"""What is deleted, in which order, and with whose rights."""

import os
import threading
from pathlib import Path
from unittest import mock

from trove.common import clock, trees
from trove.providers.local import privileges, trash
from trove.tests import base
from trove.tests.fixtures import hostile

ROOT = os.geteuid() == 0


class TrashTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.base_dir = self.tempdir()
        self.base_dir.chmod(0o711)
        self.account = privileges.find_account("nobody") if ROOT else None
        (self.base_dir / "trash").mkdir(mode=0o711)
        self.trash = trash.Trash(self.base_dir / "trash")
        self.addCleanup(trees.remove_quietly, self.base_dir / "trash")

    def thing(self, name: str = "thing") -> Path:
        """Make a server as the provider does: ours, with a directory of the account's in it."""
        path = self.base_dir / name
        (path / "state").mkdir(parents=True)
        (path / "server.json").write_text("{}")
        return path

    def give(self, directory: Path) -> None:
        """Give what is in a directory to the account, as if that had made it."""
        waiting = [os.open(directory, os.O_RDONLY)]
        while self.account is not None and waiting:
            handle = waiting.pop()
            os.fchown(handle, self.account.uid, self.account.gid)
            for name in os.listdir(handle):
                os.chown(name, self.account.uid, self.account.gid, dir_fd=handle, follow_symlinks=False)
                if name == "d":
                    waiting.append(os.open(name, os.O_RDONLY, dir_fd=handle))
            os.close(handle)
        for handle in waiting:
            os.close(handle)

    def items(self) -> list[Path]:
        return sorted((self.base_dir / "trash").iterdir())

    def test_a_hostile_tree(self) -> None:
        outside = self.tempdir()
        (outside / "kept").touch()
        thing = self.thing()
        hostile.deep(thing / "state")
        (thing / "state" / "link").symlink_to(outside)
        os.link(outside / "kept", thing / "state" / "hard")
        (thing / "state" / "line\nbreak").touch()
        self.give(thing / "state")
        (thing / "state").chmod(0)
        item = self.trash.take(thing)
        self.trash.sweep(item)
        for _ in range(5):
            self.trash.round()
        self.assertEqual([], self.items())
        self.assertTrue((outside / "kept").exists())
        self.assertEqual("", self.logs.text())

    def test_with_the_rights_of_the_account(self) -> None:
        if self.account is None:
            self.skipTest("needs root")
        thing = self.thing()
        (thing / "state" / "ours").mkdir()
        (thing / "state" / "ours" / "file").touch()
        os.chown(thing / "state", self.account.uid, self.account.gid)
        item = self.trash.take(thing)
        self.assertFalse(self.trash.sweep(item))
        # The account may move a directory of somebody else's only where it is, and remove nothing in it.
        left = [files for _, _, files in os.walk(item) if files]
        self.assertEqual([["file"]], left)
        self.assertIn("cannot be deleted now", self.logs.text())
        with open(self.base_dir / "free", "w"):
            pass  # the rights of this thread are as before
        self.assertEqual(0, (self.base_dir / "free").stat().st_uid)

    def test_one_that_fails_stops_nothing_and_is_told_once(self) -> None:
        bad, good = (self.trash.take(self.thing(name)) for name in ("bad", "good"))
        real = self.trash._remove
        for error in (RecursionError("deep"), MemoryError(), PermissionError(1, "Operation not permitted")):

            def remove(item: Path, error: Exception = error) -> object:
                if item == bad:
                    raise error
                return real(item)

            with mock.patch.object(self.trash, "_remove", autospec=True, side_effect=remove):
                self.trash.round()
                self.trash.round()
            self.assertEqual([bad], self.items())
        self.assertFalse(good.exists())
        self.assertEqual(3, self.logs.text().count("cannot be deleted now"))
        self.trash.round()
        self.assertEqual([], self.items())

    def test_one_that_has_another_name_in_each_pass_is_told_once(self) -> None:
        if self.account is None:
            self.skipTest("needs root")
        thing = self.thing()
        (thing / "state" / "ours").mkdir(mode=0o700)
        (thing / "state" / "ours" / "file").touch()
        os.chown(thing / "state", self.account.uid, self.account.gid)
        self.trash.take(thing)
        for _ in range(3):
            self.trash.round()
        self.assertEqual(1, self.logs.text().count("cannot be deleted now"))

    def test_a_round_is_bounded(self) -> None:
        now = clock.monotonic()
        for name in ("a", "b", "c"):
            self.trash.take(self.thing(name))
        readings = iter([now, now, now + trash.ROUND + 1])
        with mock.patch.object(clock, "monotonic", autospec=True, side_effect=lambda: next(readings)):
            self.trash.round()
        self.assertEqual(1, len(self.items()))

    def test_what_is_being_built_is_left_alone(self) -> None:
        building = self.trash.new_name()
        building.mkdir(mode=0o700)
        (building / "state").mkdir()
        self.trash.round()
        self.assertTrue(building.exists())
        later = clock.timestamp() + trash.LEFTOVER_AGE + 1
        with mock.patch.object(clock, "timestamp", autospec=True, return_value=later):
            self.trash.round()
        self.assertEqual([], self.items())

    def test_no_descriptor_and_no_thread_stays(self) -> None:
        before = len(os.listdir("/proc/self/fd")), threading.active_count()
        for _ in range(20):
            thing = self.thing()
            hostile.deep(thing / "state", 20)
            self.give(thing / "state")
            self.assertTrue(self.trash.sweep(self.trash.take(thing)))
        self.assertEqual(before, (len(os.listdir("/proc/self/fd")), threading.active_count()))

    def test_absent_and_files(self) -> None:
        self.assertIsNone(self.trash.take(self.base_dir / "absent"))
        (self.base_dir / "port.json").touch()
        item = self.trash.take(self.base_dir / "port.json")
        self.assertTrue(self.trash.sweep(item))
        self.assertTrue(self.trash.sweep(item))

    def test_another_sweep_is_at_the_same_thing(self) -> None:
        item = self.trash.take(self.thing())
        # It has just given a part its new name, so that this one finds none under the old name.
        with mock.patch.object(self.trash, "_remove_part", autospec=True, return_value=trees.DONE):
            self.assertFalse(self.trash.sweep(item))
        self.assertEqual("", self.logs.text())
        self.assertTrue(self.trash.sweep(item))
