# SPDX-License-Identifier: Apache-2.0
"""Waiting times."""

from trove.common.backoff import AROUND, EXACT, Backoff, Failures, stretch
from trove.tests.base import UnitTestCase


class TestBackoff(UnitTestCase):
    def test_it_doubles_up_to_its_cap_and_is_never_the_same_for_all(self) -> None:
        for jitter in ({}, {"jitter": AROUND}):
            backoff = Backoff(first=2.0, cap=50.0, **jitter)
            low, high = backoff.jitter
            for attempt, nominal in ((1, 2.0), (2, 4.0), (5, 32.0), (6, 50.0), (10_000, 50.0)):
                delays = {backoff.delay(attempt) for _ in range(50)}
                self.assertTrue(all(nominal * low <= delay <= nominal * high for delay in delays), (attempt, delays))
                self.assertGreater(len(delays), 25)

    def test_without_jitter_it_is_exact(self) -> None:
        backoff = Backoff(first=2.0, cap=50.0, jitter=EXACT)
        self.assertEqual([2.0, 4.0, 8.0, 50.0], [backoff.delay(attempt) for attempt in (1, 2, 3, 10_000)])

    def test_what_was_asked_for_is_never_shortened(self) -> None:
        waits = {stretch(8.0) for _ in range(50)}
        self.assertTrue(all(8.0 <= wait <= 10.0 for wait in waits), waits)
        self.assertGreater(len(waits), 25)


class TestFailures(UnitTestCase):
    def test_waits_grow_and_start_over(self) -> None:
        failures = Failures(Backoff(1.0, 60.0))
        waits = [failures.next() for _ in range(200)]
        for number, wait in enumerate(waits):
            span = min(60.0, 2.0 ** min(number, 10))
            self.assertTrue(span / 2 <= wait <= span, (number, wait))
        self.assertGreater(len(set(waits)), 150)
        failures.reset()
        self.assertLessEqual(failures.next(), 1.0)

    def test_what_the_peer_asks_for_is_never_shortened(self) -> None:
        for _ in range(50):
            self.assertTrue(30.0 <= Failures(Backoff(1.0, 5.0)).next(30.0) <= 37.5)
