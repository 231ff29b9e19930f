# SPDX-License-Identifier: Apache-2.0

from trove.datastores.enginelib import logs
from trove.tests import base


class TestLogs(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.tempdir() / "error.log"

    def test_tail(self) -> None:
        self.assertEqual("", logs.tail(self.path))
        self.path.write_bytes(b"x" * 100 + b"\xffend")
        self.assertEqual("\ufffdend", logs.tail(self.path, 4))

    def test_a_writer_goes_on_after_a_rotation(self) -> None:
        with open(self.path, "a", encoding="utf-8") as server:
            for number in range(6):
                server.write(f"{number}" * 20)
                server.flush()
                self.assertTrue(logs.rotate(self.path, max_bytes=10, keep=2))
            server.write("last")
        self.assertEqual(
            ["4" * 20, "5" * 20, "last"], [path.read_text() for path in logs.with_rotated(self.path, keep=2)]
        )
        self.assertEqual(3, len(list(self.path.parent.iterdir())))

    def test_a_small_or_absent_log_is_left_alone(self) -> None:
        self.assertFalse(logs.rotate(self.path))
        self.path.write_text("short")
        self.assertFalse(logs.rotate(self.path))
        self.assertEqual([self.path], logs.with_rotated(self.path))

    def test_a_log_that_grew_faster_than_anybody_looked(self) -> None:
        self.path.write_bytes(b"old\n" * 1000 + b"new\n" * 10)
        self.assertTrue(logs.rotate(self.path, max_bytes=40, keep=2))
        self.assertEqual(b"new\n" * 10, logs.numbered(self.path, 1).read_bytes())
        self.assertEqual(0, self.path.stat().st_size)

    def test_a_log_is_truncated_where_it_cannot_be_copied(self) -> None:
        self.path.write_bytes(b"x" * 100)
        elsewhere = self.tempdir() / "elsewhere"
        logs.numbered(self.path, 1).symlink_to(elsewhere)
        self.assertTrue(logs.rotate(self.path, max_bytes=40, keep=1))
        self.assertEqual(0, self.path.stat().st_size)
        self.assertFalse(elsewhere.exists())

    def bounded(self, sizes: list[int], max_bytes: int, max_files: int = 9) -> list[int]:
        """Return the sizes that are left of files with ``sizes``."""
        paths = [self.path.with_name(str(number)) for number in range(len(sizes))]
        for path, size in zip(paths, sizes, strict=True):
            path.write_bytes(b"x" * size)
        logs.bound(paths, max_bytes, max_files)
        return [path.stat().st_size for path in paths if path.exists()]

    def test_the_oldest_go_first(self) -> None:
        for sizes, expected in (
            ([], []),
            ([1, 2, 3], [1, 2, 3]),
            ([4, 4, 4], [4, 4]),
            ([9, 1, 1], [1, 1]),
            ([9, 9, 3], [3]),
            ([1, 99], [0]),  # the engine has it open, and goes on at its beginning
            ([99], [0]),
        ):
            with self.subTest(sizes):
                self.assertEqual(expected, self.bounded(sizes, 10))
        self.assertEqual([3, 4], self.bounded([1, 2, 3, 4], 100, 2))
        logs.bound([self.path.with_name("none"), self.path.with_name("neither")], 10, 1)
