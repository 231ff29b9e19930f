# SPDX-License-Identifier: Apache-2.0
"""What is to be said and done about a difference between our rows and what a provider lists.

Two rules keep this from ever taking what somebody needs:

* Only what belongs to something that our rows say was deleted is *orphaned*, and may be removed. An id that our rows
  have never had is *unknown*: another deployment may share the cloud.
* Nothing is believed at once. A difference counts when it was seen twice, with the grace period between: that is longer
  than any call to a provider lasts, so whatever was under way at the first sight is over at the second.

What is removed goes by owner, once the latest thing of that owner has been there for the grace period, because a server
that came last uses the volume that came first.
"""

import datetime
import enum
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

# A part's name is bounded, because somebody else may have put the tag there, and it is stored.
_TAG = re.compile(r"(instance|server-group):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:/[a-z0-9-]{1,64})?")

#: Kinds of owners, and what their tags begin with, in the order in which a provider is asked for them.
INSTANCE, SERVER_GROUP = "instance", "server-group"
KINDS = (INSTANCE, SERVER_GROUP)
PREFIXES = tuple(f"{kind}:" for kind in KINDS)

#: Kinds in the order of their removal: each is in use by those before it.
REMOVAL_ORDER = ("server", "volume", "port", "server_group")
#: Kinds that an instance can miss, in the order of a listing.
EXPECTED_KINDS = ("port", "server", "volume")


class Problem(enum.StrEnum):
    """How rows and provider differ about one thing."""

    #: It is there, and belongs to something that was deleted.
    ORPHANED = "orphaned"
    #: It is there, and its tag has an id that our rows have never had.
    UNKNOWN = "unknown"
    #: It is not there, although a live instance has it in its row.
    MISSING = "missing"


class Standing(enum.Enum):
    """What our rows say of an owner that they know."""

    LIVE = "live"
    #: A workflow on it has not ended, whatever else its row says.
    BUSY = "busy"
    DELETED = "deleted"


class Owner(NamedTuple):
    """Whom a thing belongs to: ``kind`` is :data:`INSTANCE` or :data:`SERVER_GROUP`."""

    kind: str
    id: str


class Place(NamedTuple):
    """A place in a listing: everything up to this kind and owner's id was seen."""

    kind: str = ""
    id: str = ""


class Span(NamedTuple):
    """Instances whose thing of ``kind`` a page must have shown: ids above ``after`` up to ``until`` (``None``: all)."""

    kind: str
    after: str
    until: str | None


@dataclass(frozen=True)
class Seen:
    """A difference as of now."""

    kind: str
    tag: str
    problem: Problem
    owner: Owner
    outside_id: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Finding:
    """A difference that is remembered; moments are the database's, naive UTC."""

    seen: Seen
    first_seen_at: datetime.datetime
    last_seen_at: datetime.datetime
    reported_at: datetime.datetime | None = None


def owner_of(tag: str) -> Owner | None:
    """Return whom a thing with ``tag`` belongs to; ``None``: the tag is not one that we make."""
    match = _TAG.fullmatch(tag)
    return None if match is None else Owner(match[1], match[2])


def problem_of(standing: Standing | None) -> Problem | None:
    """Return what is wrong with a thing that exists.

    :param standing: of its owner; ``None``: our rows have never had it.
    """
    if standing is None:
        return Problem.UNKNOWN
    return Problem.ORPHANED if standing is Standing.DELETED else None


def spans(after: Place, until: Place | None) -> Iterator[Span]:
    """Yield which instances' things a page must have shown.

    A listing and our rows are in the same order, so that a page says of everything between its ends whether it is
    there, and nobody has to remember the pages before.

    :param after: where the page before ended.
    :param until: where this one ended; ``None``: it was the last.
    """
    for kind in EXPECTED_KINDS:
        if kind < after.kind or (until is not None and kind > until.kind):
            continue
        low = after.id if kind == after.kind else ""
        high = until.id if until is not None and kind == until.kind else None
        yield Span(kind, low, high)


def missing(kind: str, expected: Iterable[str], listed: Collection[tuple[str, str]]) -> list[Seen]:
    """Return which instances miss their thing of ``kind``.

    :param expected: ids of live instances that have one in their row, within a span.
    :param listed: kinds and tags that the page has shown.
    """
    tags = ((id_, f"{INSTANCE}:{id_}/{kind}") for id_ in expected)
    return [Seen(kind, tag, Problem.MISSING, Owner(INSTANCE, id_)) for id_, tag in tags if (kind, tag) not in listed]


def remember(before: Finding | None, seen: Seen, now: datetime.datetime) -> Finding:
    """Return the finding that ``seen`` makes of what was remembered of the same thing. What is found to be something
    else, or another thing of the same tag, begins anew."""
    same = before is not None and (before.seen.problem, before.seen.outside_id) == (seen.problem, seen.outside_id)
    if before is None or not same:
        return Finding(seen, now, now)
    return Finding(seen, before.first_seen_at, now, before.reported_at)


def is_confirmed(finding: Finding, grace: datetime.timedelta) -> bool:
    """Tell whether a difference was seen again after ``grace``."""
    return finding.last_seen_at - finding.first_seen_at >= grace


def removals(findings: Iterable[Finding], standing: Standing | None, grace: datetime.timedelta) -> tuple[Seen, ...]:
    """Return what of one owner is to be removed now, in the order in which that must happen.

    :param findings: everything that is remembered of the owner at one provider.
    :param standing: of the owner now.
    """
    orphans = [item for item in findings if item.seen.problem is Problem.ORPHANED]
    if standing is not Standing.DELETED or not all(is_confirmed(item, grace) for item in orphans):
        return ()
    return ordered(orphans)


def ordered(findings: Iterable[Finding]) -> tuple[Seen, ...]:
    """Return what was found in the order in which it can be removed, without kinds that nobody here can remove."""
    known = [item.seen for item in findings if item.seen.kind in REMOVAL_ORDER]
    return tuple(sorted(known, key=lambda seen: (REMOVAL_ORDER.index(seen.kind), seen.tag)))
