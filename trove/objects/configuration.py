# SPDX-License-Identifier: Apache-2.0
"""Configuration groups: the rows, what they were before, and which instances run with them.

Whoever changes, deletes or attaches a group locks its row first (``for_update``), so that no instance is attached to a
group that goes, and none misses a change. Whether values are good ones, and how instances get them, is left to others.
"""

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from oslo_versionedobjects import base as ovo_base
from oslo_versionedobjects import fields
from sqlalchemy import orm

from trove.common import exception, ids
from trove.db import api, models
from trove.objects import base, errors, retention
from trove.objects.instance import Instance
from trove.objects.scope import Scope


@ovo_base.VersionedObjectRegistry.register
class Configuration(base.TroveObject):
    """One group. See :class:`trove.db.models.Configuration` for the columns."""

    # Version 1.0: Initial version
    VERSION = "1.0"

    model = models.Configuration

    fields = {
        "id": fields.UUIDField(),
        "project_id": fields.StringField(),
        "name": fields.StringField(),
        "description": fields.StringField(nullable=True),
        "datastore_version_id": fields.UUIDField(),
        "values": base.JSONField(),
        "revision": fields.IntegerField(),
        "created_at": base.Moment(),
        "updated_at": base.Moment(),
    }

    @classmethod
    def get(
        cls, session: orm.Session, scope: Scope, configuration_id: str, *, for_update: bool = False
    ) -> "Configuration":
        """Return one group.

        :param for_update: lock the row until the transaction ends.
        :raises ConfigurationNotFound: also when it belongs to another project.
        """
        table = cls.table()
        query = scope.filter(sa.select(table).where(table.c.id == configuration_id.lower()), table.c.project_id)
        row = session.execute(query.with_for_update() if for_update else query).mappings().one_or_none()
        if row is None:
            raise errors.ConfigurationNotFound(configuration_id)
        return cls.from_row(row)

    def create(self, session: orm.Session, user_id: str | None) -> None:
        """Insert the group and the first entry of its history.

        :param user_id: who made it.
        """
        now = api.now(session)
        self.insert(session, id=ids.new_id(), revision=1, created_at=now, updated_at=now)
        self._remember(session, user_id, now)

    def change(self, session: orm.Session, changes: Mapping[str, Any], user_id: str | None) -> bool:
        """Set ``name``, ``description`` and ``values``, as far as ``changes`` has them.

        :returns: whether the values are others than before; then there is a new revision.
        :raises StaleObject: when somebody else has changed the group since it was read.
        """
        now = api.now(session)
        changed = "values" in changes and changes["values"] != self.values
        seen = self.revision
        self.assign({**changes, "revision": seen + 1 if changed else seen, "updated_at": now})
        table = self.table()
        statement = sa.update(table).where(table.c.id == self.id, table.c.revision == seen)
        if base.rows_matched(session, statement.values(self.changed_columns())) != 1:
            raise exception.StaleObject(f"Configuration group {self.id} was changed by another request; repeat it.")
        self.obj_reset_changes()
        if changed:
            self._remember(session, user_id, now)
        return changed

    def delete(self, session: orm.Session) -> None:
        """Delete the group and its history. The row must be locked.

        :raises ConfigurationInUse: while an instance has it.
        """
        if self.instances(session, limit=1):
            raise errors.ConfigurationInUse(self.id)
        session.execute(sa.delete(_HISTORY).where(_HISTORY.c.configuration_id == self.id))
        session.execute(sa.delete(self.table()).where(self.table().c.id == self.id))

    def instances(self, session: orm.Session, *, after: str = "", limit: int) -> list[Instance]:
        """Return up to ``limit`` instances that have this group, with an id above ``after``, ids ascending."""
        query = sa.select(_INSTANCE).where(_has(self.id), _INSTANCE.c.id > after).order_by(_INSTANCE.c.id).limit(limit)
        return [Instance.from_row(row) for row in session.execute(query).mappings()]

    def _remember(self, session: orm.Session, user_id: str | None, now: datetime.datetime) -> None:
        entry = {"configuration_id": self.id, "revision": self.revision, "values": self.values}
        session.execute(sa.insert(_HISTORY).values(**entry, user_id=user_id, created_at=now))


class ConfigurationRow(NamedTuple):
    """Everything a view needs of one group."""

    id: str
    project_id: str
    name: str
    description: str | None
    datastore_version_id: str
    values: dict[str, Any]
    created_at: datetime.datetime
    updated_at: datetime.datetime
    version_name: str
    version_number: str
    datastore_name: str
    instance_count: int


class Revision(NamedTuple):
    """The values of a group at one time, and who set them."""

    revision: int
    values: dict[str, Any]
    user_id: str | None
    created_at: datetime.datetime


_TABLE = Configuration.table()
_HISTORY = base.table_of(models.ConfigurationHistory)
_INSTANCE = base.table_of(models.Instance)
_VERSION = base.table_of(models.DatastoreVersion)
_DATASTORE = base.table_of(models.Datastore)


def _has(configuration_id: Any) -> sa.ColumnElement[bool]:
    return sa.and_(_INSTANCE.c.configuration_id == configuration_id, _INSTANCE.c.deleted.is_(sa.false()))


_COUNT = sa.select(sa.func.count(_INSTANCE.c.id)).where(_has(_TABLE.c.id)).correlate(_TABLE).scalar_subquery()
_JOINED: dict[str, Any] = {
    "version_name": _VERSION.c.name,
    "version_number": _VERSION.c.version,
    "datastore_name": _DATASTORE.c.name,
    "instance_count": _COUNT,
}


def _select(groups: sa.FromClause) -> sa.Select[Any]:
    columns = (_JOINED[n].label(n) if n in _JOINED else _TABLE.c[n] for n in ConfigurationRow._fields)
    return sa.select(*columns).select_from(
        groups.join(_VERSION, _VERSION.c.id == _TABLE.c.datastore_version_id).join(
            _DATASTORE, _DATASTORE.c.id == _VERSION.c.datastore_id
        )
    )


_SELECT = _select(_TABLE)


def get_row(session: orm.Session, scope: Scope, configuration_id: str) -> ConfigurationRow:
    """Return one group as it is shown.

    :raises ConfigurationNotFound: also when it belongs to another project.
    """
    query = scope.filter(_SELECT.where(_TABLE.c.id == configuration_id.lower()), _TABLE.c.project_id)
    row = session.execute(query).one_or_none()
    if row is None:
        raise errors.ConfigurationNotFound(configuration_id)
    return ConfigurationRow._make(row)


def list_rows(session: orm.Session, scope: Scope, *, limit: int, marker: str | None = None) -> list[ConfigurationRow]:
    """Return up to ``limit`` groups with an id above ``marker``, ids ascending."""
    # The ids of the page first, as in trove.objects.instance_listing: not every group there is, joined and sorted.
    chosen = scope.filter(sa.select(_TABLE.c.id), _TABLE.c.project_id)
    if marker is not None:
        chosen = chosen.where(_TABLE.c.id > marker)
    page = chosen.order_by(_TABLE.c.id).limit(limit).subquery("page")
    query = _select(page.join(_TABLE, _TABLE.c.id == page.c.id)).order_by(_TABLE.c.id)
    return [ConfigurationRow._make(row) for row in session.execute(query)]


def list_instances(
    session: orm.Session, configuration_id: str, *, limit: int, marker: str | None = None
) -> list[tuple[str, str]]:
    """Return id and name of up to ``limit`` instances that have the group, ids ascending."""
    query = sa.select(_INSTANCE.c.id, _INSTANCE.c.name).where(_has(configuration_id))
    if marker is not None:
        query = query.where(_INSTANCE.c.id > marker)
    return [(row.id, row.name) for row in session.execute(query.order_by(_INSTANCE.c.id).limit(limit))]


def list_history(
    session: orm.Session, configuration_id: str, *, limit: int, before: int | None = None
) -> list[Revision]:
    """Return up to ``limit`` revisions lower than ``before``, newest first."""
    query = sa.select(*(_HISTORY.c[name] for name in Revision._fields))
    query = query.where(_HISTORY.c.configuration_id == configuration_id)
    if before is not None:
        query = query.where(_HISTORY.c.revision < before)
    return [Revision._make(row) for row in session.execute(query.order_by(_HISTORY.c.revision.desc()).limit(limit))]


def sweep_history(session: orm.Session, page: retention.Page) -> retention.Swept:
    """Remove former values that were set before ``page.before``; those that a group has now always stay."""
    keys = [_HISTORY.c.configuration_id, _HISTORY.c.revision]
    found, position = retention.old(session, _HISTORY.c.created_at, keys, page)
    if not found:
        return retention.Swept(0, 0, None)
    present = sa.select(_TABLE.c.id, _TABLE.c.revision).where(_TABLE.c.id.in_({row.configuration_id for row in found}))
    now = {row.id: row.revision for row in session.execute(present)}
    going = sorted((row[0], row[1]) for row in found if row.revision < now.get(row.configuration_id, 0))
    if going and not page.dry:
        # One by one: MariaDB would read the whole table for a list of pairs.
        one = sa.delete(_HISTORY).where(*(key == sa.bindparam(f"key_{key.name}") for key in keys))
        session.execute(one, [{"key_configuration_id": group, "key_revision": number} for group, number in going])
    return retention.Swept(len(found), len(going), position)


def values_of(session: orm.Session, configuration_id: str | None) -> dict[str, Any]:
    """Return the values that an instance with this group is to run with; none without a group, or when it is gone."""
    if configuration_id is None:
        return {}
    return session.execute(sa.select(_TABLE.c["values"]).where(_TABLE.c.id == configuration_id)).scalar() or {}
