# SPDX-License-Identifier: Apache-2.0
from typing import Any

from trove.api import throttle
from trove.common import exception
from trove.tests import base
from trove.tests.fixtures import clock


class ThrottleTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(clock.ManualClock())

    def brake(self, failures: int = 3, per_address: int = 0, window: int = 300) -> throttle.Throttle:
        return throttle.Throttle(
            self.new_conf(
                http_basic_max_failures=failures,
                http_basic_max_failures_per_address=per_address,
                http_basic_failure_window=window,
            )
        )

    def wrong(self, brake: throttle.Throttle, user: str, address: str | None, times: int = 1) -> None:
        for _ in range(times):
            brake.admit(user, address)
            brake.failed(user, address)

    def refused(self, brake: throttle.Throttle, user: str, address: str | None) -> int:
        error = self.assertRaises(exception.AuthenticationThrottled, brake.admit, user, address)
        return int(error.retry_after)

    def test_after_so_many_failures_one_waits(self) -> None:
        brake = self.brake()
        self.wrong(brake, "u", "192.0.2.1", 3)
        self.assertEqual(100, self.refused(brake, "u", "192.0.2.1"))
        self.clock.advance(99.5)
        self.assertEqual(1, self.refused(brake, "u", "192.0.2.1"))
        self.clock.advance(0.5)
        self.wrong(brake, "u", "192.0.2.1")
        self.assertEqual(100, self.refused(brake, "u", "192.0.2.1"))
        self.clock.advance(300)
        self.wrong(brake, "u", "192.0.2.1", 3)

    def test_refusals_are_not_failures(self) -> None:
        brake = self.brake()
        self.wrong(brake, "u", "192.0.2.1", 3)
        for _ in range(50):
            self.refused(brake, "u", "192.0.2.1")
        self.clock.advance(100)
        brake.admit("u", "192.0.2.1")

    def test_others_are_not_affected(self) -> None:
        brake = self.brake()
        self.wrong(brake, "u", "192.0.2.1", 3)
        brake.admit("u", "192.0.2.2")
        brake.admit("v", "192.0.2.1")

    def test_a_success_clears_its_user_at_its_address(self) -> None:
        brake = self.brake()
        for address in ("192.0.2.1", "192.0.2.2"):
            self.wrong(brake, "u", address, 2)
        brake.succeeded("u", "192.0.2.1")
        self.wrong(brake, "u", "192.0.2.1", 3)
        self.wrong(brake, "u", "192.0.2.2", 1)
        self.refused(brake, "u", "192.0.2.2")

    def test_many_users_from_one_address(self) -> None:
        brake = self.brake(per_address=5)
        for number in range(5):
            self.wrong(brake, f"u{number}", "192.0.2.1")
        self.assertEqual(60, self.refused(brake, "never tried", "192.0.2.1"))
        brake.admit("u0", "192.0.2.2")
        # An account of one's own does not help against those of others.
        brake.succeeded("mine", "192.0.2.1")
        self.refused(brake, "never tried", "192.0.2.1")

    def test_failures_of_several_threads_at_once_count_in_full(self) -> None:
        brake = self.brake()
        for _ in range(9):
            brake.admit("u", "192.0.2.1")
        for _ in range(9):
            brake.failed("u", "192.0.2.1")
        self.assertEqual(700, self.refused(brake, "u", "192.0.2.1"))

    def test_zero_is_no_limit(self) -> None:
        brake = self.brake(failures=0)
        self.wrong(brake, "u", "192.0.2.1", 1000)

    def test_memory_is_bounded(self) -> None:
        self.patch(throttle, "_MOST", 100)
        brake = self.brake(per_address=1000)
        for number in range(300):
            self.wrong(brake, "x" * 5000 + str(number), f"198.51.{number % 200}.{number}")
        self.assertEqual([100, 100], [len(buckets._levels) for buckets in (brake._pairs, brake._addresses)])
        self.assertEqual({16}, {len(key) for key in brake._pairs._levels})

    def test_what_was_filled_longest_ago_goes_first(self) -> None:
        self.patch(throttle, "_MOST", 2)
        brake = self.brake()
        for user in ("a", "b", "a", "c"):
            self.wrong(brake, user, None)
        self.wrong(brake, "a", None)
        self.refused(brake, "a", None)
        self.wrong(brake, "b", None, 3)

    def test_the_log_says_it_once_and_no_password(self) -> None:
        brake = self.brake(per_address=4)
        self.wrong(brake, "u", "192.0.2.1", 3)
        self.refused(brake, "u", "192.0.2.1")
        self.wrong(brake, "v", "192.0.2.1")
        text = self.logs.text()
        self.assertEqual(1, text.count("of user 'u' from '192.0.2.1'"))
        self.assertEqual(1, text.count("from '192.0.2.1', which is not listened to"))


class PlaceTest(base.UnitTestCase):
    def test_places(self) -> None:
        expected: dict[Any, str] = {
            "192.0.2.1": "192.0.2.1",
            "192.0.2.1:4711": "192.0.2.1",
            "::ffff:192.0.2.1": "192.0.2.1",
            "2001:db8:0:1:2:3:4:5": "2001:db8:0:1::/64",
            '"[2001:db8:0:1::9]:4711"': "2001:db8:0:1::/64",
            "written by the client, 192.0.2.9": "192.0.2.9",
            "unknown": "unknown",
            "": "",
            None: "",
        }
        self.assertEqual(expected, {address: throttle.place_of(address) for address in expected})
