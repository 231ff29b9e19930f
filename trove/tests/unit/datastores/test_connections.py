# SPDX-License-Identifier: Apache-2.0

from trove.datastores import connections
from trove.tests import base


class TestLimit(base.UnitTestCase):
    def test_flavors_give_round_numbers(self) -> None:
        for ram_mib, wanted in {
            256: 30, 512: 50, 1000: 95, 1024: 100, 1536: 150, 2048: 200, 3000: 290, 4096: 400, 8192: 800, 16384: 1600,
            65536: 2000,
        }.items():  # fmt: skip
            self.assertEqual(wanted, connections.limit(ram_mib, 100, 30, 2000), ram_mib)
        self.assertEqual([2000, 8000], [connections.limit(ram_mib, 8000, 1000, 65000) for ram_mib in (256, 1024)])

    def test_never_less_for_more_memory_and_never_out_of_bounds(self) -> None:
        found = [connections.limit(ram_mib, 100, 25, 1000) for ram_mib in range(64, 20000, 7)]
        self.assertEqual(sorted(found), found)
        self.assertEqual((25, 1000), (found[0], found[-1]))
