# SPDX-License-Identifier: Apache-2.0
"""Runs a claimed workflow until it waits, ends or is taken away.

The loop is: choose the step, run it (and in a group the next, while there is one), checkpoint, repeat; the choice and
the move are pure (:mod:`trove.workflow.transitions`), the checkpoint is one transaction
(:meth:`trove.workflow.store.Store.checkpoint`). Between two checkpoints the engine remembers nothing that matters:
whoever claims the workflow next runs the same steps again, which they are made for.

>>> run = store.claim(workflow_id, "me", 30.0, registry.keys())                              # doctest: +SKIP
>>> engine.run_one(run, cancel)                                                             # doctest: +SKIP
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from trove.common.backoff import Backoff
from trove.common.lease import LeaseEnded
from trove.db import api
from trove.workflow import transitions
from trove.workflow.model import (
    AwaitSignal,
    CancelToken,
    Done,
    LeaseLost,
    Result,
    Signal,
    Sleep,
    State,
    StepContext,
)
from trove.workflow.records import Run, StepRecord
from trove.workflow.registry import Plan, Registry
from trove.workflow.store import Store
from trove.workflow.transitions import Raised

LOG = logging.getLogger(__name__)

#: Waits between attempts of a step that fails, unless a worker was given others.
RETRIES = Backoff(first=2.0, cap=120.0)


class Engine:
    """Runs workflows of the flows in ``registry`` with ``env`` as their outside world. Shared between threads.

    :param backoff: waits between attempts of a step that fails.
    """

    def __init__(self, store: Store, registry: Registry, env: Any, *, backoff: Backoff | None = None) -> None:
        self._store = store
        self._registry = registry
        self._env = env
        self._backoff = backoff or RETRIES

    def run_one(self, run: Run, cancel: CancelToken, stopping: Callable[[], bool] = lambda: False) -> Run:
        """Run the steps of a workflow just claimed, for as long as there is something to run.

        :param cancel: handed to the steps.
        :param stopping: asked between steps; when it says so the lease is given back.
        :returns: the run as it was left: its ``owner`` is ``None``.
        :raises LeaseLost: when somebody else has taken over.
        """
        plan = self._registry.plan(run.kind, run.version)
        transitions.begin(run, plan)
        while run.owner is not None:
            if stopping():
                self._store.give_back(run.owner, [run.id])
                return replace(run, owner=None)
            run = self._advance(run, plan, cancel)
        return run

    def _advance(self, run: Run, plan: Plan, cancel: CancelToken, *, together: bool = True) -> Run:
        failure = transitions.interruption(run, plan)
        row = transitions.next_step(run, plan)
        if failure is not None or row is None:
            ctx = self._context(run, row or run.steps[plan.groups[run.cursor][0].name], cancel)
            return self._commit(run, plan, ctx, lambda draft: transitions.interrupt(draft, plan, failure))
        answers = self._gather(run, plan, row, cancel, together=together)
        try:
            return self._record(run, plan, answers)
        except (LeaseLost, *api.CONFLICTS):
            raise
        except Exception as err:  # boundary: a failed write or hook counts like a failing step
            if len(answers) > 1:  # whose fault it is shows when each is recorded by itself
                return self._advance(run, plan, cancel, together=False)
            raised = self._raised(run, row.name, err)
        return self._record(run, plan, [_Answer(row, self._context(run, row, cancel), raised)])

    def _gather(self, run: Run, plan: Plan, row: StepRecord, cancel: CancelToken, *, together: bool) -> "list[_Answer]":
        """Run the step of ``row``, and ``together`` with it those of its group that can run now too."""
        answers: list[_Answer] = []
        draft, following = run.draft(run.now), row
        while True:
            step, ctx = plan.steps[following.name], self._context(draft, following, cancel)
            result = self._answer(step.undo if run.state is State.UNWINDING else step.run, ctx, run)
            answers.append(_Answer(following, ctx, result))
            if not together or run.state is State.UNWINDING or not isinstance(result, Done | Sleep | AwaitSignal):
                return answers
            self._apply(draft, plan, run, answers[-1])
            found = transitions.next_step(draft, plan) if draft.cursor == run.cursor else None
            if found is None:
                return answers
            following = found

    def _record(self, run: Run, plan: Plan, answers: "list[_Answer]") -> Run:
        """Checkpoint what the steps answered."""

        def change(draft: Run) -> None:
            for answer in answers:
                self._apply(draft, plan, run, answer)

        writes = [write for answer in answers for write in answer.ctx.writes]
        calls = [call for answer in answers for call in answer.ctx.calls]
        return self._commit(run, plan, replace(answers[-1].ctx, writes=writes, calls=calls), change)

    def _answer(self, act: Callable[[StepContext], Result], ctx: StepContext, run: Run) -> Result | Raised:
        """Run or undo a step; this is the one place where exceptions of steps are caught."""
        try:
            result = act(ctx)
            if not isinstance(result, Result):
                raise TypeError(f"a step must answer with one of {Result}, not with {type(result).__name__}")
            return result
        except LeaseLost:
            raise
        except LeaseEnded as err:  # nothing was done, and nothing could be recorded
            raise LeaseLost(f"workflow {run.id} stopped in step {ctx.step}: {err}") from err
        except Exception as err:  # boundary: whatever a step raises is an attempt that failed
            return self._raised(run, ctx.step, err)

    @staticmethod
    def _raised(run: Run, step: str, err: Exception) -> Raised:
        LOG.exception("Step %s of %s %s failed on attempt %d", step, run.kind, run.id, run.steps[step].attempt)
        return Raised(f"{type(err).__name__}: {err}")

    def _apply(self, draft: Run, plan: Plan, run: Run, answer: "_Answer") -> None:
        transitions.apply(draft, plan, answer.row.name, answer.result, began=run.now, backoff=self._backoff)

    def _context(self, run: Run, row: StepRecord, cancel: CancelToken) -> StepContext:
        arrived = row.signal is not None and row.signal in run.signals
        return StepContext(
            env=self._env,
            workflow_id=run.id,
            kind=run.kind,
            resource_type=run.resource_type,
            resource_id=run.resource_id,
            project_id=run.project_id,
            request_id=run.request_id,
            inputs=run.inputs,
            step=row.name,
            attempt=row.attempt,
            token=row.token,
            epoch=run.epoch,
            outputs={step.name: step.output for step in run.steps.values() if step.output is not None},
            cancel=cancel,
            signal=Signal(row.signal, run.signals[row.signal].payload) if arrived and row.signal is not None else None,
            timed_out=transitions.timed_out(run, row),
            waited=transitions.waited(run, row),
            error=run.error,
        )

    def _commit(self, run: Run, plan: Plan, ctx: StepContext, change: Callable[[Run], None]) -> Run:
        """Checkpoint; in the ending transaction with the flow's hook; afterwards the calls that were asked for."""
        last: list[StepContext] = [ctx]

        def write(draft: Run, session: Session) -> None:
            for requested in ctx.writes:
                requested(session)
            # A context of its own per try: what a hook asked for in a transaction that rolled back must not be called.
            outputs = {step.name: step.output for step in draft.steps.values() if step.output is not None}
            last[0] = replace(ctx, outputs=outputs, error=draft.error, writes=[], calls=list(ctx.calls))
            _call_hook(plan, draft, last[0], session)

        done = self._store.checkpoint(run, change, lambda draft: transitions.settle(draft, plan), write)
        _log_end(done)
        for call in last[0].calls:
            try:
                call()
            except Exception:  # boundary: these are hints, whose loss must not matter
                LOG.exception("A hint after step %s of %s %s failed", ctx.step, run.kind, run.id)
        return done


@dataclass(frozen=True)
class _Answer:
    """What one run of a step came to, not recorded yet."""

    row: StepRecord
    ctx: StepContext
    result: Result | Raised


def _call_hook(plan: Plan, draft: Run, ctx: StepContext, session: Session) -> None:
    flow = plan.flow
    if draft.state is State.PARKED:
        try:
            with api.savepoint(session):
                flow.on_parked(ctx, session)
        except api.CONFLICTS:
            raise  # nothing is left of the checkpoint either
        except Exception:  # boundary: a workflow must be seen as parked even when its hook fails
            LOG.exception("The hook on_parked of %s %s failed", draft.kind, draft.id)
    elif draft.state is State.SUCCEEDED:
        flow.on_success(ctx, session)
    elif draft.state is State.REVERTED:
        flow.on_reverted(ctx, session)


def _log_end(run: Run) -> None:
    reason = f"{run.error.symbol}: {run.error.detail or run.error.message}" if run.error else ""
    if run.state is State.PARKED:
        LOG.error("Workflow %s %s of %s %s is PARKED and needs an operator (trove-manage workflow show %s): %s",
                  run.kind, run.id, run.resource_type, run.resource_id, run.id, reason)  # fmt: skip
    elif run.state is State.REVERTED:
        LOG.warning(
            "Workflow %s %s of %s %s was reverted: %s", run.kind, run.id, run.resource_type, run.resource_id, reason
        )
    elif run.state is State.SUCCEEDED:
        LOG.info("Workflow %s %s of %s %s succeeded", run.kind, run.id, run.resource_type, run.resource_id)
