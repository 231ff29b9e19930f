# SPDX-License-Identifier: Apache-2.0
"""Held polls: bounded, one per guest, told in time; turned-away guests are spread out."""

from trove.conductor import poll
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock


class HeldPollsTest(base.UnitTestCase):
    def test_places(self) -> None:
        polls = poll.HeldPolls(2)
        first, second = polls.hold("a"), polls.hold("b")
        assert first is not None and second is not None
        self.assertIsNone(polls.hold("c"))
        with first:
            pass
        self.assertIsNotNone(polls.hold("c"))

    def test_a_second_poll_ends_the_first(self) -> None:
        polls = poll.HeldPolls(1)
        first = polls.hold("a")
        assert first is not None
        second = polls.hold("a")
        assert second is not None
        self.assertTrue(first._ticket.over)
        with first:  # the place it gives back is not the second one's
            pass
        self.assertIsNone(polls.hold("b"))

    def test_tell(self) -> None:
        polls = poll.HeldPolls(1)
        polls.tell("a")
        place = polls.hold("a")
        assert place is not None
        with place as ticket:
            polls.tell("a")
            ticket.wait(3600)
            self.assertFalse(ticket.over)

    def test_close(self) -> None:
        polls = poll.HeldPolls(1)
        place = polls.hold("a")
        assert place is not None
        with place as ticket:
            polls.close()
            ticket.wait(3600)
            self.assertTrue(ticket.over)
        self.assertIsNone(polls.hold("a"))

    def test_polls_of_those_turned_away_stay_near_the_target(self) -> None:
        """Ten thousand guests, each polling when it was told to: the rate settles instead of growing with their
        number."""
        clock = self.useFixture(ManualClock())
        polls = poll.HeldPolls(1)
        guests, rate, after = 1000, 0.0, 1.0
        for _second in range(60):
            rate = min(guests, guests / after)
            for _ in range(int(rate)):
                clock.advance(1.0 / rate)
                polls.poll_after()
            after = polls._after
        self.assertTrue(poll.TARGET_RATE * 0.5 < rate < poll.TARGET_RATE * 2, rate)

    def test_few_guests_wait_shortly(self) -> None:
        clock = self.useFixture(ManualClock())
        polls = poll.HeldPolls(1)
        for _ in range(50):
            clock.advance(1.0)
            self.assertTrue(0.2 < polls.poll_after() < 1.0)
