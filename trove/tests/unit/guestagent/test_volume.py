# SPDX-License-Identifier: Apache-2.0
"""How full the volume is, without stopping to count."""

import os
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import fixtures

from trove.common import trees
from trove.guestagent import volume
from trove.guestagent.volume import GIB, VolumeGauge
from trove.tests.base import UnitTestCase
from trove.tests.fixtures import hostile
from trove.tests.fixtures.clock import ManualClock


class TestVolumeGauge(UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(ManualClock())
        self.directory = self.tempdir()
        self.gauge = VolumeGauge(self.directory, lambda: 2)

    def write(self, name: str, size: int) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        with open(path, "rb") as stream:
            os.fsync(stream.fileno())

    def test_directory_with_an_agreed_size(self) -> None:
        self.write("base/1/1234", 300_000)
        self.write("pg_wal/1", 200_000)
        os.symlink("/usr", self.directory / "link")
        used, total = self.gauge.measure()
        self.assertEqual(2 * GIB, total)
        self.assertGreaterEqual(used, 500_000)
        self.assertLess(used, 600_000)

    def test_nobody_has_said_the_size(self) -> None:
        self.assertIsNone(VolumeGauge(self.directory, lambda: None).measure()[1])

    def test_count_is_kept_for_a_while(self) -> None:
        self.write("a", 100_000)
        before = self.gauge.measure()
        self.write("b", 100_000)
        self.assertEqual(before, self.gauge.measure())
        self.clock.advance(volume.FRESH_FOR + 1)
        self.assertGreater(self.gauge.measure()[0], before[0])

    def test_large_tree_is_counted_in_slices(self) -> None:
        for number in range(20):
            self.write(f"d{number}/f", 50_000)
        expected = VolumeGauge(self.directory, lambda: 2).measure()[0]
        ticks = iter(range(1000))
        self.useFixture(fixtures.MonkeyPatch("trove.common.clock.monotonic", lambda: next(ticks) * volume.SLICE / 4))
        calls, found = 0, None
        while found is None:
            found, _ = self.gauge.measure()
            calls += 1
            self.assertLess(calls, 100)
        self.assertGreater(calls, 3)
        self.assertEqual(expected, found)

    def test_two_threads_ask(self) -> None:
        found: list[int | None] = []
        other = threading.Thread(target=lambda: found.append(self.gauge.measure()[0]))

        def sizes(directory: Path) -> Iterator[int]:
            other.start()
            other.join(0.1)  # the other one must wait for this count
            yield 7

        self.useFixture(fixtures.MonkeyPatch("trove.guestagent.volume._sizes", sizes))
        found.append(self.gauge.measure()[0])
        other.join()
        self.assertEqual([7, 7], found)

    def test_a_tree_deeper_than_a_path_may_be_long(self) -> None:
        """Nobody hides from the count what is in it, nor stops it."""
        self.addCleanup(trees.remove_quietly, self.directory / "deep")
        (self.directory / "deep").mkdir()
        before = len(os.listdir("/proc/self/fd"))
        empty = VolumeGauge(self.directory, lambda: 2).measure()[0]
        inner = hostile.deep(self.directory / "deep", content=os.urandom(300_000))
        found = None
        while found is None:
            found, _ = self.gauge.measure()
        self.assertGreaterEqual(found - empty, inner)
        self.assertEqual(before, len(os.listdir("/proc/self/fd")))

    def test_mount_point_asks_the_file_system(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("os.path.ismount", lambda path: True))
        answer = types.SimpleNamespace(f_blocks=1000, f_bfree=400, f_bavail=300, f_frsize=4096)
        self.useFixture(fixtures.MonkeyPatch("os.statvfs", lambda path: answer))
        self.assertEqual((600 * 4096, 1000 * 4096), self.gauge.measure())

    def test_missing_directory(self) -> None:
        self.assertEqual((0, 2 * GIB), VolumeGauge(self.directory / "gone", lambda: 2).measure())
