# SPDX-License-Identifier: Apache-2.0
"""Who owns outside things by our rows: whether an owner lives, and which things of it there must be."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import models
from trove.domain.reconciliation import Standing
from trove.objects import base
from trove.objects.reconciliation import Scope

_INSTANCE = base.table_of(models.Instance)
_GROUP = base.table_of(models.ServerGroup)

#: The column that is set while an instance has a thing of a kind.
_HAS = {"port": _INSTANCE.c.port, "server": _INSTANCE.c.server_id, "volume": _INSTANCE.c.volume_id}


def instances(session: orm.Session, ids: Collection[str]) -> dict[str, Standing]:
    """Return the standing of instances by id; an id that no row has ever had is left out."""
    if not ids:
        return {}
    query = sa.select(_INSTANCE.c.id, _INSTANCE.c.deleted).where(_INSTANCE.c.id.in_(sorted(ids)))
    return {row.id: Standing.DELETED if row.deleted else Standing.LIVE for row in session.execute(query)}


def server_groups(session: orm.Session, ids: Collection[str]) -> dict[str, Standing]:
    """Return the standing of server groups by id, likewise. The row of a group goes with its last instance, whose row
    stays and names it."""
    if not ids:
        return {}
    column, wanted = _INSTANCE.c.server_group_id, sorted(ids)
    former = sa.select(column).where(column.in_(wanted), _INSTANCE.c.deleted.is_(sa.true())).distinct()
    known = dict.fromkeys(session.scalars(former), Standing.DELETED)
    live = sa.select(column).where(column.in_(wanted), _INSTANCE.c.deleted.is_(sa.false())).distinct()
    known.update(dict.fromkeys(session.scalars(live), Standing.LIVE))
    known.update(dict.fromkeys(session.scalars(sa.select(_GROUP.c.id).where(_GROUP.c.id.in_(wanted))), Standing.LIVE))
    return {str(id_): standing for id_, standing in known.items()}


def having(
    session: orm.Session, kind: str, after: str, until: str | None, limit: int, *, scope: Scope | None = None
) -> list[str]:
    """Return ids of live instances whose row has a thing of ``kind``, in order, above ``after`` up to ``until``.

    :param scope: only those that are there, and those of which nobody has written down yet where they are.
    """
    where = [_INSTANCE.c.deleted.is_(sa.false()), _HAS[kind].is_not(None), _INSTANCE.c.id > after]
    if until is not None:
        where.append(_INSTANCE.c.id <= until)
    if scope is not None:
        there = (_INSTANCE.c.provider == scope.provider) & (sa.func.coalesce(_INSTANCE.c.host, "") == scope.host)
        where.append(there | _INSTANCE.c.provider.is_(None))
    return list(session.scalars(sa.select(_INSTANCE.c.id).where(*where).order_by(_INSTANCE.c.id).limit(limit)))
