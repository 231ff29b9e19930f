# SPDX-License-Identifier: Apache-2.0
"""Configuration groups, modules, guest logs, associations, server groups, notifications."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "expand_0002"
down_revision = "expand_0001"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")
_JSON = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql")
_ID = sa.String(36)
_WORD = sa.String(64)
_NAME = sa.String(255)
_LONG = sa.String(1024)


def upgrade() -> None:
    """Create the tables, and add the columns that refer to them."""
    _catalog()
    _configurations()
    _parameter_rules()
    _modules()
    _instance_modules()
    _guest_logs()
    _server_groups()
    _notifications()


def _create(table: str, *items: sa.schema.SchemaItem) -> None:
    op.create_table(table, *items, mysql_engine="InnoDB", mysql_charset="utf8mb4", mysql_collate="utf8mb4_bin")


def _required(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _optional(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}")


def _catalog() -> None:
    op.add_column("datastore_versions", sa.Column("registry_ext", sa.Text(), nullable=True))
    op.add_column("datastore_versions", sa.Column("repl_strategy", sa.Text(), nullable=True))
    op.add_column("datastore_versions", sa.Column("deleted_at", _MOMENT, nullable=True))
    op.add_column("datastore_versions", sa.Column("engine_missing_at", _MOMENT, nullable=True))
    op.add_column("datastores", sa.Column("deleted_at", _MOMENT, nullable=True))
    _create(
        "volume_types",
        _required("id", _NAME),
        _required("name", _NAME),
        _required("is_public", sa.Boolean()),
        _optional("description", _LONG),
        _required("created_at", _MOMENT),
        _required("updated_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_volume_types"),
    )
    table = "datastore_version_associations"
    _create(
        table,
        _required("datastore_version_id", _ID),
        _required("kind", _WORD),
        _required("value", _NAME),
        sa.PrimaryKeyConstraint("datastore_version_id", "kind", "value", name=f"pk_{table}"),
        _refers(table, "datastore_version_id", "datastore_versions.id"),
    )


def _configurations() -> None:
    _create(
        "configurations",
        _required("id", _ID),
        _required("project_id", _NAME),
        _required("name", _NAME),
        _optional("description", _LONG),
        _required("datastore_version_id", _ID),
        _required("values", _JSON),
        _required("revision", sa.Integer()),
        _required("created_at", _MOMENT),
        _required("updated_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_configurations"),
        _refers("configurations", "datastore_version_id", "datastore_versions.id"),
    )
    op.create_index("ix_configurations_project_id_id", "configurations", ["project_id", "id"])
    op.create_index("ix_configurations_datastore_version_id", "configurations", ["datastore_version_id"])
    _create(
        "configuration_history",
        _required("configuration_id", _ID),
        sa.Column("revision", sa.Integer(), nullable=False, autoincrement=False),
        _required("values", _JSON),
        _optional("user_id", _NAME),
        _required("created_at", _MOMENT),
        sa.PrimaryKeyConstraint("configuration_id", "revision", name="pk_configuration_history"),
        _refers("configuration_history", "configuration_id", "configurations.id"),
    )
    op.add_column("instances", sa.Column("configuration_id", _ID, nullable=True))
    op.create_index(
        "ix_instances_configuration_id_deleted_id", "instances", ["configuration_id", "deleted", "id"]
    )


def _parameter_rules() -> None:
    _create(
        "parameter_rules",
        _required("datastore_version_id", _ID),
        _required("name", sa.String(128)),
        _required("data_type", _WORD),
        _required("restart_required", sa.Boolean()),
        _optional("minimum", sa.String(40)),
        _optional("maximum", sa.String(40)),
        _required("hidden", sa.Boolean()),
        _required("created_at", _MOMENT),
        _required("updated_at", _MOMENT),
        sa.PrimaryKeyConstraint("datastore_version_id", "name", name="pk_parameter_rules"),
        _refers("parameter_rules", "datastore_version_id", "datastore_versions.id"),
    )


def _modules() -> None:
    _create(
        "modules",
        _required("id", _ID),
        _required("name", _NAME),
        _required("type", _WORD),
        _optional("description", _LONG),
        _required("contents", _JSON),
        _required("md5", sa.String(32)),
        _optional("project_id", _NAME),
        _optional("datastore_id", _ID),
        _optional("datastore_version_id", _ID),
        *(_required(n, sa.Boolean()) for n in ("auto_apply", "visible", "live_update", "priority_apply")),
        _required("apply_order", sa.Integer()),
        _required("is_admin", sa.Boolean()),
        _required("identity", _WORD),
        _required("revision", sa.Integer()),
        _required("created_at", _MOMENT),
        _required("updated_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_modules"),
        sa.UniqueConstraint("identity", name="uq_modules_identity"),
        _refers("modules", "datastore_id", "datastores.id"),
        _refers("modules", "datastore_version_id", "datastore_versions.id"),
    )
    op.create_index("ix_modules_project_id_id", "modules", ["project_id", "id"])


def _instance_modules() -> None:
    _create(
        "instance_modules",
        _required("instance_id", _ID),
        _required("module_id", _ID),
        _required("md5", sa.String(32)),
        _required("status", _WORD),
        _optional("message", _NAME),
        _required("created_at", _MOMENT),
        _required("updated_at", _MOMENT),
        sa.PrimaryKeyConstraint("instance_id", "module_id", name="pk_instance_modules"),
        _refers("instance_modules", "instance_id", "instances.id"),
        _refers("instance_modules", "module_id", "modules.id"),
    )
    op.create_index("ix_instance_modules_module_id_instance_id", "instance_modules", ["module_id", "instance_id"])


def _guest_logs() -> None:
    _create(
        "guest_logs",
        _required("instance_id", _ID),
        _required("name", _WORD),
        _required("type", _WORD),
        _required("status", _WORD),
        _optional("enabled", sa.Boolean()),
        _optional("file", _NAME),
        _required("size_bytes", sa.BigInteger()),
        _required("published_bytes", sa.BigInteger()),
        _required("pending_bytes", sa.BigInteger()),
        _optional("position", sa.String(128)),
        _optional("container", _NAME),
        _optional("prefix", _NAME),
        _optional("ticket_id", _ID),
        _optional("ticket_hash", sa.String(64)),
        _optional("ticket_expires_at", _MOMENT),
        _required("ticket_bytes", sa.BigInteger()),
        _required("ticket_objects", sa.Integer()),
        _optional("ticket_issued_at", _MOMENT),
        _required("updated_at", _MOMENT),
        sa.PrimaryKeyConstraint("instance_id", "name", name="pk_guest_logs"),
        _refers("guest_logs", "instance_id", "instances.id"),
    )


def _server_groups() -> None:
    _create(
        "server_groups",
        _required("id", _ID),
        _required("project_id", _NAME),
        _required("policy", _WORD),
        _required("created_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_server_groups"),
    )
    op.create_index("ix_server_groups_project_id", "server_groups", ["project_id"])
    op.add_column("instances", sa.Column("server_group_id", _ID, nullable=True))
    op.create_index("ix_instances_server_group_id", "instances", ["server_group_id"])


def _notifications() -> None:
    _create(
        "notifications",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            nullable=False,
            autoincrement=True,
        ),
        _required("event_type", sa.String(128)),
        _required("publisher_id", _NAME),
        _required("payload", _JSON),
        _optional("owner", _NAME),
        _optional("claimed_until", _MOMENT),
        _required("created_at", _MOMENT),
        sa.PrimaryKeyConstraint("sequence", name="pk_notifications"),
    )
    _create(
        "periodic_marks",
        _required("name", _WORD),
        _required("period", sa.BigInteger()),
        _optional("position", _NAME),
        sa.PrimaryKeyConstraint("name", name="pk_periodic_marks"),
    )
    op.add_column("instances", sa.Column("launched_at", _MOMENT, nullable=True))
