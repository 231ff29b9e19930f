# SPDX-License-Identifier: Apache-2.0
"""Polls that are held until there is a command, without letting them take all threads.

A held poll occupies a thread, so only so many are held; a guest beyond that is answered at once and told when to poll
again. The more are turned away, the longer the wait they are told, so that their polls stay near :data:`TARGET_RATE`
however many guests there are.
"""

import random
import threading
from types import TracebackType

from trove.common import clock

#: Polls per second that are answered without being held, in one process.
TARGET_RATE = 50.0
_MIN_AFTER = 0.5
_MAX_AFTER = 30.0


class Ticket:
    """One held poll. :meth:`wait` returns when there may be something; :attr:`over` tells that it must end
    regardless."""

    def __init__(self, boot: int = 0) -> None:
        self.boot = boot
        self.over = False
        self._event = threading.Event()

    def wait(self, seconds: float) -> None:
        """Wait until told or ``seconds`` have passed."""
        clock.wait(self._event, seconds)
        self._event.clear()

    def tell(self, *, over: bool = False) -> None:
        """Wake the thread that holds the poll."""
        self.over = self.over or over
        self._event.set()


class HeldPolls:
    """All held polls of one process, at most one per guest.

    :param places: how many may be held at the same time.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._lock = threading.Lock()
        self._tickets: dict[str, Ticket] = {}
        self._closed = False
        self._after = _MIN_AFTER
        self._window_start = clock.monotonic()
        self._window_count = 0

    def hold(self, instance_id: str, boot: int = 0) -> "Held | None":
        """Return a place for a guest's poll, to be used in a ``with`` statement; ``None`` when there is none.

        :param boot: which start of the guest's agent polls.

        An older poll of the same guest is ended: the guest has dialled again, so nobody listens to that one.
        """
        with self._lock:
            older = self._tickets.pop(instance_id, None)
            if older is not None:
                older.tell(over=True)
            if self._closed or len(self._tickets) >= self._places:
                return None
            ticket = self._tickets[instance_id] = Ticket(boot)
        return Held(self, instance_id, ticket)

    def tell(self, instance_id: str) -> None:
        """Wake the guest's held poll, if it is held here."""
        with self._lock:
            ticket = self._tickets.get(instance_id)
        if ticket is not None:
            ticket.tell()

    def end_older(self, instance_id: str, boot: int) -> None:
        """End the guest's held poll if an agent before ``boot`` asked: that one does not listen any more."""
        with self._lock:
            ticket = self._tickets.get(instance_id)
        if ticket is not None and ticket.boot < boot:
            ticket.tell(over=True)

    def close(self) -> None:
        """End all held polls and hold no more."""
        with self._lock:
            self._closed = True
            tickets = list(self._tickets.values())
        for ticket in tickets:
            ticket.tell(over=True)

    def poll_after(self) -> float:
        """Return the seconds after which a guest that was turned away shall poll again; call it once for each."""
        with self._lock:
            now = clock.monotonic()
            elapsed = now - self._window_start
            self._window_count += 1
            if elapsed >= 1.0:
                # With N guests turned away the rate is N / after: multiply by how far it is off, at most by two at a
                # time.
                factor = self._window_count / elapsed / TARGET_RATE
                self._after = min(_MAX_AFTER, max(_MIN_AFTER, self._after * min(2.0, max(0.5, factor))))
                self._window_start, self._window_count = now, 0
            after = self._after
        # Spread out, so that guests that came together do not come together again.
        return after * random.uniform(0.5, 1.5)

    def release(self, instance_id: str, ticket: Ticket) -> None:
        """Give a place back."""
        with self._lock:
            if self._tickets.get(instance_id) is ticket:
                del self._tickets[instance_id]


class Held:
    """A place, for the time of a ``with`` statement."""

    def __init__(self, polls: HeldPolls, instance_id: str, ticket: Ticket) -> None:
        self._polls = polls
        self._instance_id = instance_id
        self._ticket = ticket

    def __enter__(self) -> Ticket:
        return self._ticket

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._polls.release(self._instance_id, self._ticket)
