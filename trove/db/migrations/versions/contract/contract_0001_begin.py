# SPDX-License-Identifier: Apache-2.0
"""Begin the contract branch; there is nothing to remove yet."""

revision = "contract_0001"
down_revision = None
branch_labels = ("contract",)
depends_on = None


def upgrade() -> None:
    """Change nothing: the revision marks where removals will start."""
