# SPDX-License-Identifier: Apache-2.0
"""When a guest's keys were changed last."""

import sqlalchemy as sa
from alembic import op

from trove.db.types import UTCDateTime

revision = "expand_0008"
down_revision = "expand_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; processes of the former release leave it NULL."""
    op.add_column("guest_identities", sa.Column("keys_changed_at", UTCDateTime, nullable=True))
