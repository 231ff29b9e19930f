# SPDX-License-Identifier: Apache-2.0
"""Quota limits and usage.

Consuming is a compare-and-set per resource, so that two requests for the last unit never both pass, whatever they
read before. Giving back never goes below zero.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy import orm

from trove.common import exception
from trove.db import models
from trove.domain import quota as domain
from trove.objects import base, upsert

_LIMITS = base.table_of(models.QuotaLimit)
_USAGES = base.table_of(models.QuotaUsage)

# UPDATE quota_usages SET in_use = in_use + :delta WHERE project_id = :project AND resource = :name ...
_AFTER = _USAGES.c.in_use + sa.bindparam("delta", type_=sa.Integer)
_TAKE = sa.update(_USAGES).values(in_use=_AFTER).where(
    _USAGES.c.project_id == sa.bindparam("project"), _USAGES.c.resource == sa.bindparam("name")
)
# ... AND in_use + :delta <= :most
_TAKE_WITHIN = _TAKE.where(sa.bindparam("most", type_=sa.Integer) >= _AFTER)

# Made once: building a statement costs more than running this one.
_LIMITS_OF_PROJECT = sa.select(_LIMITS.c.resource, _LIMITS.c.hard_limit).where(
    _LIMITS.c.project_id == sa.bindparam("project")
)


def limits(session: orm.Session, project_id: str, defaults: Mapping[str, int]) -> dict[str, int]:
    """Return the limit of each resource in ``defaults``: the project's own where one is set, else the default."""
    own = dict(session.execute(_LIMITS_OF_PROJECT, {"project": project_id}).all())  # type: ignore[arg-type]
    return {resource: own.get(resource, default) for resource, default in defaults.items()}


def datastore_limits(session: orm.Session, project_id: str) -> dict[str, int]:
    """Return the limits on instances of one datastore that were set for the project, by the datastore's id."""
    rows = session.execute(_LIMITS_OF_PROJECT, {"project": project_id})
    found = [(domain.datastore_of(resource), limit) for resource, limit in rows]
    return {datastore_id: limit for datastore_id, limit in found if datastore_id is not None}


def set_limit(session: orm.Session, project_id: str, resource: str, hard_limit: int) -> None:
    """Give the project a limit of its own; -1 means none. What is in use already stays in use."""
    row = {"project_id": project_id, "resource": resource, "hard_limit": hard_limit}
    upsert.upsert(session, _LIMITS, [row], ["hard_limit"])


def usages(session: orm.Session, project_id: str) -> dict[str, int]:
    """Return what is in use of every resource; 0 where nothing ever was. Instances of one datastore are among them
    once there was one."""
    query = sa.select(_USAGES.c.resource, _USAGES.c.in_use).where(_USAGES.c.project_id == project_id)
    return {**dict.fromkeys(domain.RESOURCES, 0), **dict(session.execute(query).all())}  # type: ignore[arg-type]


def list_projects(session: orm.Session, *, after: str, limit: int) -> list[str]:
    """Return up to ``limit`` projects that have ever used something, beyond ``after``, in order."""
    query = sa.select(_USAGES.c.project_id).where(_USAGES.c.project_id > after).distinct()
    return list(session.scalars(query.order_by(_USAGES.c.project_id).limit(limit)))


def lock(session: orm.Session, project_id: str) -> None:
    """Let the transactions of a project that call this go one after the other."""
    row = {"project_id": project_id, "resource": domain.INSTANCES, "in_use": 0}
    upsert.insert_missing(session, _USAGES, [row])
    where = (_USAGES.c.project_id == project_id, _USAGES.c.resource == domain.INSTANCES)
    session.execute(sa.select(_USAGES.c.in_use).where(*where).with_for_update())


def consume(
    session: orm.Session,
    project_id: str,
    deltas: Mapping[str, int],
    defaults: Mapping[str, int],
    names: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Take ``deltas`` out of the project's quota; negative ones are given back and always fit.

    :param defaults: limits where the project has none of its own; what is not among them has none.
    :param names: what to call a resource in the refusal, where that is not its own name.
    :raises QuotaExceeded: naming every resource that does not fit. The resources that do fit have been counted by
        then, so the caller lets the error leave its transaction, which rolls everything back.
    """
    release(session, project_id, {resource: -delta for resource, delta in deltas.items() if delta < 0})
    wanted = {resource: delta for resource, delta in sorted(deltas.items()) if delta > 0}
    if not wanted:
        return
    allowed = limits(session, project_id, {**dict.fromkeys(wanted, domain.UNLIMITED), **defaults})
    # Looking first is not needed for correctness: it keeps the usual request from writing rows that exist.
    known = session.scalars(sa.select(_USAGES.c.resource).where(_USAGES.c.project_id == project_id)).all()
    missing = [{"project_id": project_id, "resource": r, "in_use": 0} for r in wanted if r not in known]
    if missing:
        upsert.insert_missing(session, _USAGES, missing)
    refused = {r: delta for r, delta in wanted.items() if not _take(session, project_id, r, delta, allowed[r])}
    if refused:
        raise exception.QuotaExceeded(_explain(session, project_id, refused, allowed, names))


def release(session: orm.Session, project_id: str, deltas: Mapping[str, int]) -> None:
    """Give ``deltas`` (positive) back; usage stops at zero, because a doubled release must not become a present."""
    for resource, delta in sorted(deltas.items()):
        # UPDATE quota_usages SET in_use = CASE WHEN in_use > :d THEN in_use - :d ELSE 0 END WHERE ...
        left = sa.case((_USAGES.c.in_use > delta, _USAGES.c.in_use - delta), else_=0)
        where = (_USAGES.c.project_id == project_id, _USAGES.c.resource == resource)
        session.execute(sa.update(_USAGES).where(*where).values(in_use=left))


def _take(session: orm.Session, project_id: str, resource: str, delta: int, limit: int) -> bool:
    values = {"project": project_id, "name": resource, "delta": delta}
    if limit == domain.UNLIMITED:
        return base.rows_matched(session, _TAKE, values) == 1
    return base.rows_matched(session, _TAKE_WITHIN, {**values, "most": limit}) == 1


def _explain(
    session: orm.Session,
    project_id: str,
    refused: Mapping[str, int],
    allowed: Mapping[str, int],
    names: Mapping[str, str],
) -> str:
    # FOR UPDATE reads what the refused UPDATE saw, not an older snapshot of this transaction.
    query = (
        sa.select(_USAGES.c.resource, _USAGES.c.in_use)
        .where(_USAGES.c.project_id == project_id, _USAGES.c.resource.in_(refused))
        .with_for_update()
    )
    in_use = dict(session.execute(query).all())  # type: ignore[arg-type]
    found = domain.excesses(allowed, in_use, refused)
    told = [dataclasses.replace(excess, resource=names.get(excess.resource, excess.resource)) for excess in found]
    return "Quota exceeded: " + "; ".join(map(str, told)) + "."
