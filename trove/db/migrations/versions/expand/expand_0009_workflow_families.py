# SPDX-License-Identifier: Apache-2.0
"""Several claims of a workflow, its parent, its time limit, and until when its undo may last."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from trove.db.types import UTCDateTime

revision = "expand_0009"
down_revision = "expand_0008"
branch_labels = None
depends_on = None

_JSON = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql")


def upgrade() -> None:
    """Add the table and the columns.

    Processes of the former release write neither: what they submit has its only claim in ``workflows.claim_key``, and
    what they end leaves its rows in the table, which count for nothing then.
    """
    op.create_table(
        "workflow_claims",
        sa.Column("claim_key", sa.String(128), nullable=False),
        sa.Column("workflow_id", sa.String(36), nullable=False),
        sa.PrimaryKeyConstraint("claim_key", name="pk_workflow_claims"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index("ix_workflow_claims_workflow_id", "workflow_claims", ["workflow_id"])
    op.add_column("workflows", sa.Column("claims", _JSON, nullable=True))
    op.add_column("workflows", sa.Column("parent_id", sa.String(36), nullable=True))
    op.add_column("workflows", sa.Column("timeout", sa.Double(), nullable=True))
    op.add_column("workflows", sa.Column("undo_deadline", UTCDateTime, nullable=True))
    op.create_index("ix_workflows_parent_id", "workflows", ["parent_id"])
    op.add_column("workflow_steps", sa.Column("undo_started_at", UTCDateTime, nullable=True))
