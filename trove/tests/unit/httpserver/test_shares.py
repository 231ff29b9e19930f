# SPDX-License-Identifier: Apache-2.0
"""Two servers in one process have its open files together."""

from trove.httpserver import shares
from trove.tests import base


class SharesTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.told: dict[str, int] = {}
        self.shares = shares.Shares(lambda wanted: min(wanted, 10000))

    def join(self, name: str, wanted: int) -> None:
        self.shares.join(name, wanted, lambda connections: self.told.update({name: connections}))

    def test_enough_for_all(self) -> None:
        self.join("gateway", 6000)
        self.join("api", 4000)
        self.assertEqual({"gateway": 6000, "api": 4000}, self.told)

    def test_together_no_more_than_there_are(self) -> None:
        self.join("gateway", 21000)
        self.assertEqual({"gateway": 10000}, self.told)
        self.join("api", 4000)
        self.assertEqual({"gateway": 8400, "api": 1600}, self.told)

    def test_one_that_has_stopped_leaves_its_part(self) -> None:
        self.join("gateway", 21000)
        self.join("api", 4000)
        self.shares.leave("gateway")
        self.shares.leave("gateway")
        self.assertEqual(4000, self.told["api"])
