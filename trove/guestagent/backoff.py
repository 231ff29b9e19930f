# SPDX-License-Identifier: Apache-2.0
"""How long to wait after a failure: longer each time, up to a limit, and never the same for two guests."""

import random


class Backoff:
    """Waiting times that double from ``first`` to ``limit`` seconds.

    Each is drawn from its upper half: when a control plane comes back, its guests must not all knock in the same
    instant.
    """

    def __init__(self, first: float, limit: float) -> None:
        self._first = first
        self._limit = limit
        self._failures = 0

    def next(self, at_least: float | None = None) -> float:
        """Return the seconds to wait after one more failure.

        :param at_least: what the other side asked for; it is lengthened by up to a quarter rather than shortened.
        """
        span = min(self._limit, self._first * 2.0 ** min(self._failures, 32))
        self._failures += 1
        wait = span * random.uniform(0.5, 1.0)
        if at_least is None:
            return wait
        return max(wait, at_least * random.uniform(1.0, 1.25))

    def reset(self) -> None:
        """Something worked: the next failure is a first one."""
        self._failures = 0
