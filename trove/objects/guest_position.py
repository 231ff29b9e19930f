# SPDX-License-Identifier: Apache-2.0
"""Replay positions of many guests at once, for reports too frequent to be worth a transaction each. No keys are read
here."""

import datetime
from collections.abc import Collection, Iterable
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import models
from trove.objects import base
from trove.objects.guest_identity import ENROLLED

_TABLE = base.table_of(models.GuestIdentity)


class PositionRow(NamedTuple):
    """The position columns of one enrolled guest; see :mod:`trove.guestbus.replay`.

    :ivar enrolled_at: tells one identity of an instance from the one it was given later.
    """

    instance_id: str
    generation: int
    enrolled_at: datetime.datetime
    boot: int
    sequence: int
    window: str


_COLUMNS = [_TABLE.c[name] for name in PositionRow._fields]
# Built once: to build them takes longer than to run them.
_HOLD = (
    sa.select(*_COLUMNS)
    .where(_TABLE.c.instance_id.in_(sa.bindparam("ids", expanding=True)), _TABLE.c.state == ENROLLED)
    .order_by(_TABLE.c.instance_id)
    .with_for_update()
)
# UPDATE guest_identities SET boot = ?, sequence = ?, "window" = ? WHERE instance_id = ?          (many at once)
_ADVANCE = (
    sa.update(_TABLE)
    .where(_TABLE.c.instance_id == sa.bindparam("row_id"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("boot", "sequence", "window")})
)


def hold(session: orm.Session, instance_ids: Collection[str]) -> dict[str, PositionRow]:
    """Return the positions of those that are enrolled, locked until the transaction ends.

    Rows are locked in the order of their ids, so that two such transactions cannot wait for each other.
    """
    rows = session.execute(_HOLD, {"ids": list(instance_ids)})
    return {row.instance_id: PositionRow._make(row) for row in rows}


def advance(session: orm.Session, positions: Iterable[PositionRow]) -> None:
    """Write positions of rows that the caller holds."""
    rows = [
        {"row_id": p.instance_id, "new_boot": p.boot, "new_sequence": p.sequence, "new_window": p.window}
        for p in positions
    ]
    if rows:
        session.connection().execute(_ADVANCE, rows)
