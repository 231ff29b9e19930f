# SPDX-License-Identifier: Apache-2.0
"""Sets of instances: what is in progress in one, by who is to be its primary and who is.

A *member* is one instance; a *set* holds the members together that replicate one database, and most have one. Who is
to be primary is written first, with a *term* of its own, and carried out afterwards. While the two differ a change of
primary is in progress, whatever has crashed meanwhile, and its term fences off whoever was primary before.
"""

import enum

#: The kind of set whose members follow one primary. A set of one is such a set, too.
REPLICATION = "replication"


class Progress(enum.Enum):
    """What is in progress in a set."""

    #: Nobody is primary, or is to be: the one that was is gone.
    NO_PRIMARY = "no primary"
    #: Somebody is to be primary, and nobody is.
    PROMOTION = "promotion"
    #: One member is primary, and another is to be.
    HANDOVER = "handover"
    #: A primary is to end, and nobody is to follow it.
    DEMOTION = "demotion"
    #: Who is to be primary is.
    NOTHING = "nothing"


def progress(target: str | None, current: str | None) -> Progress:
    """Return what is in progress.

    :param target: id of the member that is to be primary.
    :param current: id of the member that is primary, as far as is known.
    """
    if target is None:
        return Progress.NO_PRIMARY if current is None else Progress.DEMOTION
    if current is None:
        return Progress.PROMOTION
    return Progress.NOTHING if target == current else Progress.HANDOVER
