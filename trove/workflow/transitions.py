# SPDX-License-Identifier: Apache-2.0
"""How a workflow moves: pure functions that change a :class:`~trove.workflow.records.Run` and do no I/O.

Invariants, from which the rest follows:

* ``wake_at`` is set exactly when a worker may run the workflow;
* ``error`` is set exactly when the workflow unwinds, was parked or has been reverted;
* unwinding begins with the step at the cursor itself, whether it failed, waited or never ran as far as we know: a
  worker may have died after its effect and before its checkpoint;
* once the pivot is completed nothing is undone any more, and before it nothing is parked but a failing undo and a step
  whose outcome nobody knows; the signal that such a step awaits is what lets it go on;
* ``undo_deadline`` is set while the workflow unwinds: an undo that waits for ever is parked then, and whatever waits
  for the end of the workflow can go on.
"""

import datetime
from dataclasses import dataclass, replace

from trove.common.backoff import Backoff, stretch
from trove.workflow.model import (
    FINAL,
    AwaitSignal,
    Done,
    Failed,
    ParkUntil,
    Result,
    Retry,
    Sleep,
    State,
    StepState,
)
from trove.workflow.records import Run, StepRecord, step_token
from trove.workflow.registry import Plan

CANCELLED = Failed("workflow.cancelled", "The operation was cancelled.")
TIMED_OUT = Failed("workflow.timed_out", "The operation did not finish in time.")
UNDO_TIMED_OUT = Failed("workflow.undo_timed_out", "What was begun could not be undone in time.")
STEP_ERROR = "workflow.step_error"
_STEP_ERROR_MESSAGE = "The operation failed because of an internal error."

#: Shortest wait in seconds: a step that answers Sleep(0) for ever must not keep a worker spinning.
MIN_WAIT = 0.02
_PROGRESS_MAX = 99


@dataclass(frozen=True)
class Raised:
    """The step, or what it wanted written at its checkpoint, ended with an exception."""

    reason: str


def begin(run: Run, plan: Plan) -> None:
    """Prepare a freshly claimed run: lay out its steps the first time, find its direction after an operator's retry."""
    if not run.steps:
        run.steps = {name: StepRecord(name, i, step_token(run.id, name)) for i, name in enumerate(plan.steps)}
    if run.error is not None and run.state is not State.UNWINDING:
        if passed_pivot(run, plan):
            run.error = None
        else:
            run.state, run.undo_deadline = State.UNWINDING, None
    if run.state is State.UNWINDING and run.undo_deadline is None:
        run.undo_deadline = _later(run, plan.flow.undo_timeout)


def passed_pivot(run: Run, plan: Plan) -> bool:
    """Tell whether the workflow can only go forward."""
    return run.cursor > plan.pivot


def interruption(run: Run, plan: Plan) -> Failed | None:
    """Return why the workflow must not run its next step, if so: cancelled (before the pivot only) or out of time."""
    if run.state is State.UNWINDING:
        late = run.undo_deadline is not None and run.undo_deadline <= run.now
        return UNDO_TIMED_OUT if late else None
    if run.cancel_requested and not passed_pivot(run, plan):
        return CANCELLED
    return TIMED_OUT if run.deadline is not None and run.deadline <= run.now else None


def next_step(run: Run, plan: Plan) -> StepRecord | None:
    """Return the step to run or undo now; ``None`` when all at the cursor wait."""
    return next((row for row in _open(run, plan) if _is_due(run, row)), None)


def waited(run: Run, row: StepRecord) -> float:
    """Return the seconds since the step, or its undo, first began; 0 the first time."""
    began = row.undo_started_at if run.state is State.UNWINDING else row.started_at
    return 0.0 if began is None else max(0.0, (run.now - began).total_seconds())


def timed_out(run: Run, row: StepRecord) -> bool:
    """Tell whether the step is run because its signal did not come in time."""
    waited = row.state is StepState.WAITING and row.signal is not None and row.signal not in run.signals
    return waited and row.deadline is not None and row.deadline <= run.now


def interrupt(run: Run, plan: Plan, failure: Failed | None) -> None:
    """Give the workflow up, if there is a reason: unwind before the pivot, park after it; park what cannot be undone in
    time."""
    if failure is None:
        return
    if run.state is State.UNWINDING:
        names = ", ".join(row.name for row in _open(run, plan))
        _park(run, _then(run, failure, f"the undo of {names} did not end within {plan.flow.undo_timeout:g} seconds"))
    elif passed_pivot(run, plan):
        _park(run, failure)
    else:
        _unwind(run, plan, failure)


def apply(
    run: Run, plan: Plan, name: str, result: Result | Raised, *, began: datetime.datetime, backoff: Backoff
) -> None:
    """Record what a step (or its undo) answered and move on as far as that allows."""
    old = run.steps[name]
    row = replace(old, started_at=old.started_at or began)
    if run.state is State.UNWINDING:
        row = replace(row, undo_started_at=old.undo_started_at or began)
    if not isinstance(result, Raised):
        if old.signal is not None and old.signal in run.signals:
            run.consumed += (run.signals.pop(old.signal).id,)
        row = replace(row, signal=None)
    match result:
        case Done(output):
            _complete(run, plan, row, dict(output) if output is not None else None)
        case Sleep(seconds, progress):
            shown = row.progress if progress is None else min(max(progress, 0), _PROGRESS_MAX)
            _wait(run, replace(row, progress=shown, deadline=_later(run, seconds)))
        case AwaitSignal(signal, timeout):
            first = old.deadline if old.state is StepState.WAITING and old.signal == signal else None
            kept = first if first is not None and first > run.now else _later(run, timeout)
            _wait(run, replace(row, signal=signal, deadline=kept))
        case ParkUntil(signal, failure):
            _wait(run, replace(row, signal=signal, deadline=None))
            _park(run, failure)
        case Retry(after, reason):
            _again(run, plan, row, Failed(STEP_ERROR, _STEP_ERROR_MESSAGE, reason), stretch(after))
        case Raised(reason):
            _again(run, plan, row, Failed(STEP_ERROR, _STEP_ERROR_MESSAGE, reason), backoff.delay(row.attempt))
        case Failed() as failure:
            if run.state is State.UNWINDING or passed_pivot(run, plan):
                _again(run, plan, row, failure, backoff.delay(row.attempt))
            else:
                run.steps[name] = _failed(run, row, failure)
                _unwind(run, plan, failure)


def unpark(run: Run) -> bool:
    """Let a parked workflow go on if a signal that one of its steps awaits has come; return whether it does."""
    # Who waits for a time has a deadline; what was parked for another reason must not go on for its sake.
    awaited = {row.signal for row in run.steps.values() if row.state is StepState.WAITING and row.deadline is None}
    if run.state is not State.PARKED or not awaited & set(run.signals):
        return False
    run.state, run.error = State.WAITING, None
    return True


def settle(run: Run, plan: Plan) -> None:
    """Decide when the workflow runs next, and let go of it unless that is now."""
    moment = _wake_at(run, plan)
    if moment is None or moment > run.now:
        run.wake_at, run.owner = moment, None
    elif run.wake_at is None or run.wake_at > run.now:
        run.wake_at = run.now  # else it stays: an unchanged value spares the database an index entry per step
    if moment is not None and run.state is not State.UNWINDING:
        run.state = State.WAITING if moment > run.now else State.RUNNING


def _wake_at(run: Run, plan: Plan) -> datetime.datetime | None:
    if run.state in FINAL or run.state is State.PARKED:
        return None
    if interruption(run, plan) is not None:
        return run.now
    moments = [run.now if _is_due(run, row) else row.deadline or run.now for row in _open(run, plan)]
    limit = run.undo_deadline if run.state is State.UNWINDING else run.deadline
    return min(moments if limit is None else [*moments, limit])


def _group(run: Run, plan: Plan) -> list[StepRecord]:
    return [run.steps[step.name] for step in plan.groups[run.cursor]]


def _open(run: Run, plan: Plan) -> list[StepRecord]:
    """The steps at the cursor that are still to be run, or to be undone in reverse."""
    if run.state is State.UNWINDING:
        return [row for row in reversed(_group(run, plan)) if row.state is not StepState.UNDONE]
    return [row for row in _group(run, plan) if row.state is not StepState.DONE]


def _is_due(run: Run, row: StepRecord) -> bool:
    if row.deadline is None or row.deadline <= run.now:
        return True
    # Only a waiting step is woken by its signal: one that raised and backs off keeps its signal for the next attempt.
    return row.state is StepState.WAITING and row.signal in run.signals


def _later(run: Run, seconds: float) -> datetime.datetime:
    return run.now + datetime.timedelta(seconds=max(seconds, MIN_WAIT))


def _wait(run: Run, row: StepRecord) -> None:
    run.steps[row.name] = replace(row, state=StepState.WAITING)


def _failed(run: Run, row: StepRecord, failure: Failed) -> StepRecord:
    text = failure.detail or failure.message
    return replace(row, state=StepState.FAILED, error=text, deadline=None, finished_at=run.now)


def _complete(run: Run, plan: Plan, row: StepRecord, output: dict[str, object] | None) -> None:
    unwinding = run.state is State.UNWINDING
    row = replace(row, deadline=None, finished_at=run.now)
    if unwinding:
        run.steps[row.name] = replace(row, state=StepState.UNDONE, progress=0)
    else:
        run.steps[row.name] = replace(row, state=StepState.DONE, progress=100, output=output, error=None)
    if _open(run, plan):
        return
    run.cursor += -1 if unwinding else 1
    if unwinding and run.cursor < 0:
        run.state = State.REVERTED
    elif unwinding:
        _start_undo(run, plan)
    elif run.cursor == len(plan.groups):
        run.state = State.SUCCEEDED


def _again(run: Run, plan: Plan, row: StepRecord, failure: Failed, delay: float) -> None:
    if row.attempt < plan.flow.max_attempts:
        text, deadline = failure.detail or failure.message, _later(run, delay)
        run.steps[row.name] = replace(
            row, state=StepState.PENDING, attempt=row.attempt + 1, error=text, deadline=deadline
        )
        return
    run.steps[row.name] = _failed(run, row, failure)
    if run.error is not None:
        text = failure.detail or failure.message
        _park(run, _then(run, failure, f"the undo of {row.name} failed: {text}"))
    else:
        interrupt(run, plan, failure)


def _then(run: Run, failure: Failed, consequence: str) -> Failed:
    """Return why the workflow was given up, which the failure of its undo does not hide."""
    if run.error is None:
        return replace(failure, detail=consequence)
    return replace(run.error, detail=f"{run.error.detail or run.error.message}; then {consequence}")


def _park(run: Run, failure: Failed) -> None:
    run.state, run.error = State.PARKED, failure


def _unwind(run: Run, plan: Plan, failure: Failed) -> None:
    run.state, run.error, run.undo_deadline = State.UNWINDING, failure, _later(run, plan.flow.undo_timeout)
    _start_undo(run, plan)


def _start_undo(run: Run, plan: Plan) -> None:
    for row in _group(run, plan):
        fresh = replace(row, attempt=1, signal=None, deadline=None)
        if fresh != row:
            run.steps[row.name] = fresh
