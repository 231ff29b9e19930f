# SPDX-License-Identifier: Apache-2.0
"""Held polls: bounded, one per guest, told in time."""

import asyncio
from collections.abc import Awaitable, Callable

from trove.conductor import poll
from trove.conductor.heartbeats import Item, Outcome
from trove.guestbus.envelope import Header
from trove.tests import base


def item(instance_id: str, outcome: Outcome = Outcome.WAITS) -> Item:
    """Return what waits for a batch, of a poll."""
    header = Header(
        instance_id=instance_id, direction="to-control", boot=1, sequence=1, message_id="m", name="poll", version=1,
        sent_at=0, not_after=0, generation=1,
    )  # fmt: skip
    return Item(header, None, None, 0.0, outcome)


class HeldPollsTest(base.UnitTestCase):
    def hold(self, polls: poll.HeldPolls, instance_id: str, waits: Item | None = None) -> poll.HeldPoll:
        held = polls.hold(instance_id, 1, waits)
        assert held is not None
        return held

    def test_places(self) -> None:
        polls = poll.HeldPolls(2)
        first = self.hold(polls, "a")
        self.hold(polls, "b")
        self.assertIsNone(polls.hold("c", 1))
        polls.release("a", first)
        self.assertIsNotNone(polls.hold("c", 1))

    def test_a_second_poll_ends_the_first(self) -> None:
        polls = poll.HeldPolls(1)
        first = self.hold(polls, "a")
        second = self.hold(polls, "a")
        self.assertTrue(first.over)
        self.assertFalse(second.over)
        polls.release("a", first)  # the place it gives back is not the second one's
        self.assertIsNone(polls.hold("b", 1))

    def test_older_boot_is_ended(self) -> None:
        polls = poll.HeldPolls(1)
        held = self.hold(polls, "a")
        polls.end_older("a", 1)
        self.assertFalse(held.over)
        polls.end_older("a", 2)
        self.assertTrue(held.over)

    def test_close(self) -> None:
        polls = poll.HeldPolls(1)
        held = self.hold(polls, "a")
        polls.close()
        self.assertTrue(held.over)
        self.assertIsNone(polls.hold("a", 1))

    def test_what_became_of_its_position(self) -> None:
        polls = poll.HeldPolls(9)
        for outcome, hurried, over, told in (
            (Outcome.RECORDED, False, False, False),
            (Outcome.RECORDED, True, False, True),
            (Outcome.REFUSED, False, True, True),
            (Outcome.LOST, False, True, True),
        ):
            held = self.hold(polls, "a", item("a"))
            held.hurried = hurried
            assert held.item is not None
            held.item.outcome = outcome
            polls.recorded([held.item, item("a", Outcome.REFUSED), item("b", Outcome.REFUSED)])
            self.assertEqual((over, told), (held.over, held._told), outcome)


class WaitTest(base.UnitTestCase):
    def wait(self, before: Callable[[poll.HeldPoll], None], seconds: float) -> bool:
        """Let ``before`` happen while a poll waits; return what the waiting said."""

        async def run() -> bool:
            held = poll.HeldPoll(1)
            loop = asyncio.get_running_loop()
            waiting: Awaitable[bool] = loop.create_task(held.wait(loop.time() + seconds))
            loop.call_soon(before, held)
            return await waiting

        return asyncio.run(run())

    def test_told(self) -> None:
        self.assertTrue(self.wait(lambda held: held.tell(), 3600))

    def test_over(self) -> None:
        self.assertTrue(self.wait(lambda held: held.tell(over=True), 3600))

    def test_time(self) -> None:
        self.assertFalse(self.wait(lambda held: None, 0.0))

    def test_told_before(self) -> None:
        """What was said while it looked is not forgotten."""

        async def run() -> list[bool]:
            held = poll.HeldPoll(1)
            held.tell()
            until = asyncio.get_running_loop().time()
            return [await held.wait(until), await held.wait(until)]

        self.assertEqual([True, False], asyncio.run(run()))
