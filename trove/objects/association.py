# SPDX-License-Identifier: Apache-2.0
"""Which flavors and volume types a datastore version is restricted to. A version without any of a kind may use all of
that kind.

A value is the id of a flavor or volume type. It is not a foreign key: what the compute or volume service has removed
stays associated until an operator takes it away, and allows nothing.
"""

import enum
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import models
from trove.objects import base, errors, upsert
from trove.objects.datastore import DatastoreVersion
from trove.objects.flavor import Flavor
from trove.objects.volume_type import VolumeType

_TABLE = base.table_of(models.VersionAssociation)


class Kind(enum.Enum):
    """What a version can be restricted to; the value stands in the row."""

    FLAVOR = "flavor"
    VOLUME_TYPE = "volume_type"


def values(session: orm.Session, version_id: str, kind: Kind) -> list[str]:
    """Return the ids that a version is restricted to, sorted; empty when it is not restricted."""
    query = sa.select(_TABLE.c.value).where(_TABLE.c.datastore_version_id == version_id, _TABLE.c.kind == kind.value)
    return sorted(session.scalars(query))


def add(session: orm.Session, version: DatastoreVersion, kind: Kind, ids: Iterable[str]) -> None:
    """Restrict a version to ``ids`` as well as to those it has already. Repeating it changes nothing."""
    version.hold(session)
    rows = [{"datastore_version_id": version.id, "kind": kind.value, "value": value} for value in sorted(set(ids))]
    upsert.insert_missing(session, _TABLE, rows)


def remove(session: orm.Session, version: DatastoreVersion, kind: Kind, ids: Iterable[str]) -> None:
    """Take ``ids`` from what a version is restricted to; those it does not have are passed over. Without the last one
    it may use all."""
    session.execute(
        sa.delete(_TABLE).where(
            _TABLE.c.datastore_version_id == version.id,
            _TABLE.c.kind == kind.value,
            _TABLE.c.value.in_(sorted(set(ids))),
        )
    )


def flavors(session: orm.Session, version: DatastoreVersion) -> Sequence[Flavor]:
    """Return the flavors that instances of ``version`` may have, smallest first."""
    allowed = values(session, version.id, Kind.FLAVOR)
    return [flavor for flavor in Flavor.list(session) if not allowed or flavor.id in allowed]


def volume_types(session: orm.Session, version: DatastoreVersion, *, private: bool) -> Sequence[VolumeType]:
    """Return the volume types that instances of ``version`` may have, ordered by name.

    :param private: those that are not public as well. One that the version is restricted to is always among them: an
        operator wanted it to be used.
    """
    allowed = values(session, version.id, Kind.VOLUME_TYPE)
    rows = VolumeType.list(session)
    return [row for row in rows if (row.id in allowed if allowed else private or row.is_public)]


def check_flavor(session: orm.Session, version: DatastoreVersion, flavor_id: str) -> None:
    """Check that an instance of ``version`` may have a flavor.

    :raises FlavorNotAllowed: naming those it may have.
    """
    allowed = values(session, version.id, Kind.FLAVOR)
    if allowed and flavor_id not in allowed:
        raise errors.FlavorNotAllowed(flavor_id, version.name, allowed)


def choose_volume_type(
    session: orm.Session, version: DatastoreVersion, wanted: str | None, default: str | None, *, private: bool
) -> str | None:
    """Return the name of the volume type for a new instance of ``version``; ``None`` leaves it to the provider.

    :param wanted: id or name that the request gives, if any.
    :param default: id or name that the operator has configured for requests that give none, if any.
    :param private: whether the caller may use a type that is not public and not associated with the version.
    :raises VolumeTypeUnknown: when there is no such type.
    :raises VolumeTypeNotAllowed: when the version is restricted to others, or to several and none was given.
    """
    allowed = values(session, version.id, Kind.VOLUME_TYPE)
    given = wanted or default
    if given is None:
        if not allowed:
            return None
        usable = volume_types(session, version, private=private)
        if len(usable) != 1:
            raise errors.VolumeTypeNotAllowed(None, version.name, [row.name for row in usable])
        return str(usable[0].name)
    try:
        found = VolumeType.get_by_name_or_id(session, given)
    except errors.VolumeTypeNotFound as err:
        raise errors.VolumeTypeUnknown(given) from err
    if allowed and found.id not in allowed:
        usable = volume_types(session, version, private=private)
        raise errors.VolumeTypeNotAllowed(found.name, version.name, [row.name for row in usable])
    if not (allowed or found.is_public or private):
        raise errors.VolumeTypeUnknown(given)
    return str(found.name)
