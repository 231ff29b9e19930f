# SPDX-License-Identifier: Apache-2.0
"""Datastores and their versions. They belong to no project, so there is no scope here.

The rows of deleted instances are kept for accounting and refer to their version. A version that only they refer to can
be deleted: its row stays, hidden from every list and look-up, and comes to life again when the same version is
registered once more. One that nothing refers to is removed.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as db_exception
from oslo_versionedobjects import base as ovo_base
from oslo_versionedobjects import fields
from sqlalchemy import orm

from trove.common import ids
from trove.db import api, models
from trove.objects import base, errors

#: Users of a version that a refusal names, of each kind.
_NAMED_USERS = 5


@ovo_base.VersionedObjectRegistry.register
class Datastore(base.TroveObject):
    """An engine that can be ordered."""

    # Version 1.0: Initial version
    # Version 1.1: deleted_at
    VERSION = "1.1"

    model = models.Datastore

    fields = {
        "id": fields.UUIDField(),
        "name": fields.StringField(),
        "default_version_id": fields.UUIDField(nullable=True),
        "created_at": base.Moment(),
        "updated_at": base.Moment(),
        "deleted_at": base.Moment(nullable=True),
    }

    @classmethod
    def list(cls, session: orm.Session) -> "Sequence[Datastore]":
        """Return all datastores, ordered by name."""
        rows = session.execute(cls._select().order_by(cls.table().c.name)).mappings()
        return [cls.from_row(row) for row in rows]

    @classmethod
    def get_by_name_or_id(cls, session: orm.Session, name_or_id: str) -> "Datastore":
        """Return the datastore with this id or, if there is none, this name.

        :raises DatastoreNotFound: when neither exists.
        """
        table = cls.table()
        if ids.is_uuid(name_or_id):
            row = session.execute(cls._select().where(table.c.id == name_or_id.lower())).mappings().one_or_none()
            if row is not None:
                return cls.from_row(row)
        row = session.execute(cls._select().where(table.c.name == name_or_id)).mappings().one_or_none()
        if row is None:
            raise errors.DatastoreNotFound(name_or_id)
        return cls.from_row(row)

    def set_default(self, session: orm.Session, version_id: str | None) -> None:
        """Make a version the one that is used when a request names none; ``None`` leaves the datastore without."""
        table = self.table()
        values = {"default_version_id": version_id, "updated_at": api.now(session)}
        session.execute(sa.update(table).where(table.c.id == self.id).values(values))
        self.default_version_id = version_id
        self.obj_reset_changes()

    def delete(self, session: orm.Session) -> None:
        """Delete a datastore that has no versions.

        :raises DatastoreInUse: when it has, or a module is meant for it.
        """
        table, versions = self.table(), DatastoreVersion.table()
        _lock(session, table, self.id)
        rows = session.execute(
            sa.select(versions.c.deleted_at).where(versions.c.datastore_id == self.id).with_for_update(read=True)
        ).all()
        live = [row for row in rows if row.deleted_at is None]
        modules = _users(session, base.table_of(models.Module), "datastore_id", self.id, "module")
        if live or modules:
            raise errors.DatastoreInUse(self.name, modules)
        _remove(session, table, self.id, keep=bool(rows))

    @classmethod
    def _select(cls) -> sa.Select[Any]:
        return sa.select(cls.table()).where(cls.table().c.deleted_at.is_(None))


@ovo_base.VersionedObjectRegistry.register
class DatastoreVersion(base.TroveObject):
    """One version of a datastore, with the datastore's name and whether it is the default joined in."""

    # Version 1.0: Initial version
    # Version 1.1: registry_ext, repl_strategy, deleted_at, engine_missing_at
    VERSION = "1.1"

    model = models.DatastoreVersion
    joined = frozenset({"datastore_name", "is_default"})

    fields = {
        "id": fields.UUIDField(),
        "datastore_id": fields.UUIDField(),
        "name": fields.StringField(),
        "version": fields.StringField(),
        "manager": fields.StringField(),
        "active": fields.BooleanField(),
        "image_id": fields.UUIDField(nullable=True),
        "image_tags": base.JSONField(),
        "packages": fields.StringField(nullable=True),
        "engine_home": fields.StringField(nullable=True),
        "engine_missing_at": base.Moment(nullable=True),
        "root_image": fields.StringField(nullable=True),
        "registry_ext": fields.StringField(nullable=True),
        "repl_strategy": fields.StringField(nullable=True),
        "created_at": base.Moment(),
        "updated_at": base.Moment(),
        "deleted_at": base.Moment(nullable=True),
        "datastore_name": fields.StringField(),
        "is_default": fields.BooleanField(),
    }

    @classmethod
    def list(
        cls, session: orm.Session, *, datastore_id: str | None = None, active_only: bool = False
    ) -> "Sequence[DatastoreVersion]":
        """Return versions ordered by datastore, name and number; of one datastore, or of all."""
        table = cls.table()
        query = cls._select().where(table.c.deleted_at.is_(None))
        if datastore_id is not None:
            query = query.where(table.c.datastore_id == datastore_id)
        if active_only:
            query = query.where(table.c.active.is_(sa.true()))
        return cls._fetch(session, query)

    @classmethod
    def get(
        cls, session: orm.Session, version_id: str, *, datastore_id: str | None = None, include_deleted: bool = False
    ) -> "DatastoreVersion":
        """Return the version with this id, active or not.

        :param include_deleted: one that only deleted instances refer to as well.
        :raises VersionNotFound: when there is none (in that datastore).
        """
        table = cls.table()
        query = cls._select().where(table.c.id == version_id.lower())
        if datastore_id is not None:
            query = query.where(table.c.datastore_id == datastore_id)
        if not include_deleted:
            query = query.where(table.c.deleted_at.is_(None))
        found = cls._fetch(session, query)
        if not found:
            raise errors.VersionNotFound(version_id)
        return found[0]

    @classmethod
    def get_by_name_or_id(
        cls, session: orm.Session, datastore: Datastore, name_or_id: str, number: str | None = None
    ) -> "DatastoreVersion":
        """Return one version of ``datastore``, active or not.

        :param number: version number, needed when several versions have the same name.
        :raises VersionNotFound: for an id that the datastore does not have.
        :raises VersionUnknown: for such a name.
        :raises VersionAmbiguous: when several versions have the name.
        """
        if ids.is_uuid(name_or_id):
            return cls.get(session, name_or_id, datastore_id=datastore.id)
        table = cls.table()
        query = cls._select().where(
            table.c.datastore_id == datastore.id, table.c.name == name_or_id, table.c.deleted_at.is_(None)
        )
        found = cls._fetch(session, query if number is None else query.where(table.c.version == number))
        if not found:
            raise errors.VersionUnknown(datastore.name, name_or_id)
        if len(found) > 1:
            raise errors.VersionAmbiguous(datastore.name, name_or_id)
        return found[0]

    def hold(self, session: orm.Session) -> None:
        """Keep the version from being deleted until the transaction ends: something that refers to it is being stored.

        :raises VersionNotFound: when it was deleted meanwhile.
        """
        table = self.table()
        query = sa.select(table.c.id).where(table.c.id == self.id, table.c.deleted_at.is_(None))
        if session.execute(query.with_for_update(read=True)).one_or_none() is None:
            raise errors.VersionNotFound(self.id)

    def save(self, session: orm.Session) -> None:  # type: ignore[override]
        """Write the columns assigned since the last read. Only administrators change the catalogue; the last one wins.

        :raises VersionNotFound: when it was deleted meanwhile.
        :raises VersionExists: when the datastore has another version of this name and number; the transaction is over.
        """
        changes = self.changed_columns()
        if not changes:
            return
        changes["updated_at"] = api.now(session)
        table = self.table()
        statement = sa.update(table).where(table.c.id == self.id, table.c.deleted_at.is_(None)).values(changes)
        try:
            if base.rows_matched(session, statement) != 1:
                raise errors.VersionNotFound(self.id)
        except db_exception.DBDuplicateEntry as err:
            raise errors.VersionExists(self.datastore_name, self.name, self.version) from err
        self.updated_at = changes["updated_at"]
        self.obj_reset_changes()

    def count_instances(self, session: orm.Session, project_id: str | None = None) -> int:
        """Return how many instances of this version exist, all or those of one project."""
        instances = base.table_of(models.Instance)
        query = sa.select(sa.func.count()).select_from(instances)
        query = query.where(instances.c.datastore_version_id == self.id, instances.c.deleted_at.is_(None))
        if project_id is not None:
            query = query.where(instances.c.project_id == project_id)
        return int(session.execute(query).scalar_one())

    def delete(self, session: orm.Session) -> None:
        """Delete the version with what belongs to it alone; the datastore loses its default when it was this one.

        :raises VersionInUse: naming the instances, configuration groups and modules that use it.
        """
        table = self.table()
        _lock(session, table, self.id)
        instances = base.table_of(models.Instance)
        living = instances.c.deleted.is_(sa.false())
        users = [
            *_users(session, instances, "datastore_version_id", self.id, "instance", living),
            *_users(
                session, base.table_of(models.Configuration), "datastore_version_id", self.id, "configuration group"
            ),
            *_users(session, base.table_of(models.Module), "datastore_version_id", self.id, "module"),
        ]
        if users:
            raise errors.VersionInUse(self.name, users)
        for model in (models.VersionAssociation, models.ParameterRule):
            session.execute(sa.delete(model).where(model.datastore_version_id == self.id))
        stores = Datastore.table()
        session.execute(sa.update(stores).where(stores.c.default_version_id == self.id).values(default_version_id=None))
        remembered = _users(session, instances, "datastore_version_id", self.id, "instance")
        _remove(session, table, self.id, keep=bool(remembered))

    @classmethod
    def _select(cls) -> sa.Select[Any]:
        table, stores = cls.table(), Datastore.table()
        is_default = sa.func.coalesce(stores.c.default_version_id == table.c.id, sa.false()).label("is_default")
        query = sa.select(table, stores.c.name.label("datastore_name"), is_default)
        return query.join_from(table, stores, stores.c.id == table.c.datastore_id)

    @classmethod
    def _fetch(cls, session: orm.Session, query: sa.Select[Any]) -> "Sequence[DatastoreVersion]":
        table = cls.table()
        ordered = query.order_by(Datastore.table().c.name, table.c.name, table.c.version)
        return [cls.from_row(row) for row in session.execute(ordered).mappings()]


def _lock(session: orm.Session, table: sa.Table, key: str) -> None:
    # Whoever stores something that refers to the row holds it (see hold()), and so do foreign keys.
    session.execute(sa.select(table.c.id).where(table.c.id == key).with_for_update())


def _users(
    session: orm.Session, table: sa.Table, column: str, key: str, what: str, *conditions: Any
) -> "Sequence[str]":
    # A locking read: on MySQL a plain one would not see what was committed after this transaction's first.
    query = (
        sa.select(table.c.id).where(table.c[column] == key, *conditions).order_by(table.c.id).limit(_NAMED_USERS + 1)
    )
    found = list(session.scalars(query.with_for_update(read=True)))
    shown = [f"{what} {found_id}" for found_id in found[:_NAMED_USERS]]
    return [*shown, f"more {what}s"] if len(found) > _NAMED_USERS else shown


def _remove(session: orm.Session, table: sa.Table, key: str, *, keep: bool) -> None:
    if keep:
        session.execute(sa.update(table).where(table.c.id == key).values(deleted_at=api.now(session)))
    else:
        session.execute(sa.delete(table).where(table.c.id == key))
