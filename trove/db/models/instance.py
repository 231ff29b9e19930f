# SPDX-License-Identifier: Apache-2.0
"""Instances, the sets they are members of, their current fault, and who enabled root."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trove.db import types
from trove.db.models import base


class Instance(base.Base):
    __tablename__ = "instances"
    __table_args__ = base.table_args(
        # Serves the paged list of a project: WHERE project_id = ? AND deleted = ? AND id > ? ORDER BY id.
        sa.Index("ix_instances_project_id_deleted_id", "project_id", "deleted", "id"),
        sa.Index("ix_instances_deleted_id", "deleted", "id"),
        sa.Index("ix_instances_datastore_version_id", "datastore_version_id"),
        sa.Index("ix_instances_configuration_id_deleted_id", "configuration_id", "deleted", "id"),
        sa.Index("ix_instances_server_group_id", "server_group_id"),
        sa.Index("ix_instances_set_id", "set_id"),
    )

    id: Mapped[base.Key]
    project_id: Mapped[base.Project]
    user_id: Mapped[str | None] = mapped_column(sa.String(255))
    name: Mapped[base.Name]
    #: See trove.domain.instance_states.
    status: Mapped[base.Word]
    datastore_version_id: Mapped[base.ID] = mapped_column(sa.ForeignKey("datastore_versions.id"))
    flavor_id: Mapped[base.Name]
    #: Copied from the flavor, so that accounting survives the flavor.
    vcpus: Mapped[int]
    ram_mib: Mapped[int]
    disk_gib: Mapped[int]
    volume_gib: Mapped[int]
    volume_type: Mapped[str | None] = mapped_column(sa.String(255))
    #: The zone that was asked for; NULL: any.
    availability_zone: Mapped[str | None] = mapped_column(sa.String(255))
    #: The region of the deployment that accepted it: asked and achieved at once, since a request cannot name another.
    region: Mapped[str | None] = mapped_column(sa.String(255))
    #: Name of the provider that holds it, see trove.providers.registry. It is written with host and zone before
    #: anything is made outside, and never changes; NULL until then, and in rows of former releases.
    provider: Mapped[base.Word | None]
    #: The host whose provider alone can act on it; NULL: the provider can from any host.
    host: Mapped[str | None] = mapped_column(sa.String(255))
    #: The zone it is in, as far as that is known.
    zone: Mapped[str | None] = mapped_column(sa.String(255))
    #: {"is_public": bool, "allowed_cidrs": [..]}
    access: Mapped[dict[str, Any]] = mapped_column(types.JSONText)
    #: [{"address", "type": "private"|"public", "network": id or absent}]
    addresses: Mapped[list[dict[str, Any]]] = mapped_column(types.JSONText)
    #: TCP port of the engine at its addresses; NULL until known.
    port: Mapped[int | None]
    server_id: Mapped[str | None] = mapped_column(sa.String(255))
    volume_id: Mapped[str | None] = mapped_column(sa.String(255))
    #: Attached configuration group. Not a foreign key: SQLite cannot add one to an existing table.
    configuration_id: Mapped[base.ID | None]
    #: Server group that the instance was made in; likewise.
    server_group_id: Mapped[base.ID | None]
    #: The set that it is a member of; likewise. NULL only in rows that a former release has made. A deleted instance
    #: keeps the id of what it was in.
    set_id: Mapped[base.ID | None]
    #: What it is in its set besides primary or standby, which follow from the set's row; NULL: nothing else.
    role: Mapped[base.Word | None]
    #: Counts compare-and-set saves.
    revision: Mapped[int] = mapped_column(sa.Integer)
    deleted: Mapped[bool] = mapped_column(sa.Boolean)
    created_at: Mapped[base.Moment]
    updated_at: Mapped[base.Moment]
    deleted_at: Mapped[base.Moment | None]
    #: When it was ready for the first time; its use counts from then.
    launched_at: Mapped[base.Moment | None]


class InstanceSet(base.Base):
    """Instances that are the members of one database; most sets have one. Removed with the last member."""

    __tablename__ = "sets"
    __table_args__ = base.table_args(sa.Index("ix_sets_project_id", "project_id"))

    id: Mapped[base.Key]
    project_id: Mapped[base.Project]
    #: See trove.domain.sets.
    kind: Mapped[base.Word]
    #: How many members must have what a client was told is stored; NULL: the kind's own rule.
    policy: Mapped[base.Word | None]
    #: Grows by one whenever another member is to be primary.
    term: Mapped[int] = mapped_column(sa.BigInteger)
    #: The instance that is to be primary, and the one that is; while they differ, a change is in progress.
    target_primary: Mapped[base.ID | None]
    current_primary: Mapped[base.ID | None]
    #: Counts compare-and-set saves.
    revision: Mapped[int] = mapped_column(sa.Integer)
    created_at: Mapped[base.Moment]


class InstanceFault(base.Base):
    """The last asynchronous failure; removed by the next success."""

    __tablename__ = "instance_faults"

    instance_id: Mapped[str] = mapped_column(sa.String(36), sa.ForeignKey("instances.id"), primary_key=True)
    symbol: Mapped[str] = mapped_column(sa.String(128))
    message: Mapped[str] = mapped_column(sa.String(255))
    details: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[base.Moment]


class RootHistory(base.Base):
    """Whether the superuser is enabled now, and who enabled it first."""

    __tablename__ = "root_history"

    instance_id: Mapped[str] = mapped_column(sa.String(36), sa.ForeignKey("instances.id"), primary_key=True)
    enabled: Mapped[bool] = mapped_column(sa.Boolean)
    first_enabled_at: Mapped[base.Moment]
    first_enabled_by: Mapped[str | None] = mapped_column(sa.String(255))


class ServerGroup(base.Base):
    """Instances whose servers are placed together or apart; removed with the last of them."""

    __tablename__ = "server_groups"
    __table_args__ = base.table_args(sa.Index("ix_server_groups_project_id", "project_id"))

    id: Mapped[base.Key]
    project_id: Mapped[base.Project]
    #: affinity, soft-affinity, anti-affinity or soft-anti-affinity
    policy: Mapped[base.Word]
    created_at: Mapped[base.Moment]
