# SPDX-License-Identifier: Apache-2.0
"""Until when a connection must have made which progress."""

import enum
import math

from trove.httpserver.limits import Limits


class Phase(enum.Enum):
    """What a connection is about."""

    IDLE = "between an answer and the next request"
    HEAD = "TLS handshake, request line and headers are read"
    BODY = "the body is read"
    BUSY = "the application works, or a streamed body waits for it"
    ANSWER = "the answer is written"
    LINGER = "what follows a refusal is thrown away"


class Deadlines:
    """The deadline in force. Times are seconds of a monotonic clock.

    A body, and likewise an answer, has ``grace_seconds`` and one second more for each ``min_rate`` bytes transferred,
    so that one of any size can be completed, at ``min_rate`` or more on average. It never stops for longer than
    ``grace_seconds``, however fast it was before: the first megabytes of an answer, the network's buffers take.

    :ivar until: when the connection has to be closed; infinity in phase BUSY.
    """

    __slots__ = ("_limits", "_moved", "_since", "phase", "until")

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._since = now
        self._moved = 0
        self.phase = Phase.HEAD
        self.until = now + limits.head_seconds

    def enter(self, phase: Phase, now: float) -> None:
        """Begin a phase."""
        limits = self._limits
        self.phase, self._since, self._moved = phase, now, 0
        if phase is Phase.BUSY:
            self.until = math.inf
        elif phase is Phase.IDLE:
            self.until = now + limits.idle_seconds
        elif phase is Phase.HEAD:
            self.until = now + limits.head_seconds
        elif phase is Phase.LINGER:
            self.until = now + limits.linger_seconds
        else:
            self.until = now + limits.grace_seconds

    def received(self, count: int, now: float) -> None:
        """Bytes have arrived."""
        if self.phase is Phase.IDLE:
            self.enter(Phase.HEAD, now)
        elif self.phase is Phase.BODY:
            self._advance(count, now)

    def sent(self, count: int, now: float) -> None:
        """The network has taken bytes."""
        if self.phase is Phase.ANSWER:
            self._advance(count, now)

    def _advance(self, count: int, now: float) -> None:
        self._moved += count
        self.until = min(now, self._since + self._moved / self._limits.min_rate) + self._limits.grace_seconds
