# SPDX-License-Identifier: Apache-2.0
"""Delivering signals to workflows and asking them to unwind, in the caller's transaction; the guarantees are those of
:mod:`trove.workflow.store`."""

import datetime
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trove.common import ids
from trove.workflow import rows
from trove.workflow.model import FINAL, State, StepState

_W, _STEP, _SIGNAL = rows.WORKFLOWS, rows.STEPS, rows.SIGNALS
_ACTIVE = _W.c.state.not_in([state.value for state in FINAL])


def deliver(
    session: Session,
    workflow_id: str,
    name: str,
    payload: Mapping[str, Any],
    now: datetime.datetime,
    *,
    renew: bool = False,
) -> bool:
    """See :meth:`trove.workflow.store.Store.signal`.

    :param renew: replace one that has not been consumed. A step that was given that one, and consumes it with its
        checkpoint, is given this one afterwards.
    """
    mine = _W.c.id == workflow_id
    # First of all the lock, see the module's docstring of the store.
    if not rows.matched(session, sa.update(_W).where(mine, _ACTIVE).values(updated_at=now)):
        return False
    same = (_SIGNAL.c.workflow_id == workflow_id) & (_SIGNAL.c.name == name)
    if renew:
        session.execute(sa.delete(_SIGNAL).where(same))
    if session.execute(sa.select(_SIGNAL.c.id).where(same)).first() is None:
        row = {
            "id": ids.new_id(),
            "workflow_id": workflow_id,
            "name": name,
            "payload": dict(payload),
            "created_at": now,
        }
        session.execute(sa.insert(_SIGNAL).values(row))
    awaits = (
        (_STEP.c.workflow_id == workflow_id) & (_STEP.c.state == StepState.WAITING.value) & (_STEP.c.signal == name)
    )
    if session.execute(sa.select(_STEP.c.name).where(awaits)).first() is not None:
        session.execute(sa.update(_W).where(mine, _W.c.wake_at > now).values(wake_at=now))
    if session.execute(sa.select(_STEP.c.name).where(awaits, _STEP.c.deadline.is_(None))).first() is not None:
        _unpark(session, workflow_id, now)
    return True


def _unpark(session: Session, workflow_id: str, now: datetime.datetime) -> None:
    parked = (_W.c.id == workflow_id) & (_W.c.state == State.PARKED.value)
    row = session.execute(rows.LIMITS.where(parked)).first()
    if row is not None:  # with its whole time again: how long nobody could know is not its fault
        on = {"state": State.WAITING.value, "wake_at": now, "deadline": rows.fresh_deadline(row, now)}
        session.execute(sa.update(_W).where(parked).values(**on, **rows.error_columns(None)))


def request_cancel(session: Session, which: sa.ColumnElement[bool], now: datetime.datetime) -> int:
    """Ask workflows to unwind; return how many are active and were not asked before."""
    sleeping = _W.c.state == State.WAITING.value
    asked = (
        sa.update(_W)
        .where(which, _ACTIVE, _W.c.cancel_requested_at.is_(None))
        .values(cancel_requested_at=now, updated_at=now, wake_at=sa.case((sleeping, now), else_=_W.c.wake_at))
    )
    return rows.matched(session, asked)
