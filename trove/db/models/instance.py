# SPDX-License-Identifier: Apache-2.0
"""Instances, their current fault, and who enabled root."""

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
    availability_zone: Mapped[str | None] = mapped_column(sa.String(255))
    region: Mapped[str | None] = mapped_column(sa.String(255))
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
    #: Counts compare-and-set saves.
    revision: Mapped[int] = mapped_column(sa.Integer)
    deleted: Mapped[bool] = mapped_column(sa.Boolean)
    created_at: Mapped[base.Moment]
    updated_at: Mapped[base.Moment]
    deleted_at: Mapped[base.Moment | None]
    #: When it was ready for the first time; its use counts from then.
    launched_at: Mapped[base.Moment | None]


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
