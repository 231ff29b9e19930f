# SPDX-License-Identifier: Apache-2.0
"""What is known of workflows, for users (*operations* of a resource) and operators; looks only, one or two indexed
queries each."""

import datetime
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trove.common import exception
from trove.workflow import claims, rows
from trove.workflow.model import FINAL, State, StepState

_W, _STEP = rows.WORKFLOWS, rows.STEPS
_OF_CHILD = ("id", "kind", "resource_id", "state", "wake_at", "cancel_requested_at", "error_symbol", "error_message")


class OperationNotFound(exception.NotFound):
    symbol = "operation.not_found"
    default = "The operation was not found."


@dataclass(frozen=True)
class OperationStep:
    """One step as the user sees it; ``progress`` is 0 to 100."""

    name: str
    state: str
    progress: int
    started_at: datetime.datetime | None
    finished_at: datetime.datetime | None
    attempt: int


@dataclass(frozen=True)
class Operation:
    """A workflow as the user sees it.

    :ivar progress: 0 to 100, over all steps; 0 again as far as they were undone.
    :ivar steps: in order; empty until a worker has begun.
    :ivar deadline: ``None`` while it is queued behind another one: its time begins when that has ended.
    :ivar error_message: one sentence for the user; details are the operator's.
    """

    id: str
    kind: str
    resource_id: str
    state: str
    progress: int
    steps: tuple[OperationStep, ...]
    cancel_requested: bool
    created_at: datetime.datetime
    updated_at: datetime.datetime
    finished_at: datetime.datetime | None
    deadline: datetime.datetime | None
    error_symbol: str | None
    error_message: str | None


class Listing:
    """The reading half of :class:`trove.workflow.store.Store`; every method works in the caller's transaction."""

    def active(self, session: Session, claim: str) -> Operation | None:
        """Return the workflow that holds ``claim``."""
        return _first(_operations(session, claims.held_by(claim)))

    def successors(self, session: Session, workflow_id: str, *, lock: bool = False) -> list[Operation]:
        """Return the workflows that are queued behind another one and have not started, in their order.

        :param lock: lock that one first, so that it does not end, and none of these starts, before the caller's
            transaction does.
        """
        if lock:
            session.execute(sa.select(_W.c.id).where(_W.c.id == workflow_id).with_for_update())
        waiting = (_W.c.after_id == workflow_id) & (_W.c.state == State.QUEUED.value) & _W.c.wake_at.is_(None)
        return _operations(session, sa.select(_W).where(waiting).order_by(_W.c.created_at, _W.c.id))

    def list_operations(
        self, session: Session, resource_id: str, *, limit: int, marker: str | None = None
    ) -> list[Operation]:
        """Return the workflows of a resource, newest first.

        :param marker: id of the last one of the page before.
        :raises OperationNotFound: when the marker is not one of the resource's.
        """
        query = sa.select(_W).where(_W.c.resource_id == resource_id).order_by(_W.c.created_at.desc(), _W.c.id.desc())
        if marker is not None:
            mark = self.get_operation(session, resource_id, marker)
            same = (_W.c.created_at == mark.created_at) & (_W.c.id < marker)
            query = query.where((_W.c.created_at < mark.created_at) | same)
        return _operations(session, query.limit(limit))

    def get_operation(self, session: Session, resource_id: str, operation_id: str) -> Operation:
        """Return one workflow of a resource.

        :raises OperationNotFound: when there is none, or it is another resource's.
        """
        found = _first(
            _operations(session, sa.select(_W).where(_W.c.id == operation_id, _W.c.resource_id == resource_id))
        )
        if found is None:
            raise OperationNotFound()
        return found

    def ended(self, session: Session, workflow_ids: Collection[str]) -> list[Operation]:
        """Return those of the given workflows that have ended, in no order."""
        final = [state.value for state in FINAL]
        return _operations(session, sa.select(_W).where(_W.c.id.in_(workflow_ids) & _W.c.state.in_(final)))

    def unfinished(self, session: Session, resource_ids: Collection[str]) -> set[str]:
        """Return which of these resources have a workflow that has not ended."""
        final = [state.value for state in FINAL]
        query = sa.select(_W.c.resource_id).where(_W.c.resource_id.in_(sorted(resource_ids)), _W.c.state.not_in(final))
        return set(session.scalars(query.distinct())) if resource_ids else set()

    def list_workflows(
        self, session: Session, *, states: Iterable[State] = (), resource_id: str | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """Return whole rows for the operator, newest first, optionally of some states or one resource."""
        query = sa.select(_W).order_by(_W.c.created_at.desc(), _W.c.id.desc()).limit(limit)
        if names := [state.value for state in states]:
            query = query.where(_W.c.state.in_(names))
        if resource_id is not None:
            query = query.where(_W.c.resource_id == resource_id)
        return [dict(row) for row in session.execute(query).mappings()]

    def describe(self, session: Session, workflow_id: str) -> dict[str, Any]:
        """Return a whole row with its ``claims``, ``steps`` and ``children`` (see :meth:`children`), for the operator.

        :raises OperationNotFound: when there is none.
        """
        row = session.execute(sa.select(_W).where(_W.c.id == workflow_id)).mappings().one_or_none()
        if row is None:
            raise OperationNotFound()
        steps = sa.select(_STEP).where(_STEP.c.workflow_id == workflow_id).order_by(_STEP.c.position)
        return {
            **row,
            "claims": row["claims"] or [key for key in (row["claim_key"] or row["wanted_claim"],) if key is not None],
            "steps": [dict(step) for step in session.execute(steps).mappings()],
            "children": self.children(session, workflow_id),
        }

    def children(self, session: Session, workflow_id: str) -> list[dict[str, Any]]:
        """Return of each workflow that another one has started what tells how it stands, in the order of their
        resources."""
        query = sa.select(*[_W.c[name] for name in _OF_CHILD]).where(_W.c.parent_id == workflow_id)
        return [dict(row) for row in session.execute(query.order_by(_W.c.resource_id, _W.c.id)).mappings()]


def _first(operations: list[Operation]) -> Operation | None:
    return operations[0] if operations else None


def _operations(session: Session, query: sa.Select[Any]) -> list[Operation]:
    workflows = session.execute(query).mappings().all()
    steps: dict[str, list[Mapping[Any, Any]]] = {row["id"]: [] for row in workflows}
    if steps:
        found = sa.select(_STEP).where(_STEP.c.workflow_id.in_(list(steps))).order_by(_STEP.c.position)
        for step in session.execute(found).mappings():
            steps[step["workflow_id"]].append(step)
    return [_operation(row, steps[row["id"]]) for row in workflows]


def _operation(row: Mapping[Any, Any], step_rows: list[Mapping[Any, Any]]) -> Operation:
    steps = [
        OperationStep(s["name"], s["state"], s["progress"], s["started_at"], s["finished_at"], s["attempt"])
        for s in step_rows
    ]
    if row["state"] == State.RUNNING.value:
        # No row is written when a step begins, only when it has answered: the first pending one is the one that runs.
        for i, step in enumerate(steps):
            if step.state == StepState.PENDING.value:
                began = step.started_at or row["updated_at"]
                steps[i] = OperationStep(step.name, StepState.RUNNING.value, step.progress, began, None, step.attempt)
                break
    queued = row["state"] == State.QUEUED.value and row["wake_at"] is None
    progress = 100 if row["state"] == State.SUCCEEDED.value else sum(s.progress for s in steps) // max(len(steps), 1)
    own = ("id", "kind", "resource_id", "state", "created_at", "updated_at", "finished_at", "error_symbol")
    return Operation(
        **{name: row[name] for name in own},
        progress=progress,
        steps=tuple(steps),
        cancel_requested=row["cancel_requested_at"] is not None,
        deadline=None if queued else row["deadline"],
        error_message=row["error_message"],
    )
