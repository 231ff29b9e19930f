# SPDX-License-Identifier: Apache-2.0
"""When the control plane gives up waiting for a guest's commands, and what it may say of them then.

Invariant: a command is called *expired*, which means that it was never begun and never will be, only when no guest can
know of it. Of everything else the guest has the word, because it may have begun what it never told us of. A guest that
has been silent for too long leaves the outcome *unknown* until it speaks again. For such a guest nobody waits until the
deadline.

A deadline counts from when the guest can begin. Commands are carried out one after the other, so that is when the one
before has ended, however long that took.
"""

import datetime
import enum
from collections.abc import Iterable
from typing import NamedTuple

#: Symbol of a command of which nobody can say now what has become.
UNKNOWN_SYMBOL = "guest.outcome_unknown"


class Fate(enum.Enum):
    """What becomes of a command that is past its deadline."""

    #: It was never sent, so it was not begun and will not be.
    EXPIRED = "expired"
    #: It was sent, and the guest is silent.
    UNKNOWN = "unknown"


class Waiting(NamedTuple):
    """A command that has not ended.

    :ivar sent: whether a guest may know of it.
    """

    id: str
    sent: bool
    created_at: datetime.datetime
    deadline: datetime.datetime


def judge(
    commands: Iterable[Waiting],
    *,
    progress: datetime.datetime | None,
    silent: bool,
    now: datetime.datetime,
    lost_before: datetime.datetime | None = None,
) -> list[tuple[str, Fate]]:
    """Return which commands of one guest are given up, and how.

    :param commands: those that have not ended, in the order in which they are carried out.
    :param progress: when the guest last said that a command has ended.
    :param silent: whether the guest has not been heard for longer than a living one would be.
    :param lost_before: when a silent guest is one that has been heard before: what was accepted before this moment is
        not waited for until its deadline. ``None``: the guest may still be on its way.
    """
    found: list[tuple[str, Fate]] = []
    for item in commands:
        hopeless = silent and lost_before is not None and item.created_at <= lost_before
        if not (hopeless or due(item, progress) <= now) or (item.sent and not silent):
            break  # what follows cannot begin before this one has ended
        found.append((item.id, Fate.UNKNOWN if item.sent else Fate.EXPIRED))
    return found


def due(item: Waiting, progress: datetime.datetime | None) -> datetime.datetime:
    """Return until when a command, when it is the next one, is to begin."""
    allowance = item.deadline - item.created_at
    return item.deadline if progress is None else max(item.deadline, progress + allowance)
