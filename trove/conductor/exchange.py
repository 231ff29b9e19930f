# SPDX-License-Identifier: Apache-2.0
"""One envelope in, any number out: what the gateway does with a message, without HTTP.

Everything here runs in the gateway's only thread, for thousands of guests at a time, and never waits for the database
there. What can be told from memory is told at once: whether a heartbeat or a poll is its guest's, and nothing else is
needed for those. A question to the database (who is this guest; is there a command for that one) is asked together with
those of others (:class:`trove.conductor.workers.Lookup`). Reports that have an effect, and the sealing of commands for
guests that have some, go to a few threads.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from trove.conductor import poll, sealing
from trove.conductor.heartbeats import Item, Outcome
from trove.conductor.identities import Known
from trove.conductor.intake import Intake, Opened
from trove.conductor.outbox import Outbox, Superseded
from trove.conductor.sealing import Refused
from trove.conductor.workers import Busy, Lookup, Workers
from trove.guestbus import envelope
from trove.guestbus.envelope import EnvelopeError, Header
from trove.objects import guest_command
from trove.wire import report

LOG = logging.getLogger(__name__)

#: All held polls look at the database this often (seconds), in case a hint was lost: one query for all of them.
RECHECK = 5.0
#: Guests of one page of that query.
_PAGE = 1000
#: A report of more bytes is a large one.
LARGE = 64 * 1024
#: Reports that may wait for a thread.
_WAITING = 500


class Malformed(Exception):
    """Not an envelope of the guest in whose name it came."""


class Answer(NamedTuple):
    """What an envelope is answered with.

    :ivar envelopes: for the guest.
    :ivar heartbeat_taken: whether it was a poll with a heartbeat, and that is written or soon will be.
    """

    envelopes: list[bytes]
    heartbeat_taken: bool = False


class Exchange:
    """Takes envelopes in one event loop; :meth:`deliver` may be called by any thread.

    :param places: polls held at the same time.
    :param threads: for reports; a quarter as many more for large ones, which take their time and must not keep the
        others waiting, half as many to seal commands, and one to look things up.
    :param max_wait: longest time in seconds that a poll is held.
    """

    def __init__(self, intake: Intake, outbox: Outbox, *, places: int, threads: int, max_wait: float) -> None:
        self._intake = intake
        self._outbox = outbox
        self._max_wait = max_wait
        self.polls = poll.HeldPolls(places)
        self._reports = Workers("guest-report", threads, _WAITING)
        self._bulk = Workers("guest-bulk", max(1, threads // 4), _WAITING)
        self._sending = Workers("guest-send", max(1, threads // 2), places)
        self._looking = Workers("guest-look", 1, 4)
        self._known: Lookup[Known] = Lookup(intake.identities.load, self._looking, keys=200, waiting=2 * places)
        self._due: Lookup[guest_command.Waiting] = Lookup(outbox.waiting, self._looking, waiting=2 * places)
        #: Guests one of whose reports is being written.
        self._busy: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rechecking: asyncio.Task[None] | None = None

    async def take(self, instance_id: str, data: bytes) -> Answer:
        """Take one envelope in the name of a guest and return the answer; a poll is held meanwhile.

        :raises Malformed: when it is no envelope of this guest.
        :raises Refused: when it is not a fresh message of it.
        :raises Throttled: when the guest may not say more now.
        :raises Busy: when the service has too much to do.
        :raises Exception: whatever the database raises; nothing was written and the guest will send again.
        """
        try:
            claimed = envelope.peek(data)
        except EnvelopeError:
            raise Malformed from None
        if claimed.instance_id != instance_id:
            raise Malformed
        opened = await self._prove(claimed, data)
        self._intake.admit(opened, len(data))
        if not opened.frequent:
            return Answer(await self._report(opened, self._bulk if len(data) > LARGE else self._reports))
        received = self._intake.frequent(opened)
        self.polls.end_older(instance_id, received.boot)
        if received.poll_wait is None:
            return Answer(received.replies)
        item, wait = received.item, min(received.poll_wait, self._max_wait)
        held = self.polls.hold(instance_id, received.boot, item)
        says = item is not None and item.message is not None
        del opened, claimed, data, received, item  # a poll is held for long, and there are many
        if held is not None:
            return Answer(await self._poll(instance_id, held, wait), says and not held.lost)
        if self.polls.closed:
            return Answer([])
        raise Busy

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin, in ``loop``."""
        self._loop = loop
        self._intake.batcher.on_written = self._written
        self._rechecking = loop.create_task(self._recheck())

    def stop(self) -> None:
        """End held polls and hold no more."""
        self.polls.close()
        if self._rechecking is not None:
            self._rechecking.cancel()

    def close(self) -> None:
        """Take no more work; after :meth:`stop`, from any thread."""
        for workers in (self._reports, self._bulk, self._sending, self._looking):
            workers.stop()

    def deliver(self, instance_id: str) -> None:
        """There may be a command for this guest: look, if its poll is held here."""
        self._call(self.polls.tell, instance_id)

    # -- who speaks ---------------------------------------------------------------------------------------------------

    async def _prove(self, claimed: Header, data: bytes) -> Opened:
        instance_id = claimed.instance_id
        known = self._intake.identities.recall(instance_id) or await self._known.get(instance_id)
        assert known is not None  # of one that does not exist it is known that it does not
        try:
            return self._intake.prove(known, claimed, data)
        except Refused as err:
            if not known.may_look():
                self._intake.refuse(claimed, err)
        # What is remembered may be out of date.
        known = await self._known.get(instance_id)
        assert known is not None
        return self._intake.prove_again(known, claimed, data)

    # -- reports ------------------------------------------------------------------------------------------------------

    async def _report(self, opened: Opened, workers: Workers) -> list[bytes]:
        instance_id = opened.header.instance_id
        if instance_id in self._busy:  # its guest has dialled again while the one before is being written
            raise Busy
        self._busy.add(instance_id)
        try:
            boot, envelopes = await workers.run(self._write, opened)
        except Busy:
            self._busy.discard(instance_id)
            raise
        self.polls.end_older(instance_id, boot)
        return envelopes

    def _write(self, opened: Opened) -> tuple[int, list[bytes]]:
        """Write a report, in a thread of its own; return its boot and the answer."""
        try:
            received = self._intake.effective(opened)
            if received.poll_wait is None:
                return received.boot, received.replies
            try:
                found = self._outbox.envelopes_for(received.instance_id, boot=received.boot, enrolled=received.enrolled)
            except Superseded:
                found = []
            finally:
                self._intake.wake(received.wake)
            return received.boot, [*received.replies, *found]
        finally:
            self._busy.discard(opened.header.instance_id)

    # -- polls --------------------------------------------------------------------------------------------------------

    async def _poll(self, instance_id: str, held: poll.HeldPoll, wait: float) -> list[bytes]:
        """Answer a poll: what is due now, or what becomes due while it is held.

        A poll may outlive the agent that asked. It takes nothing once the next agent has said hello, to whichever
        conductor that was, and ends when that is noticed.
        """
        until = asyncio.get_running_loop().time() + wait
        try:
            while not held.over:
                # Asked after the place was taken: a command committed before gave its hint to nobody.
                waiting = await self._due.get(instance_id)
                if waiting is None or waiting.boot != held.boot:
                    break
                if waiting.due and (found := await self._commands(held, instance_id)):
                    return found
                if not await held.wait(until):
                    break
                self._check(held)
            return []
        except Superseded:
            return []
        finally:
            self.polls.release(instance_id, held)

    async def _commands(self, held: poll.HeldPoll, instance_id: str) -> list[bytes]:
        """Return the commands for a poll; only one whose position is recorded gets any. Otherwise one that was taken
        by another conductor before could be repeated here, and take what the guest itself waits for."""
        item = held.item
        while item is not None and item.outcome is Outcome.WAITS and not held.over:
            held.hurried = True
            self._intake.batcher.hurry()
            await held.wait(asyncio.get_running_loop().time() + 1.0)
        self._check(held)
        if held.over:
            return []
        return await self._sending.run(self._outbox.send, instance_id, boot=held.boot)

    @staticmethod
    def _check(held: poll.HeldPoll) -> None:
        """:raises Refused: when the batch has found out that the poll was taken before."""
        if held.item is not None and held.item.outcome is Outcome.REFUSED:
            raise Refused("the poll was refused when it was recorded")

    def _written(self, items: Sequence[Item]) -> None:
        """A batch was written; in the batcher's thread."""
        polls = [item for item in items if item.header.name == report.Poll.name]
        if polls:
            self._call(self.polls.recorded, polls)

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(RECHECK)
            if not len(self.polls):
                continue
            try:
                await self._look_for_all()
            except Exception as err:  # boundary: the next round looks again
                LOG.error("looking for commands of held polls failed: %s", sealing.describe(err))

    async def _look_for_all(self) -> None:
        page: list[str] = []
        while True:
            page = await self._looking.run(self._outbox.due, "gateway", _PAGE, page[-1] if page else "")
            for instance_id in page:
                self.polls.tell(instance_id)
            if len(page) < _PAGE:
                return

    def _call(self, function: Callable[..., None], *args: object) -> None:
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(function, *args)
            except RuntimeError:
                LOG.debug("the gateway has stopped")
