# SPDX-License-Identifier: Apache-2.0
"""Whether the holder of a lease may still act.

A lease is a row with an owner and a moment at which it runs out. Its holder has no time to read that row before each
thing it does outside the database, and does not need to: it knows how long the lease was good for when it was last
granted. A process that was frozen for longer finds that out by the clock, before it has talked to anybody.
"""

import threading
from typing import Protocol

from trove.common import clock


class Token(Protocol):
    """Tells that a lease has ended; a :class:`threading.Event` is one."""

    def is_set(self) -> bool: ...


class LeaseEnded(Exception):
    """The lease under which something was to be changed has ended, so nothing was changed: somebody else may be at
    it."""


def require(lost: Token, act: str) -> None:
    """Return if the holder may go on.

    :param act: what it is about to do, for the message.
    :raises LeaseEnded: when it may not.
    """
    if lost.is_set():
        raise LeaseEnded(f"{act} was not called, because the lease for it has ended")


class Lease:
    """A lease as its holder knows it; set once it has ended. Thread-safe.

    :param until: when it runs out, in seconds of :func:`trove.common.clock.boottime`, which counts while the machine
        sleeps. Taken before the lease was asked for, so that it never lasts longer here than in the database.
    """

    def __init__(self, until: float) -> None:
        self._until = until
        self._ended = threading.Event()

    def extend(self, until: float) -> None:
        """Go on until then; one that has been ended stays so."""
        self._until = max(self._until, until)

    def set(self) -> None:
        """End it now."""
        self._ended.set()

    def is_set(self) -> bool:
        """Tell whether it has ended."""
        return self._ended.is_set() or clock.boottime() >= self._until
