# SPDX-License-Identifier: Apache-2.0
"""Server groups: what an instance with a locality is placed by. A group lives as long as an instance in it."""

import sqlalchemy as sa
from sqlalchemy import orm

from trove.common import ids
from trove.db import api, models
from trove.domain import instance_states
from trove.objects import base

_TABLE = base.table_of(models.ServerGroup)
_INSTANCE = base.table_of(models.Instance)


def create(session: orm.Session, project_id: str, policy: str) -> str:
    """Insert a group and return its id."""
    group_id = ids.new_id()
    values = {"id": group_id, "project_id": project_id, "policy": policy, "created_at": api.now(session)}
    session.execute(sa.insert(_TABLE).values(values))
    return group_id


def policy_of(session: orm.Session, group_id: str) -> str | None:
    """Return the policy of a group, ``None`` when it is gone."""
    return session.scalar(sa.select(_TABLE.c.policy).where(_TABLE.c.id == group_id))


def has_others(session: orm.Session, group_id: str, instance_id: str) -> bool:
    """Tell whether an instance other than this one is in the group and going to stay."""
    return session.scalar(_others(group_id, instance_id).where(_INSTANCE.c.status != instance_states.SHUTDOWN)) != 0


def leave(session: orm.Session, group_id: str, instance_id: str) -> None:
    """Delete the group unless another instance, leaving or not, is in it."""
    # The lock lets two that leave at once see each other: the second one finds the first one deleted.
    session.execute(sa.select(_TABLE.c.id).where(_TABLE.c.id == group_id).with_for_update())
    if session.scalar(_others(group_id, instance_id)) == 0:
        session.execute(sa.delete(_TABLE).where(_TABLE.c.id == group_id))


def _others(group_id: str, instance_id: str) -> sa.Select[tuple[int]]:
    return (
        sa.select(sa.func.count())
        .select_from(_INSTANCE)
        .where(
            _INSTANCE.c.server_group_id == group_id,
            _INSTANCE.c.id != instance_id,
            _INSTANCE.c.deleted.is_(sa.false()),
        )
    )
