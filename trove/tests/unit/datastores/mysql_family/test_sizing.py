# SPDX-License-Identifier: Apache-2.0

from trove.datastores.mysql_family import sizing
from trove.tests import base


class TestSizing(base.UnitTestCase):
    def test_it_fits_into_the_memory_at_every_size(self) -> None:
        for ram in (256, 512, 768, 1024, 2048, 4096, 16384, 65536, 524288):
            found = sizing.compute(4, ram, 10)
            # Each connection takes its thread's stack and buffers: not less than a quarter MiB.
            fixed = found.buffer_pool + found.log_buffer + found.key_buffer + found.aria_cache
            self.assertTrue(fixed + found.max_connections // 4 <= ram * 4 // 5, f"{ram}: {found}")

    def test_more_is_never_less(self) -> None:
        before = sizing.compute(1, 256, 1)
        for ram in (512, 1024, 4096, 65536, 524288):
            after = sizing.compute(1, ram, 1)
            self.assertTrue(after.buffer_pool > before.buffer_pool and after.max_connections >= before.max_connections)
            before = after

    def test_a_small_volume_holds_data(self) -> None:
        """An empty data directory has 126 to 187 MB: log and temporary tables must leave room for a tenant's own."""
        found = sizing.compute(1, 512, 1)
        self.assertTrue(187 + found.redo + found.temporary_max < 600, found)
        self.assertEqual(1024, sizing.compute(1, 512, 16).redo)
        self.assertEqual(sizing.compute(1, 512, 10), sizing.compute(1, 512, 0))

    def test_a_laptop_does_not_get_what_it_does_not_have(self) -> None:
        self.assertEqual(sizing.compute(4, 8192, 10), sizing.compute(4, 524288, 10, host_ram_mib=8192))

    def test_performance_schema_is_for_those_who_can_afford_it(self) -> None:
        self.assertEqual([False, True], [sizing.compute(1, ram, 1).performance_schema for ram in (2048, 8192)])
