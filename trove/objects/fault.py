# SPDX-License-Identifier: Apache-2.0
"""The last asynchronous failure of an instance. A rejected request never leaves one; the next success removes it."""

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import api, models
from trove.objects import base, upsert

_TABLE = base.table_of(models.InstanceFault)
_COLUMNS = ("symbol", "message", "details", "created_at")


def set_fault(session: orm.Session, instance_id: str, symbol: str, message: str, details: str | None = None) -> None:
    """Record a failure in place of an earlier one.

    :param symbol: stable, lower case with dots.
    :param message: one sentence for the user; what is beyond 255 characters is cut off.
    :param details: for the operator only, for example the guest's last log lines; the end is kept.
    """
    row = {
        "instance_id": instance_id,
        "symbol": symbol[:128],
        "message": message.replace("\x00", "")[:255],
        "details": base.clip(details),
        "created_at": api.now(session),
    }
    upsert.upsert(session, _TABLE, [row], _COLUMNS)


def correct_fault(session: orm.Session, instance_id: str, symbol: str, becomes: tuple[str, str] | None) -> None:
    """Put another symbol and message in the place of a fault with ``symbol``, or nothing; any other fault stays."""
    mine = _TABLE.c.instance_id == instance_id, _TABLE.c.symbol == symbol
    if becomes is None:
        session.execute(sa.delete(_TABLE).where(*mine))
    else:
        values = {"symbol": becomes[0][:128], "message": becomes[1].replace("\x00", "")[:255]}
        session.execute(sa.update(_TABLE).where(*mine).values(values))


def clear_fault(session: orm.Session, instance_id: str) -> None:
    """Remove the fault, if there is one."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.instance_id == instance_id))
