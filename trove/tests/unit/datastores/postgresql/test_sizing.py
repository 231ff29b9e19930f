# SPDX-License-Identifier: Apache-2.0

import itertools

from trove.datastores.postgresql import sizing
from trove.tests import base

SHAPES = [(1, 256), (1, 512), (2, 1024), (4, 8192), (8, 32768), (64, 524288)]
VOLUMES = [0, 1, 2, 10, 100, 10000]


class TestSizing(base.UnitTestCase):
    def test_memory_fits_every_shape(self) -> None:
        for vcpus, ram in SHAPES:
            made = sizing.compute(vcpus, ram, 10)
            in_use = made.shared_buffers + made.work_mem * made.max_connections + 3 * made.maintenance_work_mem
            self.assertLessEqual(in_use, ram * 0.75, (ram, made))
            self.assertGreaterEqual(made.max_connections, 25)
            self.assertLessEqual(made.shared_buffers, sizing.MAX_SHARED_BUFFERS_MIB)

    def test_more_memory_is_never_less_of_anything(self) -> None:
        sizes = [sizing.compute(vcpus, ram, 10) for vcpus, ram in SHAPES]
        for smaller, larger in itertools.pairwise(sizes):
            for name in ("shared_buffers", "effective_cache_size", "maintenance_work_mem", "max_connections"):
                self.assertLessEqual(getattr(smaller, name), getattr(larger, name), name)

    def test_wal_leaves_room_for_data(self) -> None:
        """A volume of 1 GiB begins partly full: the log's size must follow the volume's."""
        for volume in VOLUMES:
            made = sizing.compute(1, 1024, volume)
            size = volume * 1024 or 10240
            self.assertLessEqual(made.max_wal_size, size // 8, volume)
            self.assertLessEqual(made.max_slot_wal_keep_size, size // 4, volume)
            # PostgreSQL refuses less than two segments, and a minimum above the maximum.
            self.assertGreaterEqual(made.min_wal_size, 2 * sizing.WAL_SEGMENT_MIB)
            self.assertLessEqual(made.min_wal_size, made.max_wal_size)

    def test_a_flavor_larger_than_the_machine(self) -> None:
        self.assertEqual(sizing.compute(4, 4096, 10), sizing.compute(4, 524288, 10, host_ram_mib=4096))
        self.assertEqual(sizing.compute(4, 4096, 10), sizing.compute(4, 4096, 10, host_ram_mib=524288))
