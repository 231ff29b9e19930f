# SPDX-License-Identifier: Apache-2.0
"""A guest as a whole: what is erased when its instance is gone."""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import models
from trove.objects import base, guest_log, instance_module, inventory
from trove.objects.guest_command import FINAL
from trove.objects.guest_identity import GuestIdentity

_COMMANDS = base.table_of(models.GuestCommand)
_BEATS = base.table_of(models.Heartbeat)
#: Commands that are erased in one transaction; each may have somebody to be told.
BATCH = 100

#: Tells a workflow, by its id, that a command will have no result, by its id.
Tell = Callable[[str, str], None]


def forget(session: orm.Session, instance_id: str, tell: Tell) -> bool:
    """Erase keys, commands, heartbeat, inventory, logs and modules of an instance's guest, and tell who waits for a
    command that has not ended, in the same transaction. Absence is success.

    :param tell: called once for each command that somebody waits for.
    :returns: whether nothing is left. Else the caller commits and calls again: no more than :data:`BATCH` commands are
        erased at once.
    """
    # First, because it waits for who is adding a command now, and nobody can add one afterwards.
    GuestIdentity.remove(session, instance_id)
    mine = _COMMANDS.c.instance_id == instance_id
    columns = (_COMMANDS.c.id, _COMMANDS.c.workflow_id, _COMMANDS.c.state)
    query = sa.select(*columns).where(mine).order_by(_COMMANDS.c.sequence).limit(BATCH)
    # Locked, because a plain SELECT of MySQL shows what there was when the transaction began.
    rows = session.execute(query.with_for_update()).all()
    for row in rows:
        if row.workflow_id is not None and row.state not in FINAL:
            tell(row.workflow_id, row.id)
    session.execute(sa.delete(_COMMANDS).where(_COMMANDS.c.id.in_([row.id for row in rows])))
    if len(rows) == BATCH:
        return False
    session.execute(sa.delete(_BEATS).where(_BEATS.c.instance_id == instance_id))
    inventory.clear(session, instance_id)
    guest_log.clear(session, instance_id)
    instance_module.clear(session, instance_id)
    return True


def is_left(session: orm.Session, instance_id: str) -> bool:
    """Tell whether :func:`forget` has to be called more than once."""
    query = sa.select(_COMMANDS.c.id).where(_COMMANDS.c.instance_id == instance_id).limit(BATCH)
    return len(session.execute(query).all()) == BATCH
