# SPDX-License-Identifier: Apache-2.0
# covers: trove/tests/base.py
"""The base classes themselves: poison that says the cure, logs that are always formatted."""

import logging
import os
import socket
import subprocess
import threading
import time
import unittest

from trove.common import clock
from trove.tests import base
from trove.tests.fixtures import clock as manual
from trove.tests.fixtures import poison

LOG = logging.getLogger("trove.tests.sample")


class PoisonTest(base.UnitTestCase):
    def test_sleep_names_the_manual_clock(self) -> None:
        error = self.assertRaises(poison.Poisoned, time.sleep, 0)
        self.assertIn("ManualClock", str(error))
        self.assertRaises(poison.Poisoned, clock.sleep, 0)

    def test_processes(self) -> None:
        error = self.assertRaises(poison.Poisoned, subprocess.run, ["true"])
        self.assertIn("FunctionalTestCase", str(error))
        self.assertRaises(poison.Poisoned, os.system, "true")

    def test_sockets(self) -> None:
        with socket.socket() as plain:
            self.assertRaises(poison.Poisoned, plain.connect, ("127.0.0.1", 9))
            self.assertRaises(poison.Poisoned, plain.bind, ("127.0.0.1", 0))
        self.assertRaises(poison.Poisoned, socket.getaddrinfo, "localhost", 80)


def _outcome(message: str, *args: object) -> unittest.TestResult:
    """Run a test that logs ``message`` at debug level, and return its result."""

    class Sample(base.UnitTestCase):
        def test_sample(self) -> None:
            LOG.debug(message, *args)

    result = unittest.TestResult()
    Sample("test_sample").run(result)
    return result


class LogTest(base.UnitTestCase):
    def test_broken_debug_line_fails_the_test(self) -> None:
        result = _outcome("%d of %d", "one")
        self.assertFalse(result.wasSuccessful())
        self.assertIn("does not match arguments", (result.failures + result.errors)[0][1])

    def test_good_line_is_captured(self) -> None:
        self.assertTrue(_outcome("%s of %d", "one", 2).wasSuccessful())
        LOG.debug("%s", "captured here")
        self.assertIn("DEBUG trove.tests.sample: captured here", self.logs.text())


class ManualClockTest(base.UnitTestCase):
    def test_sleep_moves_all_hands(self) -> None:
        hands = self.useFixture(manual.ManualClock())
        before, wall = clock.monotonic(), clock.utcnow()
        clock.sleep(5)
        self.assertFalse(clock.wait(threading.Event(), 2.5))
        self.assertEqual(7.5, clock.monotonic() - before)
        self.assertEqual(7.5, (clock.utcnow() - wall).total_seconds())
        self.assertEqual([5, 2.5], hands.pauses)


class ConfTest(base.UnitTestCase):
    def test_override_by_group_and_name(self) -> None:
        conf = self.new_conf(database__max_retries=3)
        self.assertEqual(3, conf.database.max_retries)


class NameTest(base.UnitTestCase):
    def test_a_test_keeps_its_name(self) -> None:
        error = self.assertRaises(AttributeError, setattr, self, "id", "x")
        self.assertIn("instance_id", str(error))
        self.assertIn("test_a_test_keeps_its_name", self.id())
