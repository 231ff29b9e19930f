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

    def test_prune(self) -> None:
        paths = [self.path.with_name(str(number)) for number in range(5)]
        for path in paths[1:]:
            path.touch()
        logs.prune(paths, 2)
        self.assertEqual([False, False, False, True, True], [path.exists() for path in paths])
        logs.prune(paths[:2], 5)
