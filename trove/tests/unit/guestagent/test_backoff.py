# SPDX-License-Identifier: Apache-2.0
"""Waiting times."""

from trove.guestagent.backoff import Backoff
from trove.tests.base import UnitTestCase


class TestBackoff(UnitTestCase):
    def test_grows_to_its_limit_and_starts_over(self) -> None:
        backoff = Backoff(1.0, 60.0)
        waits = [backoff.next() for _ in range(200)]
        for number, wait in enumerate(waits):
            span = min(60.0, 2.0 ** min(number, 10))
            self.assertTrue(span / 2 <= wait <= span, (number, wait))
        self.assertGreater(len(set(waits)), 150)
        backoff.reset()
        self.assertLessEqual(backoff.next(), 1.0)

    def test_what_the_peer_asks_for_is_never_shortened(self) -> None:
        for _ in range(50):
            self.assertTrue(30.0 <= Backoff(1.0, 5.0).next(30.0) <= 37.5)
