# SPDX-License-Identifier: Apache-2.0
"""Waits between attempts."""

from trove.tests import base
from trove.workflow.transitions import Backoff


class TestBackoff(base.UnitTestCase):
    def test_it_doubles_up_to_its_cap_and_is_never_the_same_for_all(self) -> None:
        backoff = Backoff(first=2.0, cap=50.0)
        for attempt, nominal in ((1, 2.0), (2, 4.0), (5, 32.0), (6, 50.0), (10_000, 50.0)):
            delays = {backoff.delay(attempt) for _ in range(50)}
            self.assertTrue(all(nominal / 2 <= delay <= nominal for delay in delays), (attempt, delays))
            self.assertGreater(len(delays), 25)

    def test_what_a_step_asked_for_is_never_shortened(self) -> None:
        waits = {Backoff().stretch(8.0) for _ in range(50)}
        self.assertTrue(all(8.0 <= wait <= 10.0 for wait in waits), waits)
        self.assertGreater(len(waits), 25)
