# SPDX-License-Identifier: Apache-2.0
"""The catalogue as its users meet it: which version does a request mean, and how entries get in.

Registration may be repeated at every start of a service: what exists is made equal, never doubled.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

import sqlalchemy as sa
from sqlalchemy import orm

from trove.common import ids
from trove.db import api
from trove.objects import base, errors, upsert
from trove.objects.datastore import Datastore, DatastoreVersion
from trove.objects.flavor import Flavor, register_flavor
from trove.objects.volume_type import VolumeType, register_volume_type

__all__ = [
    "Datastore",
    "DatastoreVersion",
    "Flavor",
    "VolumeType",
    "create_version",
    "ensure_datastore",
    "register_flavor",
    "register_version",
    "register_volume_type",
    "resolve_version",
]


class VersionDetails(TypedDict, total=False):
    """What may be said of a version beside its name; what is left out keeps its value, or gets these defaults when it
    is new: no image, no tags, no packages, no engine directory, no root image, active, and not the
    datastore's default."""

    image_id: str | None
    image_tags: Sequence[str]
    packages: str | None
    engine_home: str | None
    engine_missing_at: datetime.datetime | None
    root_image: str | None
    registry_ext: str | None
    repl_strategy: str | None
    active: bool
    default: bool


def resolve_version(
    session: orm.Session,
    type: str | None,
    version: str | None,
    version_number: str | None = None,
    default_datastore: str | None = None,
    *,
    allow_inactive: bool = False,
) -> DatastoreVersion:
    """Return the version that ``datastore = {type, version, version_number}`` of a request means.

    :param type: name or id of a datastore; ``default_datastore`` when missing.
    :param version: name or id of a version; the datastore's default when missing.
    :param version_number: tells versions of the same name apart.
    :raises DatastoreMissing: no datastore named and no default configured.
    :raises DatastoreNotFound: no such datastore.
    :raises VersionMissing: no version named and no default set.
    :raises VersionNotFound: an id that the datastore does not have.
    :raises VersionUnknown: a name that it does not have.
    :raises VersionAmbiguous: a name that it has several times.
    :raises VersionInactive: unless ``allow_inactive`` is set.
    """
    wanted = type or default_datastore
    if not wanted:
        raise errors.DatastoreMissing()
    datastore = Datastore.get_by_name_or_id(session, wanted)
    if version:
        found = DatastoreVersion.get_by_name_or_id(session, datastore, version, version_number)
    elif datastore.default_version_id:
        found = DatastoreVersion.get(session, datastore.default_version_id, datastore_id=datastore.id)
    else:
        raise errors.VersionMissing(datastore.name)
    if not found.active and not allow_inactive:
        raise errors.VersionInactive(datastore.name, found.name)
    return found


def register_version(
    session: orm.Session,
    *,
    datastore: str,
    name: str,
    version: str | None = None,
    manager: str,
    **details: Unpack[VersionDetails],
) -> DatastoreVersion:
    """Insert the version, or update the one with the same datastore, name and number; return it.

    :param datastore: name of the datastore, which is made when it is missing.
    :param version: version number; the name unless given.
    :param manager: name of the datastore plugin.
    """
    store = ensure_datastore(session, datastore)
    default = details.pop("default", False)
    new = _new_row(session, store, name, version, manager, details)
    written = {*details, "manager", "updated_at"}
    table = DatastoreVersion.table()
    same = [table.c[column] == new[column] for column in _KEY]
    upsert.insert_missing(session, table, [new], _KEY)
    # One that was deleted comes back as if it were new.
    session.execute(sa.update(table).where(*same, table.c.deleted_at.is_not(None)).values(_revived(new)))
    session.execute(sa.update(table).where(*same).values({column: new[column] for column in written}))
    return _registered(session, store, new, default)


def create_version(
    session: orm.Session,
    *,
    datastore: str,
    name: str,
    version: str | None = None,
    manager: str,
    **details: Unpack[VersionDetails],
) -> DatastoreVersion:
    """Insert a version that does not exist yet, and its datastore when that is missing; return the version.

    The parameters are those of :func:`register_version`.

    :raises VersionExists: when the datastore has a version of this name and number.
    """
    store = ensure_datastore(session, datastore)
    default = details.pop("default", False)
    new = _new_row(session, store, name, version, manager, details)
    table = DatastoreVersion.table()
    same = [table.c[column] == new[column] for column in _KEY]
    # Inserted as one that was deleted: whether it is new, or deleted and comes back, exactly one of several who do this
    # at the same time brings it to life.
    upsert.insert_missing(session, table, [{**new, "deleted_at": api.now(session)}], _KEY)
    statement = sa.update(table).where(*same, table.c.deleted_at.is_not(None)).values(_revived(new))
    if base.rows_matched(session, statement) != 1:
        raise errors.VersionExists(store.name, name, new["version"])
    return _registered(session, store, new, default)


def ensure_datastore(session: orm.Session, name: str) -> Datastore:
    """Return the datastore ``name``, made when it is missing, and keep it from being deleted until the transaction
    ends."""
    now = api.now(session)
    table = Datastore.table()
    new = {
        "id": ids.new_id(), "name": name, "default_version_id": None, "created_at": now, "updated_at": now,
        "deleted_at": None,
    }  # fmt: skip
    held = sa.select(table.c.id).where(table.c.name == name).with_for_update()
    upsert.insert_missing(session, table, [new], ["name"])
    if session.execute(held).one_or_none() is None:  # deleted by somebody since the line above found it there
        upsert.insert_missing(session, table, [new], ["name"])
    session.execute(
        sa.update(table).where(table.c.name == name, table.c.deleted_at.is_not(None)).values(deleted_at=None)
    )
    return Datastore.get_by_name_or_id(session, name)


_KEY = ("datastore_id", "name", "version")


def _new_row(
    session: orm.Session,
    store: Datastore,
    name: str,
    version: str | None,
    manager: str,
    details: Mapping[str, Any],
) -> dict[str, Any]:
    now = api.now(session)
    row = {
        "id": ids.new_id(),
        "datastore_id": store.id,
        "name": name,
        "version": version or name,
        "active": True,
        "image_id": None,
        "image_tags": [],
        "packages": None,
        "engine_home": None,
        "engine_missing_at": None,
        "root_image": None,
        "registry_ext": None,
        "repl_strategy": None,
        "created_at": now,
        **details,
        "manager": manager,
        "updated_at": now,
        "deleted_at": None,
    }
    return {**row, "image_tags": list(row["image_tags"])}


def _revived(new: Mapping[str, Any]) -> dict[str, Any]:
    # Deleted instances know it by its id.
    return {column: value for column, value in new.items() if column != "id"}


def _registered(session: orm.Session, store: Datastore, new: Mapping[str, Any], default: bool) -> DatastoreVersion:
    found = DatastoreVersion.get_by_name_or_id(session, store, new["name"], new["version"])
    if default and not found.is_default:
        store.set_default(session, found.id)
        found = DatastoreVersion.get(session, found.id)
    return found
