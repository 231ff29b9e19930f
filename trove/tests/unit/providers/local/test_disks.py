# SPDX-License-Identifier: Apache-2.0
"""What is refused before anything is mounted; the contract suite mounts."""

import os

from trove.providers import base
from trove.providers.local import disks, privileges
from trove.tests import base as tests


class DisksTest(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.volume = self.tempdir() / "volume"
        self.volume.mkdir()
        self.image, self.data = self.volume / "disk.img", self.volume / "data"

    def test_plain_directory_is_no_volume(self) -> None:
        self.data.mkdir()
        self.image.touch()
        self.assertIs(False, disks.is_mounted(self.image, self.data))
        self.assertRaises(disks.NotMounted, disks.require, self.image, self.data)
        self.assertRaises(disks.NotMounted, disks.grow, self.image, self.data, disks.GIB)
        self.assertEqual(0, self.image.stat().st_size)

    def test_mount_point_admits_nobody(self) -> None:
        disks.make_mountpoint(self.data)
        disks.make_mountpoint(self.data)
        self.assertEqual(0, self.data.stat().st_mode & 0o777)
        stranger = privileges.Account("stranger", 2**30, 2**30)
        self.assertFalse(stranger.may_enter(str(self.data)))

    def test_too_small(self) -> None:
        err = self.assertRaises(base.FatalError, disks.make, self.image, disks.SMALLEST - 1)
        self.assertIn("300 MiB", str(err))
        self.assertFalse(self.image.exists())

    def test_promises_of_other_volumes_count(self) -> None:
        space = os.statvfs(self.volume)
        free = space.f_bavail * space.f_frsize
        if free < disks.HOST_RESERVE + 64 * 2**20:
            self.skipTest("the disk of this host is nearly full")
        disks.require_space(self.image, 2**20)
        other = self.volume.parent / "other"
        other.mkdir()
        with open(other / "disk.img", "wb") as stream:
            stream.truncate(free)  # takes nothing now, and may take all of it
        err = self.assertRaises(base.QuotaError, disks.require_space, self.image, 2**20)
        self.assertIn("has room for 0 MiB", str(err))
