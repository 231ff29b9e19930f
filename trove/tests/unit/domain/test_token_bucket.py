# SPDX-License-Identifier: Apache-2.0
"""A budget comes back at its rate, up to its capacity, and no more is taken than there is."""

from trove.domain.token_bucket import TokenBucket
from trove.tests import base


class TokenBucketTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.bucket = TokenBucket.full(2.0, 10.0, 100.0)

    def test_full_at_first_and_empty_then(self) -> None:
        self.assertEqual([0.0] * 10, [self.bucket.take(1, 100.0) for _ in range(10)])
        self.assertEqual(0.5, self.bucket.take(1, 100.0))
        self.assertEqual(0.25, self.bucket.take(1, 100.25))
        self.assertEqual(0.0, self.bucket.take(1, 100.5))

    def test_what_is_refused_costs_nothing(self) -> None:
        self.bucket.take(10, 100.0)
        for _ in range(100):
            self.bucket.take(4, 100.0)
        self.assertEqual(0.0, self.bucket.take(4, 102.0))

    def test_no_more_than_the_capacity(self) -> None:
        self.bucket.take(10, 100.0)
        self.assertEqual(10.0, self.bucket.available(1e9))

    def test_more_than_it_holds(self) -> None:
        """It is granted when the bucket is full, and paid off afterwards."""
        self.bucket.take(1, 100.0)
        self.assertEqual(0.5, self.bucket.take(30, 100.0))
        self.assertEqual(0.0, self.bucket.take(30, 100.5))
        self.assertEqual(-20.0, self.bucket.available(100.5))
        self.assertEqual(10.5, self.bucket.take(1, 100.5))

    def test_debt_is_bounded(self) -> None:
        for _ in range(5):
            self.bucket.spend(1000, 100.0)
        self.assertEqual(-10.0, self.bucket.available(100.0))
        self.assertEqual(0.0, self.bucket.available(105.0))

    def test_clock_that_stands(self) -> None:
        self.bucket.spend(4, 100.0)
        self.assertEqual(6.0, self.bucket.available(99.0))
