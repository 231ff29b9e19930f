# SPDX-License-Identifier: Apache-2.0
"""The pid file as a lock. Locks belong to open files, so one process can play both sides."""

import fcntl
import os

from trove.standalone import pidfile
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock


class TestPidFile(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(ManualClock())
        self.path = self.tempdir() / "pid"

    def test_one_at_a_time(self) -> None:
        first, second = pidfile.PidFile(self.path), pidfile.PidFile(self.path)
        self.assertEqual(0, pidfile.running(self.path))
        first.acquire()
        self.assertEqual(os.getpid(), pidfile.running(self.path))
        err = self.assertRaises(pidfile.AlreadyRunning, second.acquire)
        self.assertEqual(os.getpid(), err.pid)
        first.release()
        first.release()
        self.assertEqual(0, pidfile.running(self.path))
        second.acquire()
        second.release()

    def test_the_file_stays_so_that_nobody_locks_another_one_of_its_name(self) -> None:
        lock = pidfile.PidFile(self.path)
        lock.acquire()
        inode = self.path.stat().st_ino
        lock.release()
        lock.acquire()
        self.assertEqual(inode, self.path.stat().st_ino)
        lock.release()

    def test_a_file_left_by_a_killed_service_says_nothing(self) -> None:
        self.path.write_text(f"{os.getpid()}\n")
        self.assertEqual(0, pidfile.running(self.path))

    def test_somebody_who_only_looks_does_not_keep_a_service_from_starting(self) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        sleep = self.clock.sleep

        def close_and_sleep(seconds: float) -> None:
            nonlocal descriptor
            if descriptor >= 0:
                os.close(descriptor)
                descriptor = -1
            sleep(seconds)

        pidfile.clock.sleep = close_and_sleep
        lock = pidfile.PidFile(self.path)
        lock.acquire()
        lock.release()

    def test_a_lock_without_a_pid_yet(self) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self.assertEqual(0, pidfile.running(self.path))
        self.assertTrue(self.clock.pauses)

    def test_read(self) -> None:
        self.assertEqual(0, pidfile.read(self.path))
        for text, pid in (("", 0), ("12\n", 12), ("x", 0)):
            self.path.write_text(text)
            self.assertEqual(pid, pidfile.read(self.path))
