# SPDX-License-Identifier: Apache-2.0
"""Polls that are held until there is a command. A held poll is an entry in a table and a timer; it costs neither a
thread nor a query.

Everything here is for the thread of one event loop.
"""

import asyncio
from collections.abc import Sequence

from trove.conductor.heartbeats import Item, Outcome


class HeldPoll:
    """One poll. :meth:`wait` returns when there may be something for its guest; :attr:`over` tells that it must end
    regardless.

    :ivar item: its position, on the way into the database; ``None`` once it is recorded.
    :ivar hurried: whether it must be told when that is recorded.
    """

    __slots__ = ("_told", "_waiter", "boot", "hurried", "item", "over")

    def __init__(self, boot: int, item: Item | None = None) -> None:
        self.boot = boot
        self.item = item
        self.over = False
        self.hurried = False
        self._told = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def lost(self) -> bool:
        """Whether its position, and what it said, could not be recorded."""
        return self.item is not None and self.item.outcome in (Outcome.REFUSED, Outcome.LOST)

    async def wait(self, until: float) -> bool:
        """Wait until told, or until the loop's time ``until``; return whether it was told."""
        loop = asyncio.get_running_loop()
        if not self._told and not self.over:
            waiter = self._waiter = loop.create_future()
            timer = loop.call_at(until, _wake, waiter)
            try:
                await waiter
            finally:
                timer.cancel()
                self._waiter = None
        told, self._told = self._told, False
        return told or self.over

    def tell(self, *, over: bool = False) -> None:
        """Let it look, or end."""
        self.over = self.over or over
        self._told = True
        if self._waiter is not None:
            _wake(self._waiter)


class HeldPolls:
    """All held polls of one process, at most one per guest.

    :param places: how many may be held at the same time.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._polls: dict[str, HeldPoll] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._polls)

    @property
    def closed(self) -> bool:
        """Whether no poll is held any more."""
        return self._closed

    def hold(self, instance_id: str, boot: int, item: Item | None = None) -> HeldPoll | None:
        """Enter a guest's poll and return it, to be given to :meth:`release`; ``None`` when there is no place.

        :param boot: which start of the guest's agent polls.

        An older poll of the same guest is ended: the guest has dialled again, so nobody listens to that one.
        """
        older = self._polls.pop(instance_id, None)
        if older is not None:
            older.tell(over=True)
        if self._closed or len(self._polls) >= self._places:
            return None
        poll = self._polls[instance_id] = HeldPoll(boot, item)
        return poll

    def tell(self, instance_id: str) -> None:
        """Let the guest's held poll look, if it is held here."""
        poll = self._polls.get(instance_id)
        if poll is not None:
            poll.tell()

    def end_older(self, instance_id: str, boot: int) -> None:
        """End the guest's held poll if an agent before ``boot`` asked: that one does not listen any more."""
        poll = self._polls.get(instance_id)
        if poll is not None and poll.boot < boot:
            poll.tell(over=True)

    def recorded(self, items: Sequence[Item]) -> None:
        """What became of these is known: those that were refused or lost end."""
        for item in items:
            poll = self._polls.get(item.header.instance_id)
            if poll is None or poll.item is not item:
                continue
            if item.outcome is not Outcome.RECORDED:
                poll.tell(over=True)
                continue
            poll.item = None
            if poll.hurried:
                poll.tell()

    def close(self) -> None:
        """End all held polls and hold no more."""
        self._closed = True
        for poll in self._polls.values():
            poll.tell(over=True)

    def release(self, instance_id: str, poll: HeldPoll) -> None:
        """Give a place back."""
        if self._polls.get(instance_id) is poll:
            del self._polls[instance_id]


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
