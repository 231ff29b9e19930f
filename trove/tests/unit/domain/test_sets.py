# SPDX-License-Identifier: Apache-2.0
"""What is in progress in a set."""

from trove.domain.sets import Progress, progress
from trove.tests import base


class TestProgress(base.UnitTestCase):
    def test_every_pair(self) -> None:
        expected = {
            (None, None): Progress.NO_PRIMARY,
            (None, "a"): Progress.DEMOTION,
            ("a", None): Progress.PROMOTION,
            ("a", "a"): Progress.NOTHING,
            ("a", "b"): Progress.HANDOVER,
        }
        self.assertEqual(expected, {pair: progress(*pair) for pair in expected})
