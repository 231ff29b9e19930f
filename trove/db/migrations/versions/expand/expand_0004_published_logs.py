# SPDX-License-Identifier: Apache-2.0
"""What publications of logs take in the object store."""

import sqlalchemy as sa
from alembic import op

from trove.db import types

revision = "expand_0004"
down_revision = "expand_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; what was published before is in none, and expires."""
    op.create_table(
        "published_logs",
        sa.Column("ticket_id", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("log", sa.String(64), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reserved_bytes", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", types.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", name="pk_published_logs"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index("ix_published_logs_project_id_expires_at", "published_logs", ["project_id", "expires_at"])
    op.create_index("ix_published_logs_instance_id_log", "published_logs", ["instance_id", "log"])
