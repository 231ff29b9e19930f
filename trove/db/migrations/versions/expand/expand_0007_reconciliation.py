# SPDX-License-Identifier: Apache-2.0
"""How far the comparison of our rows with each provider has come, and what it has found."""

import sqlalchemy as sa
from alembic import op

from trove.db import types

revision = "expand_0007"
down_revision = "expand_0006"
branch_labels = None
depends_on = None

_TABLE = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Create both tables; a process of the former release compares nothing."""
    op.create_table(
        "reconciliations",
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("owner", sa.String(255), nullable=True),
        sa.Column("claimed_until", types.UTCDateTime(), nullable=True),
        sa.Column("started_at", types.UTCDateTime(), nullable=False),
        sa.Column("position", types.JSONText(), nullable=True),
        sa.PrimaryKeyConstraint("provider", "host", name="pk_reconciliations"),
        **_TABLE,
    )
    op.create_table(
        "provider_findings",
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("tag", sa.String(200), nullable=False),
        sa.Column("problem", sa.String(32), nullable=False),
        sa.Column("owner_kind", sa.String(32), nullable=False),
        sa.Column("owner_id", sa.String(36), nullable=False),
        sa.Column("outside_id", sa.String(255), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("first_seen_at", types.UTCDateTime(), nullable=False),
        sa.Column("last_seen_at", types.UTCDateTime(), nullable=False),
        sa.Column("reported_at", types.UTCDateTime(), nullable=True),
        sa.Column("tried_at", types.UTCDateTime(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("provider", "host", "kind", "tag", name="pk_provider_findings"),
        **_TABLE,
    )
    op.create_index("ix_provider_findings_owner_id", "provider_findings", ["owner_id"])
