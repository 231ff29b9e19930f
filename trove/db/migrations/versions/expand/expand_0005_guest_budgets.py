# SPDX-License-Identifier: Apache-2.0
"""Which inventory of a guest is the newest, and when a guest was slowed down."""

import sqlalchemy as sa
from alembic import op

from trove.db.types import UTCDateTime

revision = "expand_0005"
down_revision = "expand_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; a default keeps processes of the former release writing."""
    op.add_column("guest_identities", sa.Column("inventory_boot", sa.Integer, nullable=False, server_default="0"))
    op.add_column(
        "guest_identities", sa.Column("inventory_sequence", sa.BigInteger, nullable=False, server_default="0")
    )
    op.add_column("heartbeats", sa.Column("slowed_at", UTCDateTime, nullable=True))
