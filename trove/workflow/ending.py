# SPDX-License-Identifier: Apache-2.0
"""What the end of a workflow sets in motion, in the transaction that ends it: its claims become free, its successors
start, its parent is told, and what is left of its children is cancelled."""

import datetime
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as db_exception
from sqlalchemy.orm import Session

from trove.common import exception
from trove.db import api
from trove.workflow import claims, rows, signals
from trove.workflow.model import CHILD_ENDED, State

_W, _SIGNAL = rows.WORKFLOWS, rows.SIGNALS
#: How often taking several claims is tried again when another transaction has taken one of them meanwhile.
_TRIES = 5


def ended(session: Session, workflow_id: str, parent_id: str | None, now: datetime.datetime) -> None:
    """Do what follows from the end of a workflow, whose row says already that it has ended."""
    session.execute(sa.delete(_SIGNAL).where(_SIGNAL.c.workflow_id == workflow_id))
    claims.release(session, workflow_id)
    waiting = (_W.c.after_id == workflow_id) & (_W.c.state == State.QUEUED.value) & _W.c.wake_at.is_(None)
    queue = rows.LIMITS.add_columns(_W.c.id, _W.c.claims, _W.c.wanted_claim).where(waiting)
    for row in session.execute(queue.order_by(_W.c.created_at, _W.c.id)).all():
        _start(session, row, now)
    signals.request_cancel(session, _W.c.parent_id == workflow_id, now)
    if parent_id is not None:
        signals.deliver(session, parent_id, CHILD_ENDED, {}, now, renew=True)


def _start(session: Session, row: Any, now: datetime.datetime) -> None:
    """Start a successor with all its claims, or queue it behind another workflow that holds one of them."""
    keys = row.claims or ([] if row.wanted_claim is None else [row.wanted_claim])
    start = {"claim_key": row.wanted_claim, "wanted_claim": None, "wake_at": now, "updated_at": now}
    mine = sa.update(_W).where(_W.c.id == row.id)
    for _ in range(_TRIES):
        # Locked, so that it cannot end before this transaction has queued the successor behind it.
        if (other := claims.lock_holder(session, keys)) is not None:
            session.execute(mine.values(after_id=other.workflow_id))
            return
        try:
            with api.savepoint(session):
                session.execute(mine.values(**start, deadline=rows.fresh_deadline(row, now)))
                claims.take(session, row.id, keys)
            return
        except db_exception.DBDuplicateEntry:
            continue
    raise exception.StaleObject
