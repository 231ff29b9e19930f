# SPDX-License-Identifier: Apache-2.0
"""The clock."""

import datetime
import threading

from trove.common import clock
from trove.tests import base


class TestClock(base.UnitTestCase):
    def test_naive_utc(self) -> None:
        now = clock.utcnow()
        self.assertIsNone(now.tzinfo)
        self.assertLess(abs(now.replace(tzinfo=datetime.UTC).timestamp() - clock.timestamp()), 5)

    def test_wait(self) -> None:
        event = threading.Event()
        self.assertFalse(clock.wait(event, 0))
        event.set()
        self.assertTrue(clock.wait(event, 60))

    def test_isoformat(self) -> None:
        moment = datetime.datetime(2026, 5, 2, 8, 0, 0, 999999, tzinfo=datetime.UTC)
        self.assertEqual("2026-05-02T08:00:00", clock.isoformat(moment))
