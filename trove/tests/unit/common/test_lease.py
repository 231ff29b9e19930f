# SPDX-License-Identifier: Apache-2.0
"""A lease as its holder knows it."""

import threading

from trove.common import lease
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock


class TestLease(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(ManualClock())
        self.lease = lease.Lease(self.clock.boottime() + 30.0)

    def test_it_runs_out_by_itself(self) -> None:
        self.clock.advance(29.9)
        self.assertFalse(self.lease.is_set())
        self.clock.advance(0.1)
        self.assertTrue(self.lease.is_set())

    def test_it_goes_on_when_it_was_renewed(self) -> None:
        self.lease.extend(self.clock.boottime() + 40.0)
        self.lease.extend(self.clock.boottime() + 5.0)  # a renewal that was asked for earlier and answered later
        self.clock.advance(39.0)
        self.assertFalse(self.lease.is_set())

    def test_one_that_was_ended_stays_so(self) -> None:
        self.lease.set()
        self.lease.extend(self.clock.boottime() + 1000.0)
        self.assertTrue(self.lease.is_set())

    def test_require(self) -> None:
        lost = threading.Event()
        lease.require(lost, "remove_port")
        lost.set()
        error = self.assertRaises(lease.LeaseEnded, lease.require, lost, "remove_port")
        self.assertIn("remove_port was not called", str(error))
