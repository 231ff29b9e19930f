# SPDX-License-Identifier: Apache-2.0
"""Carry out a command although the engine goes away meanwhile.

An engine that crashes is brought back within seconds, and whoever waits for a command has given it minutes. So a
command that finds the engine away, or loses it in the middle (:class:`trove.datastores.spi.EngineAway`), waits for its
return and is repeated: handlers are safe to repeat. What the engine *refuses* ends the command at once.

The caller holds the engine lock all the time, so nobody else brings the engine back: that is done here.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

from trove.common import clock, redact
from trove.datastores import spi

LOG = logging.getLogger(__name__)

#: Seconds for a command without a deadline, and the least for any other: one that a new agent takes up after its
#: deadline is brought to its end all the same, while the machine and the engine on it may have just started.
WITHOUT_DEADLINE = 60.0
LEAST = 10.0
#: Seconds before its time is over at which a command is given up: whoever waits for it should still hear why.
TELLING = 5.0
#: Times that the engine may come back and be lost again by one command, before that is given up as the cause.
MAX_RETURNS = 5
#: Seconds between two looks at an engine that is away, and between two attempts at one that does not say it is well.
POLL = 0.2
BLOCKED_PAUSE = 1.0
#: Statuses in which there is no process to ask. The monitor's attempts go on in both.
_ABSENT = ("crashed", "failed")

T = TypeVar("T")


def carry_out(attempt: Callable[[], T], handler: spi.GuestHandler, seconds: float | None) -> T:
    """Return what ``attempt`` returns, repeated for as long as the engine is away.

    :param attempt: carries the command out once; safe to repeat.
    :param seconds: until nobody waits for the command any more; ``None`` when that is not known.
    :raises EngineError: what ``attempt`` raises of the engine's refusals; ``engine.unavailable`` when the time is over,
        the owner has stopped the engine, or the engine goes away each time.
    """
    patience = WITHOUT_DEADLINE if seconds is None else max(seconds - TELLING, LEAST)
    deadline = clock.monotonic() + patience
    returns = 0
    while True:
        try:
            return attempt()
        except spi.EngineAway as err:
            LOG.warning("the engine is away; the command waits for it: %s", redact.mask_text(err.detail or ""))
            status = _await_return(handler, deadline)
            if status.status == "shutdown":
                raise _unavailable("The database server is stopped; start it and try again.", err) from err
            if clock.monotonic() >= deadline:
                raise _unavailable(_too_late(status), err) from err
            if status.status == "blocked":  # perhaps for others only: the attempt itself finds out
                clock.sleep(BLOCKED_PAUSE)
                continue
            returns += 1
            if returns > MAX_RETURNS:
                raise _unavailable("The database server ended each time that this was tried.", err) from err


def _await_return(handler: spi.GuestHandler, deadline: float) -> spi.EngineStatus:
    """Have the engine brought back; return its status when it has a process again, or at the deadline."""
    while True:
        try:
            handler.supervise()
            status = handler.status()
        except Exception as error:  # boundary: it is tried again, as the monitor would
            LOG.warning("the engine could not be brought back or probed (%s)", type(error).__name__)
            status = spi.EngineStatus("crashed")
        if status.status not in _ABSENT or clock.monotonic() >= deadline:
            return status
        clock.sleep(POLL)


def _too_late(status: spi.EngineStatus) -> str:
    return f"The database server did not answer in time; {status.reason or 'try again.'}"


def _unavailable(message: str, err: spi.EngineAway) -> spi.EngineError:
    return spi.EngineError(err.symbol, message, detail=err.detail)
