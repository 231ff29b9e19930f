# SPDX-License-Identifier: Apache-2.0
"""The comparison of our rows with one provider: who is at it, and how far it has come.

One process at a time compares one provider, for as long as its claim lasts. What it finds is written in the transaction
that moves the position, which fails when the claim is somebody else's by then.
"""

import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import models
from trove.domain.reconciliation import Place
from trove.objects import base, upsert

_TABLE = base.table_of(models.Reconciliation)


class Scope(NamedTuple):
    """What is compared: a provider, as seen from ``host`` where that matters, else empty."""

    provider: str
    host: str = ""


class Position(NamedTuple):
    """Where a comparison goes on.

    :ivar prefix: index of the prefix of tags.
    :ivar marker: of the provider's last page; ``None``: at the beginning of this prefix.
    :ivar after: what was seen so far.
    """

    prefix: int = 0
    marker: str | None = None
    after: Place = Place()


class Reconciliation(NamedTuple):
    """The comparison under way, or the last one.

    :ivar position: ``None`` once everything was seen.
    """

    owner: str | None
    claimed_until: datetime.datetime | None
    started_at: datetime.datetime
    position: Position | None

    def is_taken(self, owner: str, now: datetime.datetime) -> bool:
        """Tell whether another process than ``owner`` is at it."""
        return self.owner not in (None, owner) and self.claimed_until is not None and self.claimed_until > now


def get(session: orm.Session, scope: Scope) -> Reconciliation | None:
    """Return the comparison of ``scope``; ``None``: there never was one."""
    row = session.execute(sa.select(_TABLE).where(_is(scope))).one_or_none()
    if row is None:
        return None
    position = row.position and Position(row.position["prefix"], row.position["marker"], Place(*row.position["after"]))
    return Reconciliation(row.owner, row.claimed_until, row.started_at, position or None)


def claim(session: orm.Session, scope: Scope, owner: str, now: datetime.datetime, seconds: float) -> bool:
    """Take the comparison for ``seconds``; ``False`` when another process has it."""
    first = {"provider": scope.provider, "host": scope.host, "started_at": now, "position": _encode(Position())}
    upsert.insert_missing(session, _TABLE, [first])
    free = sa.or_(_TABLE.c.claimed_until.is_(None), _TABLE.c.claimed_until <= now, _TABLE.c.owner == owner)
    until = now + datetime.timedelta(seconds=seconds)
    taken = sa.update(_TABLE).where(_is(scope), free).values(owner=owner, claimed_until=until)
    return base.rows_matched(session, taken) == 1


def release(session: orm.Session, scope: Scope, owner: str) -> None:
    """Give the comparison back, unless another process has taken it already."""
    mine = sa.update(_TABLE).where(_is(scope), _TABLE.c.owner == owner)
    session.execute(mine.values(owner=None, claimed_until=None))


def begin(session: orm.Session, scope: Scope, owner: str, now: datetime.datetime) -> bool:
    """Begin a comparison; see :func:`advance` for the answer."""
    mine = sa.update(_TABLE).where(_is(scope), _TABLE.c.owner == owner)
    return base.rows_matched(session, mine.values(started_at=now, position=_encode(Position()))) == 1


def advance(session: orm.Session, scope: Scope, owner: str, position: Position | None) -> bool:
    """Move to ``position``, ``None`` for the end.

    :returns: ``False`` when another process has taken over: then the transaction must be rolled back.
    """
    mine = sa.update(_TABLE).where(_is(scope), _TABLE.c.owner == owner)
    return base.rows_matched(session, mine.values(position=None if position is None else _encode(position))) == 1


def _is(scope: Scope) -> sa.ColumnElement[bool]:
    return sa.and_(_TABLE.c.provider == scope.provider, _TABLE.c.host == scope.host)


def _encode(position: Position) -> dict[str, object]:
    return {"prefix": position.prefix, "marker": position.marker, "after": list(position.after)}
