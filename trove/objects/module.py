# SPDX-License-Identifier: Apache-2.0
"""Modules: the rows, and who sees them.

A module belongs to one project or to all of them, and is for one datastore version, for all of a datastore, or for all.
Administrators see every module; others those of their project and of all projects, unless they are hidden. Whoever
changes, deletes or applies one locks its row first (``for_update``).
"""

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from oslo_db import exception as db_exception
from oslo_versionedobjects import base as ovo_base
from oslo_versionedobjects import fields
from sqlalchemy import orm

from trove.common import exception, ids
from trove.db import api, models
from trove.objects import base, errors
from trove.objects.scope import Scope

S = TypeVar("S", bound=sa.Select[Any])

#: What a module is known by: no other has the same of all.
_IDENTITY = ("name", "type", "project_id", "datastore_id", "datastore_version_id")


@ovo_base.VersionedObjectRegistry.register
class Module(base.TroveObject):
    """One module. See :class:`trove.db.models.Module` for the columns; ``contents`` may be a licence."""

    # Version 1.0: Initial version
    VERSION = "1.0"

    model = models.Module

    fields = {
        "id": fields.UUIDField(),
        "name": fields.StringField(),
        "type": fields.StringField(),
        "description": fields.StringField(nullable=True),
        "contents": base.JSONField(),
        "md5": fields.StringField(),
        "project_id": fields.StringField(nullable=True),
        "datastore_id": fields.UUIDField(nullable=True),
        "datastore_version_id": fields.UUIDField(nullable=True),
        "auto_apply": fields.BooleanField(),
        "visible": fields.BooleanField(),
        "live_update": fields.BooleanField(),
        "priority_apply": fields.BooleanField(),
        "apply_order": fields.IntegerField(),
        "is_admin": fields.BooleanField(),
        "identity": fields.StringField(),
        "revision": fields.IntegerField(),
        "created_at": base.Moment(),
        "updated_at": base.Moment(),
    }

    @classmethod
    def get(cls, session: orm.Session, scope: Scope, module_id: str, *, for_update: bool = False) -> "Module":
        """Return one module.

        :param for_update: lock the row until the transaction ends.
        :raises ModuleNotFound: also when it is not for the caller's eyes.
        """
        query = seen(scope, sa.select(cls.table()).where(cls.table().c.id == module_id.lower()))
        row = session.execute(query.with_for_update() if for_update else query).mappings().one_or_none()
        if row is None:
            raise errors.ModuleNotFound(module_id)
        return cls.from_row(row)

    @property
    def text(self) -> str:
        """The contents."""
        return str(self.contents["contents"])

    def create(self, session: orm.Session, text: str) -> None:
        """Insert the module with its contents.

        :raises ModuleExists: when there is one of the same name, type, project, datastore and version.
        """
        now = api.now(session)
        self.assign({**_of_text(text), "id": ids.new_id(), "revision": 1, "created_at": now, "updated_at": now})
        self._refuse_twin(session)
        try:
            self.insert(session, identity=self._identity())
        except db_exception.DBDuplicateEntry as err:
            # Somebody was faster; the repeated transaction sees whom.
            raise exception.StaleObject from err

    def change(self, session: orm.Session, changes: Mapping[str, Any], text: str | None = None) -> None:
        """Set columns, and the contents unless ``text`` is ``None``. The row must be locked.

        :raises ModuleExists: as :meth:`create`.
        """
        self.assign({**changes, **({} if text is None else _of_text(text))})
        self.assign({"identity": self._identity(), "revision": self.revision + 1, "updated_at": api.now(session)})
        self._refuse_twin(session)
        table = self.table()
        try:
            session.execute(sa.update(table).where(table.c.id == self.id).values(self.changed_columns()))
        except db_exception.DBDuplicateEntry as err:
            raise exception.StaleObject from err
        self.obj_reset_changes()

    def delete(self, session: orm.Session) -> None:
        """Delete the module, which is on no instance any more. The row must be locked."""
        session.execute(sa.delete(self.table()).where(self.table().c.id == self.id))

    def _identity(self) -> str:
        known = [getattr(self, name) for name in _IDENTITY]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()

    def _refuse_twin(self, session: orm.Session) -> None:
        table = self.table()
        twin = sa.select(table.c.id).where(table.c.identity == self._identity(), table.c.id != self.id)
        if session.execute(twin).first() is not None:
            raise errors.ModuleExists(self.name, self.type)


class ModuleRow(NamedTuple):
    """Everything a view needs of one module; its contents are not among it."""

    id: str
    name: str
    type: str
    description: str | None
    project_id: str | None
    datastore_id: str | None
    datastore_version_id: str | None
    auto_apply: bool
    visible: bool
    live_update: bool
    priority_apply: bool
    apply_order: int
    is_admin: bool
    md5: str
    created_at: datetime.datetime
    updated_at: datetime.datetime
    datastore_name: str | None
    version_name: str | None
    instance_count: int


_TABLE = Module.table()
_LINK = base.table_of(models.InstanceModule)
_INSTANCE = base.table_of(models.Instance)
_VERSION = base.table_of(models.DatastoreVersion)
_DATASTORE = base.table_of(models.Datastore)

_COUNT = (
    sa.select(sa.func.count(_LINK.c.instance_id))
    .select_from(_LINK.join(_INSTANCE, _INSTANCE.c.id == _LINK.c.instance_id))
    .where(_LINK.c.module_id == _TABLE.c.id, _INSTANCE.c.deleted.is_(sa.false()))
    .correlate(_TABLE)
    .scalar_subquery()
)
_JOINED: dict[str, Any] = {
    "datastore_name": _DATASTORE.c.name,
    "version_name": _VERSION.c.name,
    "instance_count": _COUNT,
}
_SELECT: sa.Select[Any] = sa.select(
    *(_JOINED[n].label(n) if n in _JOINED else _TABLE.c[n] for n in ModuleRow._fields)
).select_from(
    _TABLE.outerjoin(_VERSION, _VERSION.c.id == _TABLE.c.datastore_version_id).outerjoin(
        _DATASTORE, _DATASTORE.c.id == _TABLE.c.datastore_id
    )
)


def seen(scope: Scope, query: S) -> S:
    """Return ``query``, which selects from the modules, restricted to those that a caller may see."""
    if scope.project_id is None:
        return query
    mine = sa.or_(_TABLE.c.project_id == scope.project_id, _TABLE.c.project_id.is_(None))
    return query.where(mine, _TABLE.c.visible.is_(sa.true()))


def get_row(session: orm.Session, scope: Scope, module_id: str) -> ModuleRow:
    """Return one module as it is shown.

    :raises ModuleNotFound: also when it is not for the caller's eyes.
    """
    row = session.execute(seen(scope, _SELECT.where(_TABLE.c.id == module_id.lower()))).one_or_none()
    if row is None:
        raise errors.ModuleNotFound(module_id)
    return ModuleRow._make(row)


def list_rows(
    session: orm.Session, scope: Scope, *, datastore_id: str | None = None, for_all: bool = False
) -> list[ModuleRow]:
    """Return the modules that a caller may see, by name.

    :param datastore_id: only those for this datastore.
    :param for_all: only those for all datastores.
    """
    query = seen(scope, _SELECT).order_by(_TABLE.c.name, _TABLE.c.id)
    if for_all:
        query = query.where(_TABLE.c.datastore_id.is_(None))
    elif datastore_id is not None:
        query = query.where(_TABLE.c.datastore_id == datastore_id)
    return [ModuleRow._make(row) for row in session.execute(query)]


def automatic(session: orm.Session, project_id: str, datastore_id: str, version_id: str) -> Sequence[Module]:
    """Return the modules that every new instance of a project and version gets, hidden ones too.

    They are kept from being changed until the transaction ends, and not from being given to other instances.
    """
    query = (
        sa.select(_TABLE)
        .where(_TABLE.c.auto_apply.is_(sa.true()), _none_or(_TABLE.c.project_id, project_id))
        .where(_none_or(_TABLE.c.datastore_id, datastore_id), _none_or(_TABLE.c.datastore_version_id, version_id))
        .order_by(_TABLE.c.id)
        .with_for_update(read=True)
    )
    return [Module.from_row(row) for row in session.execute(query).mappings()]


def _none_or(column: sa.Column[Any], value: str) -> sa.ColumnElement[bool]:
    return sa.or_(column.is_(None), column == value)


def _of_text(text: str) -> dict[str, Any]:
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return {"contents": {"contents": text}, "md5": digest}
