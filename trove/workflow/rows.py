# SPDX-License-Identifier: Apache-2.0
"""Between the rows of the workflow tables and the records that workers hold; statements only, no transactions.

The statements of the hot path are built once: SQLAlchemy spends more time on building one than the database on running
it. An UPDATE without values takes its SET clause from the parameters named like columns.
"""

import datetime
from collections.abc import Mapping
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trove.common import redact
from trove.db import models
from trove.workflow.model import Failed, State, StepState
from trove.workflow.records import Arrived, Run, StepRecord

WORKFLOWS = cast(sa.Table, models.Workflow.__table__)
STEPS = cast(sa.Table, models.WorkflowStep.__table__)
SIGNALS = cast(sa.Table, models.WorkflowSignal.__table__)
CLAIMS = cast(sa.Table, models.WorkflowClaim.__table__)

_W, _STEP, _SIGNAL = WORKFLOWS, STEPS, SIGNALS
_MESSAGE_MAX = 255
_SYMBOL_MAX = 128

_SAVE = sa.update(_W).where(
    _W.c.id == sa.bindparam("key"), _W.c.owner == sa.bindparam("holder"), _W.c.epoch == sa.bindparam("lease")
)
_SAVE_STEP = sa.update(_STEP).where(_STEP.c.workflow_id == sa.bindparam("key"), _STEP.c.name == sa.bindparam("step"))
_STEP_COLUMNS = tuple(column.name for column in _STEP.columns)
_STEPS_OF = sa.select(_STEP).where(_STEP.c.workflow_id == sa.bindparam("key"))
_ARRIVALS = (
    sa.select(_W.c.cancel_requested_at, _SIGNAL.c.id, _SIGNAL.c.name, _SIGNAL.c.payload)
    .select_from(_W.outerjoin(_SIGNAL, _SIGNAL.c.workflow_id == _W.c.id))
    .where(_W.c.id == sa.bindparam("key"))
)
#: What :func:`fresh_deadline` needs to know.
LIMITS = sa.select(_W.c.timeout, _W.c.created_at, _W.c.deadline)


def fresh_deadline(row: Any, now: datetime.datetime) -> datetime.datetime | None:
    """Return the deadline of a workflow that has its whole time from now on."""
    if row.timeout is not None:
        return now + datetime.timedelta(seconds=row.timeout)
    # Submitted by the former release: how much time it had then.
    return None if row.deadline is None else now + (row.deadline - row.created_at)


def matched(session: Session, statement: sa.UpdateBase, values: Mapping[str, Any] | None = None) -> int:
    """Run a guarded statement; return how many rows its WHERE matched (not changed; SQLAlchemy sees to that on
    MySQL)."""
    return cast(sa.CursorResult[Any], session.execute(statement, values)).rowcount


def load(session: Session, workflow_id: str, ttl: float, now: datetime.datetime) -> Run:
    """Return a workflow that this transaction has claimed."""
    row = session.execute(sa.select(_W).where(_W.c.id == workflow_id)).mappings().one()
    found = session.execute(_STEPS_OF, {"key": workflow_id}).mappings().all()
    steps = {step["name"]: StepRecord(**_step_fields(step)) for step in found}
    same = ("id", "resource_type", "resource_id", "project_id", "request_id", "inputs", "cursor", "wake_at", "deadline")
    run = Run(
        **{name: row[name] for name in (*same, "kind", "owner", "epoch", "parent_id", "undo_deadline")},
        version=row["kind_version"],
        state=State(row["state"]),
        cancel_requested=False,
        ttl=ttl,
        now=now,
        planned=bool(steps),
        steps=steps,
    )
    if row["error_symbol"] is not None:
        run.error = Failed(row["error_symbol"], row["error_message"] or "", row["error_detail"])
    read_arrivals(session, run)
    return run


def read_arrivals(session: Session, run: Run) -> None:
    """Take up the signals and the cancel request that are there by now."""
    rows = session.execute(_ARRIVALS, {"key": run.id}).all()
    run.cancel_requested = rows[0].cancel_requested_at is not None
    run.signals = {row.name: Arrived(row.id, row.payload or {}) for row in rows if row.name is not None}


def save(session: Session, fence: Run, run: Run, **ending: Any) -> bool:
    """Write the workflow's own row, if ``fence`` still holds it; return whether it does."""
    guard = {"key": fence.id, "holder": fence.owner, "lease": fence.epoch}
    return bool(matched(session, _SAVE, {**guard, **workflow_columns(run), **ending}))


def save_steps(session: Session, before: Run, run: Run) -> None:
    """Write the steps that have changed (all, the first time) and forget the signals that were used."""
    if not run.planned:
        rows = [{"workflow_id": run.id, **_step_columns(step)} for step in run.steps.values()]
        session.execute(sa.insert(_STEP), rows)
        run.planned = True
    else:
        for name, step in run.steps.items():
            if step is not before.steps[name]:
                values = _step_columns(step)
                del values["name"]
                session.execute(_SAVE_STEP, {"key": run.id, "step": name, **values})
    if run.consumed:
        session.execute(sa.delete(_SIGNAL).where(_SIGNAL.c.id.in_(run.consumed)))


def workflow_columns(run: Run) -> dict[str, Any]:
    """Return what a checkpoint writes to the workflow's own row."""
    lease = run.now + datetime.timedelta(seconds=run.ttl) if run.owner is not None else None
    own = {name: getattr(run, name) for name in ("cursor", "wake_at", "owner", "undo_deadline")}
    return {**own, "state": run.state.value, "lease_until": lease, "updated_at": run.now, **error_columns(run.error)}


def error_columns(error: Failed | None) -> dict[str, str | None]:
    """Return a failure as columns, cut to size, with what looks like a secret masked."""
    if error is None:
        return {"error_symbol": None, "error_message": None, "error_detail": None}
    detail = redact.mask_text(error.detail) if error.detail is not None else None
    message = redact.mask_text(error.message)[:_MESSAGE_MAX]
    return {"error_symbol": error.symbol[:_SYMBOL_MAX], "error_message": message, "error_detail": detail}


def _step_columns(step: StepRecord) -> dict[str, Any]:
    row = {name: getattr(step, name) for name in _STEP_COLUMNS if name != "workflow_id"}
    row["state"] = step.state.value
    row["error"] = redact.mask_text(step.error) if step.error is not None else None
    return row


def _step_fields(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {**{key: row[key] for key in row if key != "workflow_id"}, "state": StepState(row["state"])}
