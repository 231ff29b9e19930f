# SPDX-License-Identifier: Apache-2.0
"""Volume types: what reads know of the volume service's, so that no read has to ask it."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict, Unpack

import sqlalchemy as sa
from oslo_versionedobjects import base as ovo_base
from oslo_versionedobjects import fields
from sqlalchemy import orm

from trove.db import api, models
from trove.objects import base, errors, upsert


class VolumeTypeFields(TypedDict):
    """What describes a volume type; it is public and has no description unless said otherwise."""

    id: str
    name: str
    is_public: NotRequired[bool]
    description: NotRequired[str | None]


@ovo_base.VersionedObjectRegistry.register
class VolumeType(base.TroveObject):
    """What is known of a type of the volume service."""

    # Version 1.0: Initial version
    VERSION = "1.0"

    model = models.VolumeType

    fields = {
        "id": fields.StringField(),
        "name": fields.StringField(),
        "is_public": fields.BooleanField(),
        "description": fields.StringField(nullable=True),
        "created_at": base.Moment(),
        "updated_at": base.Moment(),
    }

    @classmethod
    def list(cls, session: orm.Session) -> "Sequence[VolumeType]":
        """Return all volume types, ordered by name."""
        table = cls.table()
        query = sa.select(table).order_by(table.c.name, table.c.id)
        return [cls.from_row(row) for row in session.execute(query).mappings()]

    @classmethod
    def get_by_name_or_id(cls, session: orm.Session, name_or_id: str) -> "VolumeType":
        """Return the volume type with this id or, if there is none, this name; the volume service takes either.

        :raises VolumeTypeNotFound: when neither exists.
        """
        table = cls.table()
        query = sa.select(table).where(sa.or_(table.c.id == name_or_id, table.c.name == name_or_id))
        found = [cls.from_row(row) for row in session.execute(query.order_by(table.c.id)).mappings()]
        if not found:
            raise errors.VolumeTypeNotFound(name_or_id)
        return next((row for row in found if row.id == name_or_id), found[0])


def register_volume_type(session: orm.Session, **volume_type: Unpack[VolumeTypeFields]) -> VolumeType:
    """Insert the volume type, or make the existing one with this id equal to it; return it."""
    now = api.now(session)
    row = {"is_public": True, "description": None, **volume_type, "created_at": now, "updated_at": now}
    upsert.upsert(session, VolumeType.table(), [row], ["name", "is_public", "description", "updated_at"])
    return VolumeType.get_by_name_or_id(session, volume_type["id"])
