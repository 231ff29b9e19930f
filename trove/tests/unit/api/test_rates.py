# SPDX-License-Identifier: Apache-2.0
from typing import Any

from trove.api import rates
from trove.common import exception
from trove.tests import base
from trove.tests.fixtures import clock


class RateLimiterTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(clock.ManualClock())

    def limiter(self, **options: Any) -> rates.RateLimiter:
        return rates.RateLimiter(self.new_conf(**options))

    def test_off_by_default(self) -> None:
        limiter = self.limiter()
        self.assertEqual((), limiter.rules)
        for _ in range(1000):
            limiter.admit("p", "GET", ("v1.0", "p", "limits"))
        self.assertEqual([], limiter.standings("p"))

    def test_a_full_bucket_leaks(self) -> None:
        limiter = self.limiter(http_get_rate=6)
        for _ in range(6):
            limiter.admit("p", "GET", ())
        error = self.assertRaises(exception.RateLimited, limiter.admit, "p", "GET", ())
        self.assertEqual(10, error.retry_after)
        self.clock.advance(9.9)
        self.assertRaises(exception.RateLimited, limiter.admit, "p", "GET", ())
        self.clock.advance(0.1)
        limiter.admit("p", "GET", ())
        self.clock.advance(3600)
        (standing,) = limiter.standings("p")
        self.assertEqual(6, standing.remaining)

    def test_projects_and_verbs_have_buckets_of_their_own(self) -> None:
        limiter = self.limiter(http_get_rate=1, http_post_rate=1)
        limiter.admit("p", "GET", ())
        limiter.admit("q", "GET", ())
        limiter.admit("p", "POST", ())
        limiter.admit("p", "DELETE", ())
        self.assertRaises(exception.RateLimited, limiter.admit, "p", "POST", ())

    def test_patch_counts_as_put(self) -> None:
        limiter = self.limiter(http_put_rate=1)
        limiter.admit("p", "PATCH", ())
        self.assertRaises(exception.RateLimited, limiter.admit, "p", "PUT", ())

    def test_management_posts_count_twice(self) -> None:
        limiter = self.limiter(http_post_rate=10, http_mgmt_post_rate=1)
        limiter.admit("p", "POST", ("v1.0", "p", "mgmt", "instances"))
        self.assertRaises(exception.RateLimited, limiter.admit, "p", "POST", ("v1.0", "p", "mgmt", "instances"))
        limiter.admit("p", "POST", ("v1.0", "p", "instances"))
        self.assertEqual([8, 0], [standing.remaining for standing in limiter.standings("p")])

    def test_when_the_next_one_is_accepted(self) -> None:
        limiter = self.limiter(http_get_rate=1)
        now = self.clock.utcnow()
        self.assertEqual(now, limiter.standings("p")[0].next_available)
        limiter.admit("p", "GET", ())
        self.assertEqual(60, (limiter.standings("p")[0].next_available - now).total_seconds())

    def test_full_buckets_are_forgotten(self) -> None:
        limiter = self.limiter(http_get_rate=60)
        for number in range(rates._SWEEP_AT):
            limiter.admit(f"p{number}", "GET", ())
        self.clock.advance(5)
        limiter.admit("q", "GET", ())
        self.assertEqual(1, len(limiter._buckets))
