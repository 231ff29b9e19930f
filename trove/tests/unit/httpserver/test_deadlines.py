# SPDX-License-Identifier: Apache-2.0
"""Until when a connection must have made which progress."""

import math

from trove.httpserver.deadlines import Deadlines, Phase
from trove.httpserver.limits import Limits
from trove.tests import base

LIMITS = Limits(head_seconds=10, idle_seconds=75, grace_seconds=8, min_rate=1000, linger_seconds=2)


class DeadlinesTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.deadlines = Deadlines(LIMITS, 100.0)

    def test_a_new_connection_has_one_deadline_for_its_head(self) -> None:
        for now in range(101, 110):
            self.deadlines.received(1, now)
        self.assertEqual(110.0, self.deadlines.until)

    def test_an_idle_one_has_it_from_the_first_byte(self) -> None:
        self.deadlines.enter(Phase.IDLE, 200.0)
        self.assertEqual(275.0, self.deadlines.until)
        self.deadlines.received(1, 250.0)
        self.deadlines.received(1, 255.0)
        self.assertEqual(260.0, self.deadlines.until)

    def test_a_body_earns_time_by_progress(self) -> None:
        self.deadlines.enter(Phase.BODY, 200.0)
        self.assertEqual(208.0, self.deadlines.until)
        self.deadlines.received(5000, 205.0)
        self.assertEqual(213.0, self.deadlines.until)
        self.deadlines.received(1, 212.0)
        self.assertEqual(213.001, self.deadlines.until)

    def test_a_fast_start_earns_no_long_pause(self) -> None:
        self.deadlines.enter(Phase.BODY, 200.0)
        self.deadlines.received(5_000_000, 201.0)
        self.assertEqual(209.0, self.deadlines.until)

    def test_an_answer_likewise(self) -> None:
        self.deadlines.enter(Phase.ANSWER, 200.0)
        self.deadlines.sent(3000, 204.0)
        self.deadlines.received(3000, 205.0)
        self.assertEqual(211.0, self.deadlines.until)

    def test_the_application_has_the_time_it_takes(self) -> None:
        self.deadlines.enter(Phase.BUSY, 200.0)
        self.deadlines.received(1, 300.0)
        self.assertEqual(math.inf, self.deadlines.until)

    def test_what_is_thrown_away_earns_nothing(self) -> None:
        self.deadlines.enter(Phase.LINGER, 200.0)
        self.deadlines.received(1_000_000, 201.0)
        self.assertEqual(202.0, self.deadlines.until)
