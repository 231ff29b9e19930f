# SPDX-License-Identifier: Apache-2.0
"""Things that fail in a loop over many."""

import errno
import itertools
from unittest import mock

from trove.common import clock
from trove.providers import base
from trove.providers.local import faults, locks
from trove.tests import base as tests


class FaultsTest(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.now = 100.0
        self.enterContext(mock.patch.object(clock, "monotonic", lambda: self.now))
        self.faults = faults.Faults()
        self.calls: list[str] = []

    def fail(self, error: Exception) -> None:
        self.calls.append(str(error))
        raise error

    def test_the_others_go_on_and_each_is_logged_once(self) -> None:
        for _ in range(5):
            self.assertIsNotNone(self.faults.attempt("a", self.fail, base.RetryableError("no")))
            self.assertIsNone(self.faults.attempt("b", self.calls.append, "b"))
            self.now += 100.0
        self.assertEqual(["no", "b"] * 5, self.calls)
        self.assertEqual(1, self.logs.text().count("a: no; it is tried again"))
        self.assertIsNone(self.faults.attempt("a", self.calls.append, "a"))
        self.assertIn("a: works again", self.logs.text())

    def test_pauses_grow_to_a_minute_and_no_further(self) -> None:
        at = []
        for _ in range(400):
            before = len(self.calls)
            self.faults.attempt("a", self.fail, OSError(errno.EBUSY, "busy"))
            if len(self.calls) > before:
                at.append(self.now)
            self.now += 1.0
        pauses = [after - before for before, after in itertools.pairwise(at)]
        self.assertEqual([2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0, 60.0], pauses)
        self.faults.attempt("a", self.fail, OSError(errno.EBUSY, "busy"), now=True)
        self.assertEqual(len(at) + 1, len(self.calls))

    def test_another_error_is_told_again_and_a_bug_with_where_it_is(self) -> None:
        for error in (OSError(errno.EBUSY, "x"), OSError(errno.EBUSY, "y"), OSError(errno.EIO, "z"), RecursionError()):
            self.faults.attempt("a", self.fail, error, now=True)
        self.assertEqual(3, self.logs.text().count("it is tried again"))
        self.assertIn("a: RecursionError; it is tried again", self.logs.text())
        self.assertEqual(1, self.logs.text().count("Traceback"))

    def test_what_is_nobodys_fault_ends_the_loop(self) -> None:
        self.assertRaises(locks.LockTimeout, self.faults.attempt, "a", self.fail, locks.LockTimeout("held"))
        parts = faults.Faults(pauses=faults.AT_ONCE, through=())
        for _ in range(2):
            self.assertIsNotNone(parts.attempt("part", self.fail, locks.LockTimeout("held")))
        self.assertEqual(["held"] * 3, self.calls)

    def test_what_is_gone_is_forgotten(self) -> None:
        self.faults.attempt("a", self.fail, base.FatalError("no"))
        self.faults.keep({"b"})
        self.faults.attempt("a", self.fail, base.FatalError("no"))
        self.assertEqual(2, len(self.calls))
