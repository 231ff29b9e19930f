# SPDX-License-Identifier: Apache-2.0
"""When a heartbeat is due and what it says."""

import random

from trove.datastores import spi
from trove.guestagent import heartbeat
from trove.tests.base import UnitTestCase
from trove.tests.fixtures.clock import ManualClock
from trove.wire import base, report


class TestHeartbeats(UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(ManualClock())
        random.seed(1)
        self.beats = heartbeat.Heartbeats(10.0, agent_version="a", handler_version="h", measure=lambda: (5, None))

    def test_nothing_to_say_before_the_first_probe(self) -> None:
        self.assertEqual(float("inf"), self.beats.seconds_left())

    def test_content_can_be_read_at_the_other_end(self) -> None:
        self.beats.publish(spi.EngineStatus("crashed", "x" * 1000, wal_bytes=9))
        beat = self.beats.compose()
        self.assertEqual(beat, base.decode(report.TO_CONTROL, "heartbeat", 1, beat.to_wire()))
        self.assertEqual(("crashed", 255, 9), (beat.service_status, len(beat.reason or ""), beat.wal_bytes))
        self.assertEqual((5, None), (beat.volume_used_bytes, beat.volume_total_bytes))

    def test_change_is_due_at_once_and_sameness_is_not(self) -> None:
        self.assertTrue(self.beats.publish(spi.EngineStatus("healthy")))
        self.assertEqual(0, self.beats.seconds_left())
        self.beats.compose()
        self.assertFalse(self.beats.publish(spi.EngineStatus("healthy", "another remark")))
        self.assertGreater(self.beats.seconds_left(), 0)
        self.assertTrue(self.beats.publish(spi.EngineStatus("blocked")))
        self.assertEqual(0, self.beats.seconds_left())

    def test_interval_has_jitter_and_is_never_exceeded(self) -> None:
        self.beats.publish(spi.EngineStatus("healthy"))
        seen = set()
        for _ in range(50):
            self.beats.compose()
            seen.add(self.beats.seconds_left())
        self.assertLessEqual(max(seen), 10.0)
        self.assertGreaterEqual(min(seen), 8.0)
        self.assertGreater(len(seen), 40)

    def test_a_probe_that_hangs_is_reported(self) -> None:
        self.beats.publish(spi.EngineStatus("healthy"))
        self.beats.compose()
        self.clock.advance(heartbeat.PROBE_PATIENCE + 1)
        self.assertEqual(0, self.beats.seconds_left())
        self.assertEqual("blocked", self.beats.compose().service_status)
