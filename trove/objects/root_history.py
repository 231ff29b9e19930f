# SPDX-License-Identifier: Apache-2.0
"""Whether the superuser of an instance is enabled, and who enabled it first. The history is kept for support: a
database whose owner was ever root may hold anything."""

import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import api, models
from trove.objects import base, upsert

_TABLE = base.table_of(models.RootHistory)


class RootHistory(NamedTuple):
    """One instance's row."""

    instance_id: str
    enabled: bool
    first_enabled_at: datetime.datetime
    first_enabled_by: str | None


def get(session: orm.Session, instance_id: str) -> RootHistory | None:
    """Return the history, or ``None`` when root was never enabled."""
    row = session.execute(sa.select(_TABLE).where(_TABLE.c.instance_id == instance_id)).one_or_none()
    return None if row is None else RootHistory._make(row)


def set_enabled(session: orm.Session, instance_id: str, enabled: bool, user_id: str | None) -> None:
    """Record the present state. ``user_id`` is kept only while nobody is known to have enabled root before.

    Disabling what was never enabled leaves no row.
    """
    if not enabled:
        session.execute(sa.update(_TABLE).where(_TABLE.c.instance_id == instance_id).values(enabled=False))
        return
    row = {
        "instance_id": instance_id,
        "enabled": True,
        "first_enabled_at": api.now(session),
        "first_enabled_by": user_id,
    }
    upsert.upsert(session, _TABLE, [row], ["enabled"])
    if user_id is not None:
        # The guest's inventory, which does not know who asked, may have come first.
        nobody = (_TABLE.c.instance_id == instance_id, _TABLE.c.first_enabled_by.is_(None))
        session.execute(sa.update(_TABLE).where(*nobody).values(first_enabled_by=user_id))
