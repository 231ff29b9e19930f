# SPDX-License-Identifier: Apache-2.0
"""Which modules are on which instance, and what their drivers said.

A row exists from the moment that a module is asked for, so that the module cannot go unnoticed while it is on its way,
until its driver has removed it. ``md5`` is that of the contents on the instance, or of those on their way to an
instance that has none yet.
"""

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import models
from trove.domain import instance_states, modules
from trove.objects import base, module
from trove.objects.instance import Instance
from trove.objects.module import Module
from trove.objects.scope import Scope

_TABLE = base.table_of(models.InstanceModule)
_INSTANCE = base.table_of(models.Instance)
_VERSION = base.table_of(models.DatastoreVersion)
_DATASTORE = base.table_of(models.Datastore)
_BEAT = base.table_of(models.Heartbeat)
_MODULE = Module.table()

#: A command can be carried out now; will never again.
_IDLE = (instance_states.ACTIVE, instance_states.RESTART_REQUIRED)
_OVER = (instance_states.ERROR, instance_states.SHUTDOWN)


class InstanceModuleRow(NamedTuple):
    """One module of one instance as it is shown; ``current_md5`` is that of the module's present contents."""

    id: str
    name: str
    type: str
    project_id: str | None
    auto_apply: bool
    visible: bool
    is_admin: bool
    priority_apply: bool
    apply_order: int
    current_md5: str
    md5: str
    status: str
    message: str | None
    created_at: datetime.datetime
    updated_at: datetime.datetime
    datastore_name: str | None
    version_name: str | None


class Usage(NamedTuple):
    """How many instances have one and the same contents of a module, and when they were given them."""

    md5: str
    instance_count: int
    min_updated_at: datetime.datetime
    max_updated_at: datetime.datetime


class Outdated(NamedTuple):
    """Instances that a module is to be applied to again.

    :ivar ready: ids of those whose guest can carry a command out now.
    :ivar busy: whether there are others that may be ready later.
    """

    ready: list[str]
    busy: bool


class ModuleReport(NamedTuple):
    """What a driver said of a module whose contents have ``md5``."""

    module_id: str
    md5: str
    status: str
    message: str | None


_OWN = ("md5", "status", "message", "created_at", "updated_at")
_OTHERS: dict[str, Any] = {
    "current_md5": _MODULE.c.md5,
    "datastore_name": _DATASTORE.c.name,
    "version_name": _VERSION.c.name,
}


def _column(name: str) -> Any:
    if name in _OTHERS:
        return _OTHERS[name].label(name)
    return _TABLE.c[name] if name in _OWN else _MODULE.c[name]


_SELECT: sa.Select[Any] = sa.select(*(_column(name) for name in InstanceModuleRow._fields)).select_from(
    _TABLE.join(_MODULE, _MODULE.c.id == _TABLE.c.module_id)
    .outerjoin(_VERSION, _VERSION.c.id == _MODULE.c.datastore_version_id)
    .outerjoin(_DATASTORE, _DATASTORE.c.id == _MODULE.c.datastore_id)
)


def list_rows(session: orm.Session, scope: Scope, instance_id: str) -> list[InstanceModuleRow]:
    """Return the modules of an instance that a caller may see, in the order in which they are applied."""
    query = module.seen(scope, _SELECT.where(_TABLE.c.instance_id == instance_id))
    return sorted((InstanceModuleRow._make(row) for row in session.execute(query)), key=_order)


def list_modules(session: orm.Session, instance_id: str) -> list[Module]:
    """Return the modules of an instance with their contents, in the order in which they are applied."""
    query = sa.select(_MODULE).join(_TABLE, _TABLE.c.module_id == _MODULE.c.id)
    query = query.where(_TABLE.c.instance_id == instance_id)
    return sorted((Module.from_row(row) for row in session.execute(query).mappings()), key=_order)


def exists(session: orm.Session, instance_id: str, module_id: str) -> bool:
    """Tell whether an instance has a module."""
    return session.execute(sa.select(_TABLE.c.module_id).where(*_is(instance_id, module_id))).first() is not None


def pending(session: orm.Session, instance_id: str) -> list[str]:
    """Return the ids of the modules of an instance that nobody has heard from."""
    query = sa.select(_TABLE.c.module_id).where(_TABLE.c.instance_id == instance_id, _TABLE.c.status == modules.PENDING)
    return list(session.scalars(query))


def begin(session: orm.Session, instance_id: str, wanted: Iterable[Module], now: datetime.datetime) -> None:
    """Note that modules, whose rows are locked, are on their way to an instance."""
    for item in wanted:
        where = _is(instance_id, item.id)
        values = {"status": modules.PENDING, "message": None, "updated_at": now}
        if not base.rows_matched(session, sa.update(_TABLE).where(*where).values(values)):
            link = {"instance_id": instance_id, "module_id": item.id, "md5": item.md5, "created_at": now}
            session.execute(sa.insert(_TABLE).values(**link, **values))


def record(session: orm.Session, instance_id: str, reports: Iterable[ModuleReport], now: datetime.datetime) -> None:
    """Write what drivers said; of a module that was taken away meanwhile nothing is kept."""
    for item in reports:
        values: dict[str, Any] = {"status": item.status, "message": base.clip(item.message, 255), "updated_at": now}
        if item.status == modules.OK:
            values["md5"] = item.md5
        session.execute(sa.update(_TABLE).where(*_is(instance_id, item.module_id)).values(values))


def failed(
    session: orm.Session, instance_id: str, module_ids: Sequence[str], message: str, now: datetime.datetime
) -> None:
    """Write why nobody has heard from the drivers of modules that are still on their way."""
    where = (
        _TABLE.c.instance_id == instance_id,
        _TABLE.c.module_id.in_(module_ids),
        _TABLE.c.status == modules.PENDING,
    )
    values = {"status": modules.ERROR, "message": base.clip(message, 255), "updated_at": now}
    session.execute(sa.update(_TABLE).where(*where).values(values))


def remove(session: orm.Session, instance_id: str, module_id: str) -> None:
    """Forget that an instance has a module."""
    session.execute(sa.delete(_TABLE).where(*_is(instance_id, module_id)))


def clear(session: orm.Session, instance_id: str) -> None:
    """Forget all modules of an instance."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.instance_id == instance_id))


def clear_module(session: orm.Session, module_id: str) -> list[str]:
    """Forget which instances have a module, and return their ids."""
    found = list(session.scalars(sa.select(_TABLE.c.instance_id).where(_TABLE.c.module_id == module_id)))
    session.execute(sa.delete(_TABLE).where(_TABLE.c.module_id == module_id))
    return sorted(found)


def count(session: orm.Session, module_id: str) -> int:
    """Return how many instances of any project have a module."""
    query = sa.select(sa.func.count(_TABLE.c.instance_id)).where(_TABLE.c.module_id == module_id)
    return int(session.execute(query).scalar_one())


def usage(session: orm.Session, scope: Scope, module_id: str) -> list[Usage]:
    """Return which contents of a module the instances that a caller may see have, the most recent ones first."""
    newest = sa.func.max(_TABLE.c.updated_at)
    columns = (_TABLE.c.md5, sa.func.count(_TABLE.c.instance_id), sa.func.min(_TABLE.c.updated_at), newest)
    query = _of_instances(scope, sa.select(*columns), module_id).group_by(_TABLE.c.md5)
    return [Usage._make(row) for row in session.execute(query.order_by(newest.desc(), _TABLE.c.md5))]


def outdated(
    session: orm.Session, scope: Scope, wanted: Module, until: datetime.datetime, only: Mapping[str, Any], *, limit: int
) -> Outdated:
    """Return the instances that a module is to be applied to again, and was not since ``until``; one query, however
    many there are.

    :param only: ``md5``: of the contents that they have, ``None`` for any; ``force``: also when these are the module's
        present ones.
    :param limit: how many of them to return at most.
    """
    idle = _INSTANCE.c.status.in_(_IDLE) & _BEAT.c.service_status.in_(instance_states.SERVICE_USABLE)
    ready = sa.case((idle, 1), else_=0).label("ready")
    query = _of_instances(scope, sa.select(_TABLE.c.instance_id, ready), wanted.id)
    query = query.outerjoin(_BEAT, _BEAT.c.instance_id == _INSTANCE.c.id)
    query = query.where(_TABLE.c.updated_at <= until, idle | _INSTANCE.c.status.not_in(_OVER))
    if only.get("md5"):
        query = query.where(_TABLE.c.md5 == only["md5"])
    if not only.get("force"):
        query = query.where(sa.or_(_TABLE.c.md5 != wanted.md5, _TABLE.c.status == modules.ERROR))
    # A busy one is found only when there is room behind those that are ready.
    found = session.execute(query.order_by(ready.desc(), _TABLE.c.instance_id).limit(limit)).all()
    return Outdated([row.instance_id for row in found if row.ready], any(not row.ready for row in found))


def holders(session: orm.Session, module_id: str, instance_ids: Collection[str]) -> list[Instance]:
    """Return those of the instances that have a module and are not deleted."""
    query = sa.select(_INSTANCE).join(_TABLE, _TABLE.c.instance_id == _INSTANCE.c.id)
    query = query.where(_TABLE.c.module_id == module_id, _INSTANCE.c.id.in_(instance_ids))
    query = query.where(_INSTANCE.c.deleted.is_(sa.false())).order_by(_INSTANCE.c.id)
    return [Instance.from_row(row) for row in session.execute(query).mappings()]


def _of_instances(scope: Scope, query: sa.Select[Any], module_id: str) -> sa.Select[Any]:
    joined = query.join_from(_TABLE, _INSTANCE, _INSTANCE.c.id == _TABLE.c.instance_id)
    joined = joined.where(_TABLE.c.module_id == module_id, _INSTANCE.c.deleted.is_(sa.false()))
    return scope.filter(joined, _INSTANCE.c.project_id)


def _order(item: InstanceModuleRow | Module) -> modules.Order:
    return modules.order(
        priority_apply=item.priority_apply, apply_order=item.apply_order, name=item.name, module_id=item.id
    )


def _is(instance_id: str, module_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (_TABLE.c.instance_id == instance_id, _TABLE.c.module_id == module_id)
