# SPDX-License-Identifier: Apache-2.0
"""How the cost of reading a text grows with its length.

Measured is the processor time of the calling thread, so that neighbours on the machine do not count, the least of
several runs. It is judged twice by ratios within one run, never by milliseconds: against the same text at an eighth of
the length, and against a plain walk over its characters. Both must be bad: what is as quick as the walk may grow as it
likes, because its times are too short to compare.
"""

import functools
import time
from collections.abc import Callable, Iterator

#: Characters of the longer text.
LENGTH = 4096
_PART = 8
#: Linear is 8, quadratic 64.
_GROWTH = 28.0
#: Walks over the text that a reading may cost, whatever it does with each character.
_WALKS = 30.0
_RUNS = 5

Read = Callable[[str], object]


def spent(read: Read, text: str, runs: int = 1) -> float:
    """Return the processor time in seconds of reading ``text``, refused or not: the least of ``runs``.

    :raises AttributeError, NameError: what ``read`` raises when it calls something that does not exist.
    """
    least = float("inf")
    for _ in range(runs):
        began = time.thread_time()
        try:
            read(text)
        except (AttributeError, NameError):  # nothing was read: what is called here does not exist
            raise
        except Exception:  # boundary: a refusal is an answer; only its cost counts
            pass
        least = min(least, time.thread_time() - began)
    return least


def _walk(text: str) -> int:
    return sum(map(ord, text))


@functools.cache
def _usual_walk(length: int) -> float:
    """Return what a walk took once, to tell at a glance what is not worth comparing."""
    return spent(_walk, "x" * length, _RUNS)


def super_linear(read: Read, make: Callable[[int], str]) -> str | None:
    """Return how bad the cost of reading ``make(length)`` grows, ``None`` when it does not grow faster than the length.

    :param make: returns a text of about so many characters.
    """
    short, long = make(LENGTH // _PART), make(LENGTH)
    # The short one first: of a text whose cost grows with the cube, the long one would not end.
    before = spent(read, short)
    if before <= _usual_walk(len(long)) * 1000:
        if spent(read, long) <= _usual_walk(len(long)) * _WALKS / 4:
            return None
        walk, before, after = spent(_walk, long, _RUNS), spent(read, short, _RUNS), spent(read, long, _RUNS)
        if after <= walk * _WALKS or after <= before * _GROWTH:
            return None
        return f"{len(long)} characters take {after / before:.0f} times what {len(short)} take"
    return f"{len(short)} characters take as long as a walk over {before / _usual_walk(LENGTH) * LENGTH:.0f}"


def texts(units: Iterator[str] | list[str], heads: list[str]) -> Iterator[Callable[[int], str]]:
    """Yield makers of texts: each unit over and over, after each head, ended in a way that fits and in one that does
    not."""
    for unit in dict.fromkeys(units):
        for head in dict.fromkeys(heads):
            for end in ("", "\0!"):
                yield lambda length, unit=unit, head=head, end=end: (  # type: ignore[misc]
                    head + unit * max(1, (length - len(head)) // len(unit)) + end
                )
