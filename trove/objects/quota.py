# SPDX-License-Identifier: Apache-2.0
"""Quota limits and usage.

Consuming is a compare-and-set per resource, so that two requests for the last unit never both pass, whatever they
read before. Giving back never goes below zero.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import orm

from trove.common import exception
from trove.db import models
from trove.domain import quota as domain
from trove.objects import base, upsert

_LIMITS = base.table_of(models.QuotaLimit)
_USAGES = base.table_of(models.QuotaUsage)


def limits(session: orm.Session, project_id: str, defaults: Mapping[str, int]) -> dict[str, int]:
    """Return the limit of each resource in ``defaults``: the project's own where one is set, else the default."""
    query = sa.select(_LIMITS.c.resource, _LIMITS.c.hard_limit).where(_LIMITS.c.project_id == project_id)
    own = dict(session.execute(query).all())  # type: ignore[arg-type]
    return {resource: own.get(resource, default) for resource, default in defaults.items()}


def set_limit(session: orm.Session, project_id: str, resource: str, hard_limit: int) -> None:
    """Give the project a limit of its own; -1 means none. What is in use already stays in use."""
    row = {"project_id": project_id, "resource": resource, "hard_limit": hard_limit}
    upsert.upsert(session, _LIMITS, [row], ["hard_limit"])


def usages(session: orm.Session, project_id: str) -> dict[str, int]:
    """Return what is in use of every resource; 0 where nothing ever was."""
    query = sa.select(_USAGES.c.resource, _USAGES.c.in_use).where(_USAGES.c.project_id == project_id)
    return {**dict.fromkeys(domain.RESOURCES, 0), **dict(session.execute(query).all())}  # type: ignore[arg-type]


def list_projects(session: orm.Session, *, after: str, limit: int) -> list[str]:
    """Return up to ``limit`` projects that have ever used something, beyond ``after``, in order."""
    query = sa.select(_USAGES.c.project_id).where(_USAGES.c.project_id > after).distinct()
    return list(session.scalars(query.order_by(_USAGES.c.project_id).limit(limit)))


def consume(session: orm.Session, project_id: str, deltas: Mapping[str, int], defaults: Mapping[str, int]) -> None:
    """Take ``deltas`` out of the project's quota; negative ones are given back and always fit.

    :raises QuotaExceeded: naming every resource that does not fit. The resources that do fit have been counted by
        then, so the caller lets the error leave its transaction, which rolls everything back.
    """
    release(session, project_id, {resource: -delta for resource, delta in deltas.items() if delta < 0})
    wanted = {resource: delta for resource, delta in sorted(deltas.items()) if delta > 0}
    if not wanted:
        return
    allowed = limits(session, project_id, defaults)
    # Looking first is not needed for correctness: it keeps the usual request from writing rows that exist.
    known = session.scalars(sa.select(_USAGES.c.resource).where(_USAGES.c.project_id == project_id)).all()
    missing = [{"project_id": project_id, "resource": r, "in_use": 0} for r in wanted if r not in known]
    if missing:
        upsert.insert_missing(session, _USAGES, missing)
    refused = {r: delta for r, delta in wanted.items() if not _take(session, project_id, r, delta, allowed[r])}
    if refused:
        raise exception.QuotaExceeded(_explain(session, project_id, refused, allowed))


def release(session: orm.Session, project_id: str, deltas: Mapping[str, int]) -> None:
    """Give ``deltas`` (positive) back; usage stops at zero, because a doubled release must not become a present."""
    for resource, delta in sorted(deltas.items()):
        # UPDATE quota_usages SET in_use = CASE WHEN in_use > :d THEN in_use - :d ELSE 0 END WHERE ...
        left = sa.case((_USAGES.c.in_use > delta, _USAGES.c.in_use - delta), else_=0)
        where = (_USAGES.c.project_id == project_id, _USAGES.c.resource == resource)
        session.execute(sa.update(_USAGES).where(*where).values(in_use=left))


def _take(session: orm.Session, project_id: str, resource: str, delta: int, limit: int) -> bool:
    # UPDATE quota_usages SET in_use = in_use + :d WHERE project_id = :p AND resource = :r AND in_use + :d <= :limit
    statement = sa.update(_USAGES).where(_USAGES.c.project_id == project_id, _USAGES.c.resource == resource)
    if limit != domain.UNLIMITED:
        statement = statement.where(_USAGES.c.in_use + delta <= limit)
    return base.rows_matched(session, statement.values(in_use=_USAGES.c.in_use + delta)) == 1


def _explain(session: orm.Session, project_id: str, refused: Mapping[str, int], allowed: Mapping[str, int]) -> str:
    # FOR UPDATE reads what the refused UPDATE saw, not an older snapshot of this transaction.
    query = (
        sa.select(_USAGES.c.resource, _USAGES.c.in_use)
        .where(_USAGES.c.project_id == project_id, _USAGES.c.resource.in_(refused))
        .with_for_update()
    )
    in_use = dict(session.execute(query).all())  # type: ignore[arg-type]
    found = domain.excesses(allowed, in_use, refused)
    return "Quota exceeded: " + "; ".join(str(excess) for excess in found) + "."
