# SPDX-License-Identifier: Apache-2.0
"""The replay window, against a model that remembers everything."""

import hypothesis
from hypothesis import strategies as st

from trove.guestbus.replay import WINDOW, Position, Verdict
from trove.tests import base


class PositionTest(base.UnitTestCase):
    def accepted(self, *messages: tuple[int, int], start: Position | None = None) -> Position:
        position = start or Position().accept(1, 1, opens=True)
        assert position is not None
        for boot, sequence in messages:
            position = position.accept(boot, sequence)
            assert position is not None, (boot, sequence)
        return position

    def test_messages_may_overtake_but_none_counts_twice(self) -> None:
        position = self.accepted((1, 5), (1, 3), (1, 4), (1, 2))
        for sequence in range(1, 6):
            self.assertIs(Verdict.SEEN, position.judge(1, sequence))
        self.assertIs(Verdict.FRESH, position.judge(1, 6))

    def test_edges_of_the_window(self) -> None:
        position = self.accepted((1, 1 + WINDOW))
        self.assertIs(Verdict.FRESH, position.judge(1, 2))
        self.assertIs(Verdict.TOO_OLD, position.judge(1, 1))
        position = self.accepted((1, WINDOW))
        self.assertIs(Verdict.SEEN, position.judge(1, 1))

    def test_boots(self) -> None:
        position = self.accepted((1, 2))
        self.assertIs(Verdict.NOT_OPENED, position.judge(2, 1))
        self.assertIs(Verdict.FRESH, position.judge(2, 1, opens=True))
        after = position.accept(2, 1, opens=True)
        assert after is not None
        self.assertIs(Verdict.OLD_BOOT, after.judge(1, 99, opens=True))
        self.assertIs(Verdict.FRESH, after.judge(2, 2))

    def test_nobody_starts_at_zero(self) -> None:
        self.assertIs(Verdict.OLD_BOOT, Position().judge(0, 1, opens=True))
        self.assertIsNot(Verdict.FRESH, Position().judge(1, 0, opens=True))
        self.assertIsNot(Verdict.FRESH, self.accepted().judge(1, 0))

    def test_a_great_leap_costs_nothing(self) -> None:
        position = self.accepted((1, 2**62))
        self.assertEqual("1", position.window)
        self.assertIs(Verdict.TOO_OLD, position.judge(1, 2))

    def test_columns(self) -> None:
        position = self.accepted(*((1, n) for n in range(2, 600)))
        self.assertEqual(64, len(position.window))
        self.assertEqual(position, Position.load(position.boot, position.sequence, position.window))
        self.assertEqual(Position(), Position.load(0, 0, ""))

    @hypothesis.settings(max_examples=200, deadline=None)
    @hypothesis.given(st.lists(st.integers(1, 3 * WINDOW), max_size=400))
    def test_like_a_memory_without_bound(self, sequences: list[int]) -> None:
        position, seen = Position(boot=1), set[int]()
        for sequence in sequences:
            after = position.accept(1, sequence)
            expected = sequence not in seen and sequence > max(seen, default=0) - WINDOW
            self.assertEqual(expected, after is not None)
            if after is not None:
                seen.add(sequence)
                position = Position.load(after.boot, after.sequence, after.window)

    @hypothesis.settings(max_examples=200, deadline=None)
    @hypothesis.given(*[st.lists(st.integers(1, 2 * WINDOW), max_size=100)] * 2)
    def test_joined_positions_have_seen_what_either_has(self, here: list[int], there: list[int]) -> None:
        positions = []
        for sequences in (here, there):
            position = Position(boot=1)
            for sequence in sequences:
                position = position.accept(1, sequence) or position
            positions.append(position)
        joined = positions[0].joined(positions[1])
        self.assertEqual(joined, positions[1].joined(positions[0]))
        for sequence in range(1, 2 * WINDOW + 2):
            fresh = all(position.judge(1, sequence) is Verdict.FRESH for position in positions)
            self.assertEqual(fresh, joined.judge(1, sequence) is Verdict.FRESH, sequence)

    def test_later_boot_wins_a_join(self) -> None:
        early, late = Position(1, 9, 1), Position(2, 1, 1)
        self.assertEqual([late, late], [early.joined(late), late.joined(early)])
