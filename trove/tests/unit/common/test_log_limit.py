# SPDX-License-Identifier: Apache-2.0
"""One line in a period."""

import logging

from trove.common.log_limit import PERIOD, LogLimit
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock

LOG = logging.getLogger(__name__)


class LogLimitTest(base.UnitTestCase):
    def lines(self) -> list[str]:
        return [line for line in self.logs.text().splitlines() if "away" in line]

    def test_one_line_in_a_period(self) -> None:
        clock = self.useFixture(ManualClock())
        limit = LogLimit(LOG)
        for _ in range(500):
            limit.log(logging.WARNING, "database", "the database is away")
        limit.log(logging.WARNING, "store", "the store is away")
        self.assertEqual(2, len(self.lines()))
        clock.advance(PERIOD)
        limit.log(logging.WARNING, "database", "the database is away")
        self.assertIn("the database is away (and 499 times more", self.lines()[2])
        clock.advance(PERIOD)
        limit.log(logging.WARNING, "database", "the database is away")
        self.assertTrue(self.lines()[3].endswith("the database is away"))

    def test_kinds_are_not_remembered_without_bound(self) -> None:
        limit = LogLimit(LOG)
        for number in range(5000):
            limit.log(logging.WARNING, str(number), "away")
        self.assertLess(len(limit._kinds), 2000)
