# SPDX-License-Identifier: Apache-2.0
"""The set and term that a guest command depends on."""

import sqlalchemy as sa
from alembic import op

revision = "expand_0010"
down_revision = "expand_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; processes of the former release write neither."""
    op.add_column("guest_commands", sa.Column("set_id", sa.String(36), nullable=True))
    op.add_column("guest_commands", sa.Column("term", sa.BigInteger, nullable=True))
