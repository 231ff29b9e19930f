# SPDX-License-Identifier: Apache-2.0
"""Which processes run, on which host, and of which release."""

import sqlalchemy as sa
from alembic import op

from trove.db import types

revision = "expand_0006"
down_revision = "expand_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; processes of the former release are not in it."""
    op.create_table(
        "services",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("program", sa.String(64), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("release", sa.String(64), nullable=False),
        sa.Column("versions", types.JSONText(), nullable=False),
        sa.Column("started_at", types.UTCDateTime(), nullable=False),
        sa.Column("seen_at", types.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_services"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index("ix_services_seen_at", "services", ["seen_at"])
