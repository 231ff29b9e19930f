# SPDX-License-Identifier: Apache-2.0
"""Flavors: what reads know of the compute service's, so that no read has to ask it."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict, Unpack

import sqlalchemy as sa
from oslo_versionedobjects import base as ovo_base
from oslo_versionedobjects import fields
from sqlalchemy import orm

from trove.db import api, models
from trove.objects import base, errors, upsert


class FlavorFields(TypedDict):
    """What describes a flavor; disk and ephemeral disk are 0 unless given."""

    id: str
    name: str
    vcpus: int
    ram_mib: int
    disk_gib: NotRequired[int]
    ephemeral_gib: NotRequired[int]


@ovo_base.VersionedObjectRegistry.register
class Flavor(base.TroveObject):
    """What is known of a flavor of the compute service."""

    # Version 1.0: Initial version
    VERSION = "1.0"

    model = models.Flavor

    fields = {
        "id": fields.StringField(),
        "name": fields.StringField(),
        "vcpus": fields.IntegerField(),
        "ram_mib": fields.IntegerField(),
        "disk_gib": fields.IntegerField(),
        "ephemeral_gib": fields.IntegerField(),
        "created_at": base.Moment(),
        "updated_at": base.Moment(),
    }

    @classmethod
    def list(cls, session: orm.Session) -> "Sequence[Flavor]":
        """Return all flavors, smallest first."""
        table = cls.table()
        query = sa.select(table).order_by(table.c.ram_mib, table.c.vcpus, table.c.id)
        return [cls.from_row(row) for row in session.execute(query).mappings()]

    @classmethod
    def get(cls, session: orm.Session, flavor_id: str) -> "Flavor":
        """Return one flavor.

        :raises FlavorNotFound: when there is none with this id.
        """
        row = session.execute(sa.select(cls.table()).where(cls.table().c.id == flavor_id)).mappings().one_or_none()
        if row is None:
            raise errors.FlavorNotFound(flavor_id)
        return cls.from_row(row)


def register_flavor(session: orm.Session, **flavor: Unpack[FlavorFields]) -> Flavor:
    """Insert the flavor, or make the existing one with this id equal to it; return it."""
    now = api.now(session)
    row = {"disk_gib": 0, "ephemeral_gib": 0, **flavor, "created_at": now, "updated_at": now}
    upsert.upsert(
        session, Flavor.table(), [row], ["name", "vcpus", "ram_mib", "disk_gib", "ephemeral_gib", "updated_at"]
    )
    return Flavor.get(session, flavor["id"])
