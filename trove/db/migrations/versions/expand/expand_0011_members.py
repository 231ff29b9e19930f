# SPDX-License-Identifier: Apache-2.0
"""Sets of instances, and where each instance is."""

import sqlalchemy as sa
from alembic import op

from trove.db import types

revision = "expand_0011"
down_revision = "expand_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create table and columns. What there is, and what processes of the former release make meanwhile, gets a set and
    a place when somebody acts on it: to fill them in here would lock rows that these processes write."""
    op.create_table(
        "sets",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("policy", sa.String(64), nullable=True),
        sa.Column("term", sa.BigInteger, nullable=False),
        sa.Column("target_primary", sa.String(36), nullable=True),
        sa.Column("current_primary", sa.String(36), nullable=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", types.UTCDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sets"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index("ix_sets_project_id", "sets", ["project_id"])
    op.add_column("instances", sa.Column("provider", sa.String(64), nullable=True))
    op.add_column("instances", sa.Column("host", sa.String(255), nullable=True))
    op.add_column("instances", sa.Column("zone", sa.String(255), nullable=True))
    op.add_column("instances", sa.Column("set_id", sa.String(36), nullable=True))
    op.add_column("instances", sa.Column("role", sa.String(64), nullable=True))
    op.create_index("ix_instances_set_id", "instances", ["set_id"])
