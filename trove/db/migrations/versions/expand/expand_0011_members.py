# SPDX-License-Identifier: Apache-2.0
"""Sets of instances, and where each instance is."""

import sqlalchemy as sa
from alembic import op

from trove.db import types

revision = "expand_0011"
down_revision = "expand_0010"
branch_labels = None
depends_on = None

#: How many instances one statement gives a set.
BATCH = 1000


def upgrade() -> None:
    """Create table and columns, and give each instance that is not deleted a set of its own.

    What a process of the former release makes meanwhile has no set: it gets one when one is needed. So does no row of a
    former release have a place: it is written down when somebody acts on the instance.
    """
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
    _give_sets(op.get_bind())


def _give_sets(connection: sa.Connection) -> None:
    instances = sa.table(
        "instances", *(sa.column(name) for name in ("id", "project_id", "set_id", "deleted", "created_at"))
    )
    sets = sa.table("sets", *(sa.column(name) for name in _COPIED))
    after = ""
    while True:
        # Pages by the primary key, so that no statement holds many rows for long. An id need only be unique in its own
        # table: a set that is made here has that of its instance.
        page = sa.select(instances.c.id).where(instances.c.id > after).order_by(instances.c.id).limit(BATCH)
        found = list(connection.scalars(page))
        if not found:
            return
        without = (
            instances.c.id.between(found[0], found[-1])
            & instances.c.set_id.is_(None)
            & (instances.c.deleted == sa.literal(False, sa.Boolean))
        )
        values = (
            instances.c.id,
            instances.c.project_id,
            sa.literal("replication"),
            sa.literal(0),
            instances.c.id.label("target"),
            instances.c.id.label("current"),
            sa.literal(1),
            instances.c.created_at,
        )
        connection.execute(sa.insert(sets).from_select(_COPIED, sa.select(*values).where(without)))
        connection.execute(sa.update(instances).where(without).values(set_id=instances.c.id))
        after = found[-1]


#: The columns of ``sets``, in the order of what is selected.
_COPIED = ["id", "project_id", "kind", "term", "target_primary", "current_primary", "revision", "created_at"]
