# SPDX-License-Identifier: Apache-2.0
"""How long to wait before something that failed is tried again: the one policy of retries, for all parts.

A :class:`Backoff` says how waits grow; who uses it writes its figures down beside what is tried. What keeps no count of
its own failures has a :class:`Failures`, which does. Nothing here waits, and nothing here decides whether another try
is worth while.

>>> Backoff(first=1.0, cap=5.0, jitter=EXACT).delay(3)
4.0
>>> Backoff(first=1.0, cap=5.0, jitter=EXACT).delay(4)
5.0
"""

import random
from dataclasses import dataclass

#: Waits are as long as they are said to be: only one waits, or what the wait is handed to adds the jitter.
EXACT = (1.0, 1.0)
#: Waits are drawn from the upper half: those who failed together must not all come back in the same instant, and
#: again, and keep down what they wait for.
SHORTENED = (0.5, 1.0)
#: Waits are drawn from around the nominal one: transactions that collided would otherwise collide again.
AROUND = (0.5, 1.5)

_MOST_DOUBLINGS = 32  # a larger exponent would overflow one day


@dataclass(frozen=True)
class Backoff:
    """Waits that double from ``first`` to ``cap`` seconds, each multiplied with a number drawn from ``jitter``."""

    first: float
    cap: float
    jitter: tuple[float, float] = SHORTENED

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after the failed ``attempt``, from 1."""
        return min(self.cap, self.first * 2.0 ** min(attempt - 1, _MOST_DOUBLINGS)) * _draw(*self.jitter)


def stretch(seconds: float) -> float:
    """Return a wait that another party asked for: never shorter, up to a quarter longer."""
    return seconds * _draw(1.0, 1.25)


class Failures:
    """The failures in a row of one thing; not for several threads."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._count = 0

    def next(self, at_least: float | None = None) -> float:
        """Return the seconds to wait after one more failure.

        :param at_least: what the other side asked for, see :func:`stretch`.
        """
        self._count += 1
        wait = self._backoff.delay(self._count)
        return wait if at_least is None else max(wait, stretch(at_least))

    def reset(self) -> None:
        """Something worked: the next failure is a first one."""
        self._count = 0


def _draw(low: float, high: float) -> float:
    return random.uniform(low, high)  # spreads load, protects nothing
