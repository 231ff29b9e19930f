# SPDX-License-Identifier: Apache-2.0
"""Volumes on this host."""

import errno
from pathlib import Path
from unittest import mock

from trove.providers import base
from trove.providers.local import disks
from trove.providers.local.records import Store
from trove.providers.local.volumes import Volumes
from trove.tests import base as tests


class VolumesTest(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.store = Store(self.tempdir())
        self.volumes = Volumes(self.store)

    def test_growing_keeps_the_data(self) -> None:
        self.volumes.ensure(base.VolumeSpec("t", 1))
        (self.volumes.data_dir("t") / "file").write_text("x")
        self.assertEqual(2, self.volumes.ensure(base.VolumeSpec("t", 2)).size_gib)
        self.assertEqual("x", (self.volumes.data_dir("t") / "file").read_text())

    def test_removal_takes_the_data_along(self) -> None:
        self.volumes.ensure(base.VolumeSpec("t", 1))
        (self.volumes.data_dir("t") / "file").write_text("x")
        self.volumes.remove("t")
        self.assertFalse(self.store.directory("volume", "t").exists())
        self.assertEqual([], list((self.store.base_dir / "trash").iterdir()))

    def test_volume_of_a_server_stays(self) -> None:
        self.volumes.ensure(base.VolumeSpec("t", 1))
        self.store.make_directory("server", {"tag": "s", "volume_tag": "t"}, "state", {})
        err = self.assertRaises(base.ConflictError, self.volumes.remove, "t")
        self.assertIn("server s", str(err))

    def test_volume_that_cannot_be_unmounted_stays_alone(self) -> None:
        for tag in "abcd":
            self.store.make_directory("volume", {"tag": tag, "tier": 2}, None, {})
        unmounted = []

        def unmount(image: Path, directory: Path) -> None:
            self.assertEqual(image.parent, directory.parent)
            if image.parent == self.store.directory("volume", "a"):
                raise base.RetryableError("it is still mounted in another mount namespace, of processes 17")
            if image.parent == self.store.directory("volume", "b"):
                raise OSError(errno.EIO, "the disk is gone")
            unmounted.append(image.parent.name)

        with mock.patch.object(disks, "unmount", unmount):
            for _ in range(2):
                left = self.volumes.release({"d"})
        self.assertEqual(["a", "b"], sorted(left))
        self.assertIn("processes 17", left["a"])
        self.assertEqual([self.store.directory("volume", "c").name] * 2, unmounted)
        self.assertEqual(1, self.logs.text().count("processes 17"))

    def test_volume_of_a_server_whose_record_cannot_be_read_stays(self) -> None:
        self.volumes.ensure(base.VolumeSpec("t", 1))
        self.volumes.ensure(base.VolumeSpec("u", 1))
        directory = self.store.base_dir / "servers" / self.store.directory("volume", "t").name
        directory.mkdir()
        (directory / "server.json").write_text("{")
        self.assertRaises(base.ConflictError, self.volumes.remove, "t")
        self.volumes.remove("u")
        self.assertIsNone(self.volumes.find("u"))
