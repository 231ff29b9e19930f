# SPDX-License-Identifier: Apache-2.0
"""Configuration groups, what they were before, and the operator's corrections of the parameter catalogue."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trove.db import types
from trove.db.models import base


class Configuration(base.Base):
    """A configuration group: values that its instances' engines run with."""

    __tablename__ = "configurations"
    __table_args__ = base.table_args(
        sa.Index("ix_configurations_project_id_id", "project_id", "id"),
        sa.Index("ix_configurations_datastore_version_id", "datastore_version_id"),
    )

    id: Mapped[base.Key]
    project_id: Mapped[base.Project]
    name: Mapped[base.Name]
    description: Mapped[str | None] = mapped_column(sa.String(1024))
    datastore_version_id: Mapped[base.ID] = mapped_column(sa.ForeignKey("datastore_versions.id"))
    #: {parameter: value}; names as the engine spells them.
    values: Mapped[dict[str, Any]] = mapped_column(types.JSONText)
    #: Counts changes of ``values``, and compare-and-set saves.
    revision: Mapped[int]
    created_at: Mapped[base.Moment]
    updated_at: Mapped[base.Moment]


class ConfigurationHistory(base.Base):
    """The values of a group at each of its revisions."""

    __tablename__ = "configuration_history"
    __table_args__ = base.table_args(
        sa.Index("ix_configuration_history_created_at", "created_at", "configuration_id", "revision")
    )

    configuration_id: Mapped[str] = mapped_column(sa.String(36), sa.ForeignKey("configurations.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    values: Mapped[dict[str, Any]] = mapped_column(types.JSONText)
    user_id: Mapped[str | None] = mapped_column(sa.String(255))
    created_at: Mapped[base.Moment]


class ParameterRule(base.Base):
    """A parameter that an operator added to, changed in, or removed from the catalogue that a plugin brings."""

    __tablename__ = "parameter_rules"

    datastore_version_id: Mapped[str] = mapped_column(
        sa.String(36), sa.ForeignKey("datastore_versions.id"), primary_key=True
    )
    name: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    data_type: Mapped[base.Word]
    restart_required: Mapped[bool] = mapped_column(sa.Boolean)
    #: Bounds as decimal text: engines have some beyond 64 bits.
    minimum: Mapped[str | None] = mapped_column(sa.String(40))
    maximum: Mapped[str | None] = mapped_column(sa.String(40))
    #: Removed: the plugin's own rule of this name does not count either.
    hidden: Mapped[bool] = mapped_column(sa.Boolean)
    created_at: Mapped[base.Moment]
    updated_at: Mapped[base.Moment]
