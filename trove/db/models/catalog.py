# SPDX-License-Identifier: Apache-2.0
"""What can be ordered: datastores, their versions, flavors."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trove.db import types
from trove.db.models import base


class Datastore(base.Base):
    __tablename__ = "datastores"
    __table_args__ = base.table_args(sa.UniqueConstraint("name"))

    id: Mapped[base.Key]
    name: Mapped[base.Name]
    #: Not a foreign key: the two tables would refer to each other.
    default_version_id: Mapped[base.ID | None]
    created_at: Mapped[base.Moment]
    updated_at: Mapped[base.Moment]
    #: Set when it was deleted but versions of deleted instances refer to it.
    deleted_at: Mapped[base.Moment | None]


class DatastoreVersion(base.Base):
    __tablename__ = "datastore_versions"
    __table_args__ = base.table_args(sa.UniqueConstraint("datastore_id", "name", "version"))

    id: Mapped[base.Key]
    datastore_id: Mapped[base.ID] = mapped_column(sa.ForeignKey("datastores.id"))
    name: Mapped[str] = mapped_column(sa.String(128))
    #: The version number; equals the name unless set separately.
    version: Mapped[str] = mapped_column(sa.String(64))
    #: Name of the datastore plugin.
    manager: Mapped[base.Word]
    active: Mapped[bool] = mapped_column(sa.Boolean)
    image_id: Mapped[base.ID | None]
    image_tags: Mapped[list[str]] = mapped_column(types.JSONText)
    packages: Mapped[str | None] = mapped_column(sa.String(511))
    #: Directory with the engine's programs, for providers that run guests on this host.
    engine_home: Mapped[str | None] = mapped_column(sa.String(1024))
    #: Set when it was made inactive because its engine was not found any more; it comes back with the engine.
    engine_missing_at: Mapped[base.Moment | None]
    #: Name of the image in which the programs run and ``engine_home`` is meant, for the same providers.
    root_image: Mapped[str | None] = mapped_column(sa.String(255))
    #: Kept for operators' tools, which set and show them; the plugin decides what they once decided.
    registry_ext: Mapped[str | None] = mapped_column(sa.Text)
    repl_strategy: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[base.Moment]
    updated_at: Mapped[base.Moment]
    #: Set when it was deleted but the rows of deleted instances, kept for accounting, refer to it.
    deleted_at: Mapped[base.Moment | None]


class Flavor(base.Base):
    """What reads know of the compute service's flavors; the standalone service seeds its own."""

    __tablename__ = "flavors"

    id: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    name: Mapped[base.Name]
    vcpus: Mapped[int]
    ram_mib: Mapped[int]
    disk_gib: Mapped[int]
    ephemeral_gib: Mapped[int]
    created_at: Mapped[base.Moment]
    updated_at: Mapped[base.Moment]


class VolumeType(base.Base):
    """What reads know of the volume service's types; the standalone service seeds its own."""

    __tablename__ = "volume_types"

    id: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    name: Mapped[base.Name]
    is_public: Mapped[bool] = mapped_column(sa.Boolean)
    description: Mapped[str | None] = mapped_column(sa.String(1024))
    created_at: Mapped[base.Moment]
    updated_at: Mapped[base.Moment]


class VersionAssociation(base.Base):
    """A flavor or volume type that a datastore version is restricted to; a version without any has all of the kind."""

    __tablename__ = "datastore_version_associations"

    datastore_version_id: Mapped[str] = mapped_column(
        sa.String(36), sa.ForeignKey("datastore_versions.id"), primary_key=True
    )
    #: flavor or volume_type
    kind: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    value: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
