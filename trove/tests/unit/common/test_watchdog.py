# SPDX-License-Identifier: Apache-2.0
"""Signs of life by a file."""

import os

from trove.common import clock, watchdog
from trove.tests import base


class WatchdogTest(base.UnitTestCase):
    def test_beat_and_last(self) -> None:
        path = self.tempdir() / watchdog.FILE
        self.assertIsNone(watchdog.last(path))
        before = clock.monotonic()
        watchdog.beat(path)
        self.assertTrue(before - 0.001 <= watchdog.last(path) <= clock.monotonic())
        self.assertEqual((0, 0o600), (path.stat().st_size, path.stat().st_mode & 0o777))
        watchdog.beat(path)
        os.utime(path, ns=(5 * 10**9, 5 * 10**9))
        self.assertEqual(5.0, watchdog.last(path))

    def test_what_a_guest_may_put_there(self) -> None:
        """Nothing is followed, and nobody waits for the other end of a pipe."""
        directory = self.tempdir()
        (directory / "outside").touch()
        (directory / "link").symlink_to(directory / "outside")
        self.assertRaises(OSError, watchdog.beat, directory / "link")
        os.utime(directory / "outside", ns=(0, 0))
        self.assertNotEqual(0.0, watchdog.last(directory / "link"))
        os.mkfifo(directory / "fifo")
        self.assertRaises(OSError, watchdog.beat, directory / "fifo")
        self.assertIsNotNone(watchdog.last(directory / "fifo"))
