# SPDX-License-Identifier: Apache-2.0

from trove.datastores.redis_family import sizing
from trove.tests import base


class TestSizing(base.UnitTestCase):
    def test_shapes(self) -> None:
        before = 0
        for ram_mib in (256, 512, 1024, 4096, 65536, 512 * 1024):
            found = sizing.compute(2, ram_mib, 10)
            self.assertTrue(before < found.maxmemory <= ram_mib * 3 // 4, ram_mib)
            self.assertTrue(1000 <= found.maxclients <= 65000)
            before = found.maxmemory

    def test_never_more_than_the_machine_has(self) -> None:
        self.assertEqual(sizing.compute(1, 1024, 1), sizing.compute(1, 512 * 1024, 1, host_ram_mib=1024))

    def test_threads_and_volume(self) -> None:
        self.assertEqual([1, 1, 2, 8], [sizing.compute(n, 1024, 1).io_threads for n in (1, 3, 4, 64)])
        self.assertEqual([64, 640, 1024], [sizing.compute(1, 1024, gib).rewrite_from for gib in (1, 10, 1000)])
        self.assertEqual(sizing.compute(1, 1024, 10), sizing.compute(1, 1024, 0))
