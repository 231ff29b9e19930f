# SPDX-License-Identifier: Apache-2.0
"""How far a task has come that must look at everything once in each period, whichever process does it.

Processes share the work by compare-and-set: each does one batch of rows in the transaction that moves the mark over
them, and rolls back when another one has moved it meanwhile.
"""

import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import models
from trove.objects import base, upsert

_MARKS = base.table_of(models.PeriodicMark)


def period_of(now: datetime.datetime, seconds: int) -> int:
    """Return the number of the period of so many ``seconds`` that ``now`` lies in.

    :param now: the database's time: processes whose own clocks differ would be in different periods.
    """
    return int(now.replace(tzinfo=datetime.UTC).timestamp()) // seconds


class Progress(NamedTuple):
    """Where a periodic task goes on: after ``position``, in ``period``."""

    period: int
    position: str


def progress(session: orm.Session, name: str, period: int) -> Progress | None:
    """Return where the task ``name`` stands in ``period``; ``None`` when it has looked at everything in it.

    A task that did not finish an earlier period begins the present one: what was missed cannot be told truly any more.
    """
    row = session.execute(sa.select(_MARKS.c.period, _MARKS.c.position).where(_MARKS.c.name == name)).one_or_none()
    if row is None:
        upsert.insert_missing(session, _MARKS, [{"name": name, "period": period, "position": ""}])
        return Progress(period, "")
    if row.period < period:
        return Progress(period, "")
    return None if row.position is None else Progress(row.period, row.position)


def is_done(session: orm.Session, name: str, period: int) -> bool:
    """Tell whether :func:`progress` would return ``None``, without a write transaction."""
    done = sa.and_(_MARKS.c.name == name, _MARKS.c.period >= period, _MARKS.c.position.is_(None))
    return session.execute(sa.select(_MARKS.c.name).where(done)).first() is not None


def advance(session: orm.Session, name: str, before: Progress, position: str | None) -> bool:
    """Move the task ``name`` from ``before`` to ``position``, ``None`` for the end of the period.

    :returns: ``False`` when another process has moved it meanwhile: then the transaction must be rolled back.
    """
    same = sa.and_(_MARKS.c.period == before.period, _MARKS.c.position == before.position)
    begun = sa.and_(_MARKS.c.period < before.period, sa.literal(before.position) == "")
    statement = sa.update(_MARKS).where(_MARKS.c.name == name, sa.or_(same, begun))
    return base.rows_matched(session, statement.values(period=before.period, position=position)) == 1
