# SPDX-License-Identifier: Apache-2.0
"""The catalogue as its users meet it: which version does a request mean, and how entries get in.

Registration may be repeated at every start of a service: what exists is made equal, never doubled.
"""

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

import sqlalchemy as sa
from sqlalchemy import orm

from trove.common import clock, ids
from trove.objects import errors, upsert
from trove.objects.datastore import Datastore, DatastoreVersion
from trove.objects.flavor import Flavor, register_flavor

__all__ = ["Datastore", "DatastoreVersion", "Flavor", "register_flavor", "register_version", "resolve_version"]


class VersionDetails(TypedDict, total=False):
    """What may be said of a version beside its name; what is left out keeps its value, or gets these defaults when it
    is new: no image, no tags, no packages, no engine directory, no root image, active, and not the
    datastore's default."""

    image_id: str | None
    image_tags: Sequence[str]
    packages: str | None
    engine_home: str | None
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
    store = _ensure_datastore(session, datastore)
    now = clock.utcnow()
    default = details.pop("default", False)
    changes: dict[str, Any] = {**details, "manager": manager, "updated_at": now}
    if "image_tags" in changes:
        changes["image_tags"] = list(changes["image_tags"])
    new = {
        "id": ids.new_id(),
        "datastore_id": store.id,
        "name": name,
        "version": version or name,
        "active": True,
        "image_id": None,
        "image_tags": [],
        "packages": None,
        "engine_home": None,
        "root_image": None,
        "registry_ext": None,
        "repl_strategy": None,
        "created_at": now,
        **changes,
    }
    table = DatastoreVersion.table()
    key = ("datastore_id", "name", "version")
    upsert.insert_missing(session, table, [new], key)
    session.execute(sa.update(table).where(*(table.c[column] == new[column] for column in key)).values(changes))
    found = DatastoreVersion.get_by_name_or_id(session, store, name, new["version"])
    if default and not found.is_default:
        store.set_default(session, found.id)
        found = DatastoreVersion.get(session, found.id)
    return found


def _ensure_datastore(session: orm.Session, name: str) -> Datastore:
    now = clock.utcnow()
    new = {"id": ids.new_id(), "name": name, "default_version_id": None, "created_at": now, "updated_at": now}
    upsert.insert_missing(session, Datastore.table(), [new], ["name"])
    return Datastore.get_by_name_or_id(session, name)
