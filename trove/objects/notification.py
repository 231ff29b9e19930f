# SPDX-License-Identifier: Apache-2.0
"""The outbox of notifications: written with what they tell of, sent later, at least once.

Senders of several processes share it: each claims some rows for a while, sends them in order and removes them. A
sender that dies loses its claim, and another one sends its rows, those it had sent already too.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import api, models
from trove.objects import base

_TABLE = base.table_of(models.Notification)


class Notification(NamedTuple):
    """One row on its way out."""

    sequence: int
    event_type: str
    publisher_id: str
    payload: dict[str, Any]


def add(session: orm.Session, event_type: str, publisher_id: str, payloads: Iterable[Mapping[str, Any]]) -> None:
    """Have a notification of ``event_type`` sent for each of ``payloads`` (JSON, without secrets) after the commit."""
    now = api.now(session)
    rows = [
        {"event_type": event_type, "publisher_id": publisher_id, "payload": dict(payload), "created_at": now}
        for payload in payloads
    ]
    if rows:
        session.execute(sa.insert(_TABLE), rows)


def claim(session: orm.Session, owner: str, now: datetime.datetime, seconds: float, limit: int) -> list[Notification]:
    """Take up to ``limit`` of the oldest unclaimed rows for ``seconds`` and return them in order."""
    free = sa.or_(_TABLE.c.claimed_until.is_(None), _TABLE.c.claimed_until < now)
    wanted = session.scalars(sa.select(_TABLE.c.sequence).where(free).order_by(_TABLE.c.sequence).limit(limit)).all()
    if not wanted:
        return []
    until = now + datetime.timedelta(seconds=seconds)
    # The condition again: another sender may have been faster, and then the row is its own.
    taken = sa.update(_TABLE).where(_TABLE.c.sequence.in_(wanted), free)
    session.execute(taken.values(owner=owner, claimed_until=until))
    columns = (_TABLE.c[name] for name in Notification._fields)
    mine = sa.select(*columns).where(_TABLE.c.sequence.in_(wanted), _TABLE.c.owner == owner)
    return [Notification._make(row) for row in session.execute(mine.order_by(_TABLE.c.sequence))]


def remove(session: orm.Session, owner: str, sequences: Sequence[int]) -> None:
    """Remove rows that ``owner`` has sent; one that has been claimed by somebody else meanwhile stays."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.sequence.in_(sequences), _TABLE.c.owner == owner))
