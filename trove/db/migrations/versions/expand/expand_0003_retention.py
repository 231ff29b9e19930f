# SPDX-License-Identifier: Apache-2.0
"""Indexes by which rows that were kept long enough are found."""

from alembic import op

revision = "expand_0003"
down_revision = "expand_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes: when it ended or was made, then the key."""
    op.create_index("ix_workflows_finished_at_id", "workflows", ["finished_at", "id"])
    op.create_index("ix_guest_commands_finished_at_id", "guest_commands", ["finished_at", "id"])
    op.create_index(
        "ix_configuration_history_created_at",
        "configuration_history",
        ["created_at", "configuration_id", "revision"],
    )
