# SPDX-License-Identifier: Apache-2.0
"""Types of command-line arguments: what is out of bounds is refused where it was written, with a sentence.

Each is a function for ``type`` of :meth:`argparse.ArgumentParser.add_argument`, and raises
:class:`argparse.ArgumentTypeError`.
"""

import argparse

#: What every database takes as a limit, see INTEGER of PostgreSQL.
MOST_ROWS = 2**31 - 1
#: A hundred years: a moment so long ago still has a date.
MOST_DAYS = 36_500
#: A pause is made many times over, so more than an hour is a slip.
LONGEST_PAUSE = 3600.0


def rows(text: str) -> int:
    """Read how many rows at most."""
    return _whole(text, MOST_ROWS)


def days(text: str) -> int:
    """Read an age in days."""
    return _whole(text, MOST_DAYS)


def minutes(text: str) -> int:
    """Read an age in minutes."""
    return _whole(text, MOST_DAYS * 1440)


def pause(text: str) -> float:
    """Read for how many seconds to wait."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= LONGEST_PAUSE:  # nor nan
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to {LONGEST_PAUSE:.0f}")
    return number


def _whole(text: str, most: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {most}")
    return number
