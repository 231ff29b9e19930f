# SPDX-License-Identifier: Apache-2.0
"""Positions in logs that are appended to, rotated, truncated and replaced."""

from pathlib import Path

from trove.guestagent import log_files
from trove.tests import base


class LogFilesTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir()
        self.current = self.directory / "log"
        self.older = self.directory / "log.1"
        self.paths = [self.directory / "log.2", self.older, self.current]

    def publish(self, position: str | None, limit: int = 100) -> tuple[str, str | None, int]:
        """Read all that is pending; return it, the position behind it, and in how many pieces."""
        text, pieces = b"", 0
        while rest := log_files.remainder(self.paths, position).segments:
            piece = log_files.next_piece(rest[0], limit)
            with piece.stream:
                block = b"".join(piece.blocks())
            self.assertEqual(piece.size, len(block))
            self.assertLessEqual(len(block), limit)
            text += block
            position = piece.after
            pieces += 1
        return text.decode(), position, pieces

    def test_appended(self) -> None:
        self.current.write_text("first\n")
        text, position, _ = self.publish(None)
        self.assertEqual("first\n", text)
        self.assertEqual(("", position, 0), self.publish(position))
        # The head grows with the file, and is found nevertheless.
        with self.current.open("a") as stream:
            stream.write("x" * 3000 + "\nlast\n")
        text, position, _ = self.publish(position)
        self.assertEqual("x" * 3000 + "\nlast\n", text)
        self.assertEqual(0, log_files.remainder(self.paths, position).size)

    def test_pieces_end_with_lines(self) -> None:
        lines = [f"line {number}\n" for number in range(100)]
        self.current.write_text("".join(lines))
        segment = log_files.remainder(self.paths, None).segments[0]
        piece = log_files.next_piece(segment, 100)
        with piece.stream:
            self.assertTrue(b"".join(piece.blocks()).endswith(b"\n"))
        self.assertEqual("".join(lines), self.publish(None)[0])

    def test_rotated_by_copying(self) -> None:
        self.current.write_text("a\n" * 500)
        _, position, _ = self.publish(None)
        with self.current.open("a") as stream:
            stream.write("before\n")
        self.older.write_bytes(self.current.read_bytes())
        self.current.write_text("after\n")
        rest = log_files.remainder(self.paths, position)
        self.assertFalse(rest.lost)
        self.assertEqual(13, rest.size)
        self.assertEqual("before\nafter\n", self.publish(position)[0])

    def test_rotated_twice(self) -> None:
        self.current.write_text("a\n")
        _, position, _ = self.publish(None)
        self.current.write_text("a\nb\n")
        self.current.rename(self.directory / "log.2")
        self.older.write_text("c\n")
        self.current.write_text("d\n")
        self.assertEqual("b\nc\nd\n", self.publish(position)[0])

    def test_files_that_begin_alike(self) -> None:
        """An engine's greeting is the same in each; twice is better than not at all."""
        self.current.write_text("greeting\n")
        _, position, _ = self.publish(None)
        self.older.write_text("greeting\nold\n")
        self.current.write_text("greeting\nnew\n")
        self.assertEqual("old\ngreeting\nnew\n", self.publish(position)[0])

    def test_truncated_or_gone(self) -> None:
        self.current.write_text("a\n" * 100)
        _, position, _ = self.publish(None)
        for text in ("other\n", "", "a\n" * 50):
            self.current.write_text(text)
            rest = log_files.remainder(self.paths, position)
            self.assertEqual((True, len(text)), (rest.lost, rest.size))
        self.current.unlink()
        self.assertEqual((True, 0), ((rest := log_files.remainder(self.paths, position)).lost, rest.size))

    def test_nonsense_positions_begin_anew(self) -> None:
        self.current.write_text("a\n")
        for position in ("", "x", "1-2:3", f"2-{'0' * 64}:2", f"9999-{'0' * 64}:{'9' * 19}"):
            self.assertEqual((True, 2), ((rest := log_files.remainder(self.paths, position)).lost, rest.size))

    def test_truncated_under_the_reader(self) -> None:
        self.current.write_text("a" * 1000)
        segment = log_files.remainder(self.paths, None).segments[0]
        piece = log_files.next_piece(segment, 1000)
        self.current.write_text("a" * 10)
        with piece.stream:
            self.assertRaises(log_files.Truncated, list, piece.blocks())
        self.assertRaises(log_files.Truncated, log_files.next_piece, segment, 1000)
        self.current.unlink()
        self.assertRaises(log_files.Truncated, log_files.next_piece, segment, 1000)

    def test_total(self) -> None:
        self.current.write_text("12345")
        self.older.write_text("123")
        self.assertEqual(8, log_files.total([*self.paths, Path("/nonexistent")]))
