# SPDX-License-Identifier: Apache-2.0
"""Modules, and which instance has which."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trove.db import types
from trove.db.models import base


class Module(base.Base):
    """Something a driver of the guest agent installs beside the engine, such as a licence."""

    __tablename__ = "modules"
    __table_args__ = base.table_args(
        sa.UniqueConstraint("identity"),
        sa.Index("ix_modules_project_id_id", "project_id", "id"),
    )

    id: Mapped[base.Key]
    name: Mapped[base.Name]
    type: Mapped[base.Word]
    description: Mapped[str | None] = mapped_column(sa.String(1024))
    #: Encrypted: it may hold a licence key. {"contents": text}
    contents: Mapped[types.Sealed] = mapped_column(types.EncryptedJSON("modules.contents"))
    #: Of the contents, as clients compare it; not a safeguard.
    md5: Mapped[str] = mapped_column(sa.String(32))
    #: NULL: all projects, all datastores, all versions.
    project_id: Mapped[str | None] = mapped_column(sa.String(255))
    datastore_id: Mapped[base.ID | None] = mapped_column(sa.ForeignKey("datastores.id"))
    datastore_version_id: Mapped[base.ID | None] = mapped_column(sa.ForeignKey("datastore_versions.id"))
    auto_apply: Mapped[bool] = mapped_column(sa.Boolean)
    visible: Mapped[bool] = mapped_column(sa.Boolean)
    live_update: Mapped[bool] = mapped_column(sa.Boolean)
    priority_apply: Mapped[bool] = mapped_column(sa.Boolean)
    apply_order: Mapped[int]
    is_admin: Mapped[bool] = mapped_column(sa.Boolean)
    #: Digest of name, type, project, datastore and version, which are unique together; NULL differs from NULL in SQL.
    identity: Mapped[str] = mapped_column(sa.String(64))
    revision: Mapped[int]
    created_at: Mapped[base.Moment]
    updated_at: Mapped[base.Moment]


class InstanceModule(base.Base):
    """A module on an instance, as its guest reported it last."""

    __tablename__ = "instance_modules"
    __table_args__ = base.table_args(sa.Index("ix_instance_modules_module_id_instance_id", "module_id", "instance_id"))

    instance_id: Mapped[str] = mapped_column(sa.String(36), sa.ForeignKey("instances.id"), primary_key=True)
    module_id: Mapped[str] = mapped_column(sa.String(36), sa.ForeignKey("modules.id"), primary_key=True)
    #: Of the contents that are on the instance, which may be older than the module's.
    md5: Mapped[str] = mapped_column(sa.String(32))
    #: OK or ERROR
    status: Mapped[base.Word]
    message: Mapped[str | None] = mapped_column(sa.String(255))
    created_at: Mapped[base.Moment]
    updated_at: Mapped[base.Moment]
