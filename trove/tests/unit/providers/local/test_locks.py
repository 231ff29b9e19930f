# SPDX-License-Identifier: Apache-2.0
"""Waits for a lock; the contract suite has it held by a process that is frozen."""

import os
import threading
from unittest import mock

from trove.providers.local import locks
from trove.tests import base as tests


class HoldTest(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.tempdir() / ".lock"

    def test_one_after_the_other(self) -> None:
        order: list[int] = []

        def work(number: int) -> None:
            with locks.hold(self.path):
                order.extend([number, number])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(order[::2], order[1::2])
        self.assertEqual(set(range(8)), set(order))

    def test_thread_of_this_process_that_does_not_let_go(self) -> None:
        with locks.hold(self.path):
            err = self.assertRaises(locks.LockTimeout, locks.hold(self.path, patience=0.0).__enter__)
        self.assertIn(f"held by process {os.getpid()}", str(err))
        with locks.hold(self.path, patience=0.0):
            pass

    def test_error_inside_lets_go(self) -> None:
        with self.assertRaises(KeyError), locks.hold(self.path):
            raise KeyError
        with locks.hold(self.path, patience=0.0):
            pass

    def test_holder_that_cannot_be_found(self) -> None:
        with mock.patch.object(locks, "_LOCKS", self.tempdir() / "absent"), locks.hold(self.path):
            err = self.assertRaises(locks.LockTimeout, locks.hold(self.path, patience=0.0).__enter__)
        self.assertIn("held by an unknown process for 0 seconds", str(err))
