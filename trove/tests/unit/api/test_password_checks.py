# SPDX-License-Identifier: Apache-2.0
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from trove.api.password_checks import PasswordChecks
from trove.common import exception
from trove.tests import base


class PasswordChecksTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.checks = PasswordChecks(2)
        self.go_on = threading.Event()
        self.pool = ThreadPoolExecutor(2)
        self.addCleanup(self.pool.shutdown)
        self.addCleanup(self.go_on.set)

    def begin(self, key: str, answer: bool) -> "Future[bool]":
        """Check in a thread, until :attr:`go_on`; return when it has begun."""
        begun = threading.Event()

        def check() -> bool:
            begun.set()
            self.go_on.wait()
            return answer

        running = self.pool.submit(self.checks.run, key, check)
        begun.wait()
        return running

    def test_beyond_the_number_they_are_refused_at_once(self) -> None:
        right, wrong = self.begin("a", True), self.begin("b", False)
        refused = self.assertRaises(exception.ServiceUnavailable, self.checks.run, "c", lambda: True)
        self.assertEqual("Too many passwords are being checked; try again.", str(refused))
        self.go_on.set()
        self.assertEqual((True, False), (right.result(), wrong.result()))
        self.assertTrue(self.checks.run("c", lambda: True))

    def test_the_same_one_is_checked_once(self) -> None:
        self.begin("b", False)
        running = self.checks._running["a"] = Future()
        running.set_result(True)
        self.assertTrue(self.checks.run("a", lambda: bool(1 / 0)))

    def test_a_check_that_fails_leaves_nothing_behind(self) -> None:
        for _ in range(3):
            self.assertRaises(ZeroDivisionError, self.checks.run, "a", lambda: bool(1 / 0))
        self.assertEqual({}, self.checks._running)
