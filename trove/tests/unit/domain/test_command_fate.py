# SPDX-License-Identifier: Apache-2.0
"""Which commands of a guest are given up when."""

import datetime

from trove.domain import command_fate
from trove.domain.command_fate import Fate, Waiting
from trove.tests import base

START = datetime.datetime(2026, 5, 2, 8, 0, 0)


def at(seconds: float) -> datetime.datetime:
    return START + datetime.timedelta(seconds=seconds)


def waiting(name: str, *, sent: bool = True, created: float = 0, allowance: float = 100) -> Waiting:
    return Waiting(name, sent, at(created), at(created + allowance))


class JudgeTest(base.UnitTestCase):
    def judge(
        self, *commands: Waiting, now: float, progress: float | None = None, silent: bool = True
    ) -> list[tuple[str, Fate]]:
        known = None if progress is None else at(progress)
        return command_fate.judge(commands, progress=known, silent=silent, now=at(now))

    def test_before_the_deadline_nothing_is_given_up(self) -> None:
        self.assertEqual([], self.judge(waiting("a"), waiting("b", sent=False), now=99.9))

    def test_what_was_sent_to_a_silent_guest_is_unknown(self) -> None:
        self.assertEqual([("a", Fate.UNKNOWN), ("b", Fate.UNKNOWN)], self.judge(waiting("a"), waiting("b"), now=100))

    def test_what_was_never_sent_was_never_begun(self) -> None:
        for silent in (True, False):
            commands = (waiting("a", sent=False), waiting("b", sent=False))
            self.assertEqual([("a", Fate.EXPIRED), ("b", Fate.EXPIRED)], self.judge(*commands, now=100, silent=silent))

    def test_a_guest_that_is_heard_will_say_itself(self) -> None:
        commands = (waiting("a"), waiting("b"), waiting("c", sent=False))
        self.assertEqual([], self.judge(*commands, now=10_000, silent=False))

    def test_the_deadline_counts_from_when_the_one_before_has_ended(self) -> None:
        many = [waiting(str(number), sent=number < 150) for number in range(200)]
        self.assertEqual([], self.judge(*many, now=1099, progress=1000))
        expected = [(str(number), Fate.UNKNOWN if number < 150 else Fate.EXPIRED) for number in range(200)]
        self.assertEqual(expected, self.judge(*many, now=1100, progress=1000))

    def test_what_came_later_has_its_own_time(self) -> None:
        commands = (waiting("a"), waiting("b", created=50))
        self.assertEqual([("a", Fate.UNKNOWN)], self.judge(*commands, now=120))

    def test_progress_of_before_its_creation_does_not_count(self) -> None:
        self.assertEqual([("a", Fate.UNKNOWN)], self.judge(waiting("a", created=500), now=600, progress=10))

    def test_a_guest_that_has_fallen_silent_is_not_waited_for(self) -> None:
        commands = (waiting("a"), waiting("b", sent=False), waiting("c", created=30))
        for silent, expected in ((True, [("a", Fate.UNKNOWN), ("b", Fate.EXPIRED)]), (False, [])):
            found = command_fate.judge(commands, progress=None, silent=silent, now=at(40), lost_before=at(20))
            self.assertEqual(expected, found)
