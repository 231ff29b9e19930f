# SPDX-License-Identifier: Apache-2.0
"""What a worker holds in memory of a workflow it has claimed: the rows, without SQL.

Times are the database's, naive UTC. ``Run.now`` is the database's time of the last claim or checkpoint.
"""

import datetime
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from trove.workflow.model import Failed, State, StepState


@dataclass(frozen=True)
class StepRecord:
    """One row of ``workflow_steps``.

    :ivar attempt: number of the current attempt, from 1; undoing starts again at 1.
    :ivar signal: name awaited.
    :ivar deadline: when the step runs again at the latest; ``None``: at once.
    """

    name: str
    position: int
    token: str
    state: StepState = StepState.PENDING
    attempt: int = 1
    signal: str | None = None
    deadline: datetime.datetime | None = None
    output: Mapping[str, Any] | None = None
    progress: int = 0
    error: str | None = None
    started_at: datetime.datetime | None = None
    undo_started_at: datetime.datetime | None = None
    finished_at: datetime.datetime | None = None


class Arrived(NamedTuple):
    """A signal that has arrived: the id of its row and what it says."""

    id: str
    payload: Mapping[str, Any]


@dataclass
class Run:
    """A claimed workflow.

    :ivar owner: the worker that holds it; ``None`` once it has let go.
    :ivar error: why it unwinds or was parked; ``None`` while all is well.
    :ivar planned: whether the step rows are in the database yet.
    :ivar signals: the signals that have arrived, by name.
    :ivar consumed: ids of the signals used by the steps that the current checkpoint records.
    :ivar undo_deadline: when an undo that has not ended is given up; ``None`` while nothing is undone.
    """

    id: str
    kind: str
    version: int
    resource_type: str
    resource_id: str
    project_id: str
    request_id: str | None
    inputs: Mapping[str, Any]
    state: State
    cursor: int
    wake_at: datetime.datetime | None
    deadline: datetime.datetime | None
    cancel_requested: bool
    owner: str | None
    epoch: int
    ttl: float
    now: datetime.datetime
    parent_id: str | None = None
    undo_deadline: datetime.datetime | None = None
    error: Failed | None = None
    planned: bool = False
    steps: dict[str, StepRecord] = field(default_factory=dict)
    signals: dict[str, Arrived] = field(default_factory=dict)
    consumed: tuple[str, ...] = ()

    def draft(self, now: datetime.datetime) -> "Run":
        """Return a copy to be changed inside a transaction that may roll back."""
        return replace(self, now=now, steps=dict(self.steps), signals=dict(self.signals), consumed=())


def step_token(workflow_id: str, name: str) -> str:
    """Return the id of a step that is the same on every attempt.

    It is computed, not drawn: a worker that dies before its first checkpoint has saved nothing, yet the next one must
    use the same token.
    """
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{workflow_id}/{name}"))
