# SPDX-License-Identifier: Apache-2.0
"""A guest as a whole: what is erased when its instance is gone."""

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import models
from trove.objects import base, guest_log, instance_module, inventory
from trove.objects.guest_identity import GuestIdentity

_COMMANDS = base.table_of(models.GuestCommand)
_BEATS = base.table_of(models.Heartbeat)


def forget(session: orm.Session, instance_id: str) -> None:
    """Erase keys, commands, heartbeat, inventory, logs and modules of an instance's guest. Absence is success."""
    GuestIdentity.remove(session, instance_id)
    for table in (_COMMANDS, _BEATS):
        session.execute(sa.delete(table).where(table.c.instance_id == instance_id))
    inventory.clear(session, instance_id)
    guest_log.clear(session, instance_id)
    instance_module.clear(session, instance_id)
