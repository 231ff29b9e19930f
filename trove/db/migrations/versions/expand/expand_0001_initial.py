# SPDX-License-Identifier: Apache-2.0
"""The first schema.

Types are spelled out here and not taken from the models: a revision describes what was, whatever the models become.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "expand_0001"
down_revision = None
branch_labels = ("expand",)
depends_on = None

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")
_JSON = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql")
_ID = sa.String(36)
_WORD = sa.String(64)
_SYMBOL = sa.String(128)
_NAME = sa.String(255)


def upgrade() -> None:
    """Create all tables, those first that others refer to."""
    _catalog()
    _instances()
    _instance_facts()
    _guests()
    _guest_commands()
    _workflows()
    _workflow_steps()
    _quotas_and_secrets()


def _create(table: str, *items: sa.schema.SchemaItem) -> None:
    op.create_table(table, *items, mysql_engine="InnoDB", mysql_charset="utf8mb4", mysql_collate="utf8mb4_bin")


def _required(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _optional(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


def _of_instance(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=f"fk_{table}_instance_id")


def _catalog() -> None:
    _create(
        "datastores",
        _required("id", _ID),
        _required("name", _NAME),
        _optional("default_version_id", _ID),
        _required("created_at", _MOMENT),
        _required("updated_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_datastores"),
        sa.UniqueConstraint("name", name="uq_datastores_name"),
    )
    _create(
        "datastore_versions",
        _required("id", _ID),
        _required("datastore_id", _ID),
        _required("name", sa.String(128)),
        _required("version", sa.String(64)),
        _required("manager", _WORD),
        _required("active", sa.Boolean()),
        _optional("image_id", _ID),
        _required("image_tags", _JSON),
        _optional("packages", sa.String(511)),
        _optional("engine_home", sa.String(1024)),
        _optional("root_image", sa.String(255)),
        _required("created_at", _MOMENT),
        _required("updated_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_datastore_versions"),
        sa.ForeignKeyConstraint(["datastore_id"], ["datastores.id"], name="fk_datastore_versions_datastore_id"),
        sa.UniqueConstraint("datastore_id", "name", "version", name="uq_datastore_versions_datastore_id_name_version"),
    )
    _create(
        "flavors",
        _required("id", _NAME),
        _required("name", _NAME),
        _required("vcpus", sa.Integer()),
        _required("ram_mib", sa.Integer()),
        _required("disk_gib", sa.Integer()),
        _required("ephemeral_gib", sa.Integer()),
        _required("created_at", _MOMENT),
        _required("updated_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_flavors"),
    )


def _instances() -> None:
    _create(
        "instances",
        _required("id", _ID),
        _required("project_id", _NAME),
        _optional("user_id", _NAME),
        _required("name", _NAME),
        _required("status", _WORD),
        _required("datastore_version_id", _ID),
        _required("flavor_id", _NAME),
        _required("vcpus", sa.Integer()),
        _required("ram_mib", sa.Integer()),
        _required("disk_gib", sa.Integer()),
        _required("volume_gib", sa.Integer()),
        _optional("volume_type", _NAME),
        _optional("availability_zone", _NAME),
        _optional("region", _NAME),
        _required("access", _JSON),
        _required("addresses", _JSON),
        _optional("port", sa.Integer()),
        _optional("server_id", _NAME),
        _optional("volume_id", _NAME),
        _required("revision", sa.Integer()),
        _required("deleted", sa.Boolean()),
        _required("created_at", _MOMENT),
        _required("updated_at", _MOMENT),
        _optional("deleted_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_instances"),
        sa.ForeignKeyConstraint(
            ["datastore_version_id"], ["datastore_versions.id"], name="fk_instances_datastore_version_id"
        ),
    )
    op.create_index("ix_instances_project_id_deleted_id", "instances", ["project_id", "deleted", "id"])
    op.create_index("ix_instances_deleted_id", "instances", ["deleted", "id"])
    op.create_index("ix_instances_datastore_version_id", "instances", ["datastore_version_id"])


def _instance_facts() -> None:
    _create(
        "instance_faults",
        _required("instance_id", _ID),
        _required("symbol", _SYMBOL),
        _required("message", sa.String(255)),
        _optional("details", sa.Text()),
        _required("created_at", _MOMENT),
        sa.PrimaryKeyConstraint("instance_id", name="pk_instance_faults"),
        _of_instance("instance_faults"),
    )
    _create(
        "root_history",
        _required("instance_id", _ID),
        _required("enabled", sa.Boolean()),
        _required("first_enabled_at", _MOMENT),
        _optional("first_enabled_by", _NAME),
        sa.PrimaryKeyConstraint("instance_id", name="pk_root_history"),
        _of_instance("root_history"),
    )
    _create(
        "inventory_databases",
        _required("instance_id", _ID),
        _required("name", _NAME),
        _optional("character_set", _WORD),
        _optional("collate", _WORD),
        sa.PrimaryKeyConstraint("instance_id", "name", name="pk_inventory_databases"),
        _of_instance("inventory_databases"),
    )
    _create(
        "inventory_users",
        _required("instance_id", _ID),
        _required("name", _NAME),
        _required("host", _NAME),
        _required("databases", _JSON),
        sa.PrimaryKeyConstraint("instance_id", "name", "host", name="pk_inventory_users"),
        _of_instance("inventory_users"),
    )


def _guests() -> None:
    _create(
        "guest_identities",
        _required("instance_id", _ID),
        _required("state", _WORD),
        _required("generation", sa.Integer()),
        _required("keys", _JSON),
        _required("transport", _WORD),
        _required("boot", sa.Integer()),
        _required("sequence", sa.BigInteger()),
        _required("window", sa.String(64)),
        _optional("commands", _JSON),
        _required("sent_sequence", sa.BigInteger()),
        _optional("enrolled_at", _MOMENT),
        _required("created_at", _MOMENT),
        sa.PrimaryKeyConstraint("instance_id", name="pk_guest_identities"),
        _of_instance("guest_identities"),
    )
    _create(
        "heartbeats",
        _required("instance_id", _ID),
        _required("service_status", _WORD),
        _optional("reason", sa.String(255)),
        _optional("reported_at", _MOMENT),
        _optional("agent_version", _WORD),
        _optional("handler_version", _WORD),
        _required("protocol_min", sa.Integer()),
        _required("protocol_max", sa.Integer()),
        _optional("volume_used_bytes", sa.BigInteger()),
        _optional("volume_total_bytes", sa.BigInteger()),
        _optional("wal_bytes", sa.BigInteger()),
        sa.PrimaryKeyConstraint("instance_id", name="pk_heartbeats"),
        _of_instance("heartbeats"),
    )


def _guest_commands() -> None:
    _create(
        "guest_commands",
        _required("id", _ID),
        _required("instance_id", _ID),
        _optional("workflow_id", _ID),
        _optional("step", _WORD),
        _required("epoch", sa.Integer()),
        _required("sequence", sa.BigInteger()),
        _required("name", _WORD),
        _required("version", sa.Integer()),
        _optional("args", _JSON),
        _required("state", _WORD),
        _optional("result", _JSON),
        _optional("error_symbol", _SYMBOL),
        _optional("error_detail", sa.Text()),
        _required("send_at", _MOMENT),
        _required("deadline", _MOMENT),
        _required("created_at", _MOMENT),
        _optional("finished_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_guest_commands"),
        _of_instance("guest_commands"),
        sa.UniqueConstraint("instance_id", "sequence", name="uq_guest_commands_instance_id_sequence"),
    )
    op.create_index(
        "ix_guest_commands_instance_id_state_sequence", "guest_commands", ["instance_id", "state", "sequence"]
    )
    op.create_index("ix_guest_commands_state_send_at", "guest_commands", ["state", "send_at"])


def _workflows() -> None:
    _create(
        "workflows",
        _required("id", _ID),
        _required("kind", _WORD),
        _required("kind_version", sa.Integer()),
        _required("resource_type", _WORD),
        _required("resource_id", _ID),
        _required("project_id", _NAME),
        _optional("request_id", _WORD),
        _optional("claim_key", sa.String(128)),
        _optional("after_id", _ID),
        _optional("wanted_claim", sa.String(128)),
        _required("state", _WORD),
        _required("cursor", sa.Integer()),
        _required("inputs", _JSON),
        _optional("wake_at", _MOMENT),
        _optional("deadline", _MOMENT),
        _optional("cancel_requested_at", _MOMENT),
        _optional("owner", sa.String(128)),
        _required("epoch", sa.Integer()),
        _optional("lease_until", _MOMENT),
        _optional("error_symbol", _SYMBOL),
        _optional("error_message", sa.String(255)),
        _optional("error_detail", sa.Text()),
        _required("created_at", _MOMENT),
        _required("updated_at", _MOMENT),
        _optional("finished_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_workflows"),
        sa.UniqueConstraint("claim_key", name="uq_workflows_claim_key"),
    )
    op.create_index("ix_workflows_wake_at", "workflows", ["wake_at"])
    op.create_index("ix_workflows_owner", "workflows", ["owner"])
    op.create_index("ix_workflows_after_id", "workflows", ["after_id"])
    op.create_index("ix_workflows_resource_id_created_at", "workflows", ["resource_id", "created_at"])


def _workflow_steps() -> None:
    _create(
        "workflow_steps",
        _required("workflow_id", _ID),
        _required("name", _WORD),
        _required("position", sa.Integer()),
        _required("state", _WORD),
        _required("attempt", sa.Integer()),
        _required("token", _ID),
        _optional("signal", sa.String(128)),
        _optional("deadline", _MOMENT),
        _optional("output", _JSON),
        _required("progress", sa.Integer()),
        _optional("error", sa.Text()),
        _optional("started_at", _MOMENT),
        _optional("finished_at", _MOMENT),
        sa.PrimaryKeyConstraint("workflow_id", "name", name="pk_workflow_steps"),
        sa.ForeignKeyConstraint(["workflow_id"], ["workflows.id"], name="fk_workflow_steps_workflow_id"),
    )
    _create(
        "workflow_signals",
        _required("id", _ID),
        _required("workflow_id", _ID),
        _required("name", sa.String(128)),
        _optional("payload", _JSON),
        _required("created_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_signals"),
        sa.ForeignKeyConstraint(["workflow_id"], ["workflows.id"], name="fk_workflow_signals_workflow_id"),
        sa.UniqueConstraint("workflow_id", "name", name="uq_workflow_signals_workflow_id_name"),
    )


def _quotas_and_secrets() -> None:
    for table, amount in (("quota_limits", "hard_limit"), ("quota_usages", "in_use")):
        _create(
            table,
            _required("project_id", _NAME),
            _required("resource", _WORD),
            _required(amount, sa.Integer()),
            sa.PrimaryKeyConstraint("project_id", "resource", name=f"pk_{table}"),
        )
    _create(
        "secrets",
        _required("id", _ID),
        _required("resource_id", _ID),
        _required("purpose", _WORD),
        _required("value", _JSON),
        _required("created_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_secrets"),
    )
    op.create_index("ix_secrets_resource_id_purpose", "secrets", ["resource_id", "purpose"])
