# SPDX-License-Identifier: Apache-2.0
"""The vocabulary of workflows: flows, steps, what a step may answer.

A flow is a tuple of steps. The engine runs one step at a time and writes a checkpoint after each (after as many as can
run now, in a group), in the same transaction as the domain rows the steps asked for. No graphs, no expressions, no
user-defined flows. What a step must promise:

* it may run twice (a worker died after the effect and before the checkpoint), so it *adopts or creates* by tag;
* ``undo`` works by tag, never by output: the output may never have been saved;
* its name is for life; a changed flow gets ``version + 1`` and the old one stays registered until none is in flight;
* inputs and outputs are JSON and hold no secrets, only references.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.orm import Session


class State(enum.StrEnum):
    """Where a workflow stands."""

    #: Waits for its predecessor or for its first worker.
    QUEUED = "QUEUED"
    #: A worker may run its next step.
    RUNNING = "RUNNING"
    #: Sleeps, or waits for a signal.
    WAITING = "WAITING"
    #: Completed steps are being undone in reverse.
    UNWINDING = "UNWINDING"
    #: Ended well.
    SUCCEEDED = "SUCCEEDED"
    #: Ended after everything was undone, or was ended by an operator.
    REVERTED = "REVERTED"
    #: Cannot go on by itself past its pivot, or awaits word of an outcome that nobody knows now; an operator must look,
    #: and may retry or abort it.
    PARKED = "PARKED"


#: No worker will touch these again on its own.
FINAL = frozenset({State.SUCCEEDED, State.REVERTED})


class StepState(enum.StrEnum):
    """Where one step stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    DONE = "DONE"
    FAILED = "FAILED"
    UNDONE = "UNDONE"


@dataclass(frozen=True)
class Done:
    """The step is complete; ``output`` (JSON, no secrets) is kept for later steps."""

    output: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Sleep:
    """Run the step again after ``seconds`` (on the database's clock); does not count as an attempt."""

    seconds: float
    #: 0..100, what the user sees of a long step.
    progress: int | None = None


@dataclass(frozen=True)
class AwaitSignal:
    """Run the step again when the signal ``name`` has arrived or ``timeout`` seconds have passed since it was first
    awaited.

    The step then finds the payload in :attr:`StepContext.signal`, or :attr:`StepContext.timed_out` set.
    """

    name: str
    timeout: float


@dataclass(frozen=True)
class Retry:
    """Something passing went wrong: run the step again after ``after`` seconds; counts as an attempt.

    An exception means the same with a backoff of the engine's, except that a signal given to that run is given again to
    the next.
    """

    after: float
    reason: str


@dataclass(frozen=True)
class Failed:
    """The step cannot succeed. Unless the pivot is completed the flow unwinds; after that the step is retried with
    backoff, then the workflow is parked.

    :ivar symbol: stable, lower case with dots.
    :ivar message: one sentence for the user.
    :ivar detail: for the operator.
    """

    symbol: str
    message: str
    detail: str | None = None


@dataclass(frozen=True)
class ParkUntil:
    """Nobody can say now how the step ends, nor when somebody will: park the workflow, without undoing anything, until
    the signal ``name`` has come.

    The step then runs again, as it does when an operator retries the workflow.
    """

    name: str
    failure: Failed


Result = Done | Sleep | AwaitSignal | Retry | Failed | ParkUntil


class CancelToken(Protocol):
    """Tells a step that its worker may no longer act (its lease is lost or the process stops)."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True)
class Signal:
    """A signal that has arrived."""

    name: str
    payload: Mapping[str, Any]


@dataclass
class StepContext:
    """What a step is given. Only :meth:`at_checkpoint` and :meth:`after_checkpoint` change anything.

    :ivar env: the object that the worker was made with: providers, database, plugins. The engine does not look into it.
    :ivar outputs: outputs of the completed steps, by step name.
    :ivar token: an id made once per step, the same on every attempt; for idempotency keys.
    :ivar epoch: fencing number of the lease, for commands to guests.
    :ivar waited: seconds since the step, or its undo, first began; 0 the first time. For pauses that grow.
    :ivar error: when undoing or ending: why the flow failed.
    :ivar memo: for what the functions that a step calls want to remember during this one run of it.
    """

    env: Any
    workflow_id: str
    kind: str
    resource_type: str
    resource_id: str
    project_id: str
    request_id: str | None
    inputs: Mapping[str, Any]
    step: str
    attempt: int
    token: str
    epoch: int
    outputs: Mapping[str, Mapping[str, Any]]
    cancel: CancelToken
    signal: Signal | None = None
    timed_out: bool = False
    waited: float = 0.0
    error: Failed | None = None
    writes: list[Callable[[Session], None]] = field(default_factory=list)
    calls: list[Callable[[], None]] = field(default_factory=list)
    memo: dict[str, Any] = field(default_factory=dict)

    def at_checkpoint(self, write: Callable[[Session], None]) -> None:
        """Have ``write(session)`` called inside the checkpoint's transaction, after the fence was checked.

        If it raises, the whole checkpoint rolls back and the step runs again later. It must only touch the database.
        """
        self.writes.append(write)

    def after_checkpoint(self, call: Callable[[], None]) -> None:
        """Have ``call()`` called once the checkpoint has committed: for hints over the bus, whose loss must not
        matter."""
        self.calls.append(call)


class Step(Protocol):
    """One step. Instances are stateless and shared between threads."""

    name: str

    def run(self, ctx: StepContext) -> Result: ...

    def undo(self, ctx: StepContext) -> Result:
        """Undo by tag; called for the step that failed and for every completed one before it. May answer ``Done``,
        ``Sleep``, ``AwaitSignal`` or ``Retry``; ``Failed`` or an exception is retried with backoff and finally parks
        the workflow."""


@dataclass(frozen=True)
class Parallel:
    """A group whose members run one after the other in any worker but *wait* together: while one sleeps or awaits a
    signal the others go on. The only fan-out there is. Members do not depend on one another, so those that can run now
    share a checkpoint."""

    name: str
    members: tuple[Step, ...]


Hook = Callable[[StepContext, Session], None]


@dataclass(frozen=True)
class Flow:
    """A registered kind of workflow.

    :ivar pivot: name of the step after whose completion the flow no longer unwinds but goes on; ``None``: it can always
        unwind. A pivot equal to :data:`FROM_START` means it can never unwind.
    :ivar on_success: called in the transaction that ends the workflow as SUCCEEDED.
    :ivar on_reverted: the same for REVERTED; ``ctx.error`` says why (symbol ``workflow.cancelled`` after a cancel).
    :ivar on_parked: the same for PARKED.
    :ivar timeout: seconds, from when the workflow is due, after which it counts as failed (before the pivot) or is
        parked (after it). The deadline is set from :class:`trove.domain.operations.Kind`, so both must say the same.
    :ivar undo_timeout: seconds, from when the workflow begins to unwind, after which it is parked, so that an operator
        hears of it and a deletion that waits behind it goes on.
    :ivar max_attempts: attempts of one step before it counts as failed or is parked.
    """

    kind: str
    version: int
    steps: tuple[Step | Parallel, ...]
    on_success: Hook
    on_reverted: Hook
    on_parked: Hook
    pivot: str | None = None
    timeout: float = 3600.0
    undo_timeout: float = 1800.0
    max_attempts: int = 10


FROM_START = "<start>"

#: Signal to a workflow that one of its children has ended.
CHILD_ENDED = "child-ended"


class LeaseLost(Exception):
    """Another worker owns the workflow by now; everything this one did since its last checkpoint is rolled back."""


class ClaimHeld(Exception):
    """Another workflow is active on the same resource.

    :ivar claim_key: the first of the wanted claims that it holds.
    :ivar workflow_id: that workflow.
    """

    def __init__(self, claim_key: str, workflow_id: str | None) -> None:
        self.claim_key = claim_key
        self.workflow_id = workflow_id
        super().__init__(f"{claim_key} is claimed by workflow {workflow_id}")
