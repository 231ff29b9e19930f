# SPDX-License-Identifier: Apache-2.0
"""Work on members that are known only when a flow runs: one child workflow for each, some at a time.

A flow has two steps for it. :class:`NameMembers` finds out who the members are; its output is the list, written once,
so that whoever carries the workflow on works on the same ones. :class:`FanOut` starts the children in the transactions
of its own checkpoints, each under an id computed from the member, and waits for the signal that every child sends to
its parent in the transaction that ends it. So no member is done twice and none is forgotten, wherever a worker dies.

* A child claims its member; the parent must not. One that another workflow works on is waited for, by the child.
* A child that is PARKED has not ended: it stays among the active ones until an operator has retried or aborted it.
* When the parent unwinds, its children are asked to unwind, and the parent goes on when they have ended. What a child
  has completed stays: the flow undoes that by an earlier step of its own, whose undo comes afterwards.
* When the parent is ended by force, its children are asked to unwind and do so by themselves.

The environment of the worker must have the database as ``env.db``.

>>> steps = (
...     fan_out.NameMembers("name-members", members_of_the_set),
...     fan_out.FanOut("restart-members", "name-members", operations.INSTANCE_RESTART, width=2),
... )                                                                                        # doctest: +SKIP
"""

import dataclasses
import enum
import functools
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from trove.common import exception
from trove.domain import operations
from trove.workflow.model import (
    CHILD_ENDED,
    FINAL,
    AwaitSignal,
    ClaimHeld,
    Done,
    Failed,
    Result,
    State,
    StepContext,
)
from trove.workflow.store import Store

MOST_MEMBERS = 1000
MEMBER_FAILED = "workflow.member_failed"
#: Seconds until a parent looks at its children although none has sent word: processes of the former release send none.
LOOK = 60.0
_TRIES = 5


@dataclass(frozen=True)
class Member:
    """What one child works on.

    :ivar inputs: of the child.
    :ivar claims: what the child claims, see :meth:`trove.workflow.store.Store.submit`.
    """

    resource_type: str
    resource_id: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    claims: Sequence[str] = ()


class Failures(enum.Enum):
    """What becomes of the others when the child of one member ends without success."""

    #: The step fails: before its pivot the flow unwinds, which cancels the others.
    FAIL = "fail"
    #: They go on, and the output tells how each has ended.
    COLLECT = "collect"


@dataclass(frozen=True)
class Child:
    """How the child of one member stands.

    :ivar message: why it failed, one sentence for the user.
    """

    id: str
    state: State
    cancelled: bool = False
    symbol: str | None = None
    message: str | None = None

    @property
    def active(self) -> bool:
        """Whether it has not ended; one that is PARKED has not."""
        return self.state not in FINAL


@dataclass(frozen=True)
class Move:
    """What a parent does next.

    :ivar start: members whose children are to be started.
    :ivar cancel: ids of children that are to be asked to unwind.
    """

    answer: Result
    start: Sequence[str] = ()
    cancel: Sequence[str] = ()


def forward(members: Sequence[str], children: Mapping[str, Child], width: int, failures: Failures) -> Move:
    """Decide what comes next; ``members`` and the keys of ``children`` are ids of resources.

    Never more than ``width`` children are active, and members come in their order.
    """
    failed = [member for member in members if member in children and children[member].state is State.REVERTED]
    if failed and failures is Failures.FAIL:
        return Move(_failure(failed, children, len(members)))
    missing = [member for member in members if member not in children]
    active = sum(child.active for child in children.values())
    if not missing and not active:
        return Move(Done({"outcomes": {member: _outcome(children[member]) for member in members}}))
    return Move(AwaitSignal(CHILD_ENDED, LOOK), start=missing[: max(0, width - active)])


def backward(children: Mapping[str, Child]) -> Move:
    """Decide what comes next while the parent unwinds: no child is started, and all have to end."""
    active = [child for child in children.values() if child.active]
    if not active:
        return Move(Done())
    return Move(AwaitSignal(CHILD_ENDED, LOOK), cancel=[child.id for child in active if not child.cancelled])


def _failure(failed: Sequence[str], children: Mapping[str, Child], count: int) -> Failed:
    why = [f"{member}: {children[member].symbol} (workflow {children[member].id})" for member in failed]
    first = children[failed[0]].message or "It was given up."
    return Failed(MEMBER_FAILED, f"{len(failed)} of {count} members failed. {first}", "; ".join(why))


def _outcome(child: Child) -> dict[str, str | None]:
    return {"workflow_id": child.id, "state": child.state.value, "symbol": child.symbol, "message": child.message}


class NameMembers:
    """Find out who the members are and keep the list as the output.

    :param find: returns the members, each resource once.
    """

    def __init__(self, name: str, find: Callable[[StepContext], Sequence[Member]]) -> None:
        self.name = name
        self._find = find

    def run(self, ctx: StepContext) -> Result:
        found = self._find(ctx)
        if len(found) > MOST_MEMBERS:
            text = f"This concerns {len(found)} members, and at most {MOST_MEMBERS} can be changed by one operation."
            return Failed("workflow.too_many_members", text)
        if len({member.resource_id for member in found}) != len(found):
            raise ValueError(f"step {self.name} names a member twice")
        return Done({"members": [dataclasses.asdict(member) for member in found]})

    def undo(self, ctx: StepContext) -> Result:
        return Done()


class FanOut:
    """Carry out a workflow of ``kind`` for every member.

    :param members: name of the :class:`NameMembers` step.
    :param width: most children that are active at a time.
    :param failures: past the pivot of its flow it should be COLLECT, because nothing is undone there.
    """

    def __init__(
        self, name: str, members: str, kind: operations.Kind, *, width: int, failures: Failures = Failures.FAIL
    ) -> None:
        if width < 1:
            raise ValueError(f"step {name}: width is {width}, it must be at least 1")
        self.name = name
        self._members = members
        self._kind = kind
        self._width = width
        self._failures = failures

    def run(self, ctx: StepContext) -> Result:
        members = self._named(ctx)
        move = forward(list(members), self._children(ctx, members), self._width, self._failures)
        for member in move.start:
            ctx.at_checkpoint(functools.partial(self._start, ctx, members[member]))
        return move.answer

    def undo(self, ctx: StepContext) -> Result:
        move = backward(self._children(ctx, self._named(ctx)))
        for child in sorted(move.cancel):
            ctx.at_checkpoint(functools.partial(self._cancel, ctx, child))
        return move.answer

    def _named(self, ctx: StepContext) -> dict[str, Member]:
        found = [Member(**item) for item in ctx.outputs[self._members]["members"]]
        return {member.resource_id: member for member in found}

    @staticmethod
    def _children(ctx: StepContext, members: Mapping[str, Member]) -> dict[str, Child]:
        """Return the children that this step has started. They can only end meanwhile: who starts them is the owner of
        the workflow, and only with a checkpoint."""
        of_member = {child_id(ctx.token, member): member for member in members}
        with ctx.env.db.reader() as session:
            rows = Store(ctx.env.db).children(session, ctx.workflow_id)
        return {
            of_member[row["id"]]: Child(
                id=row["id"],
                state=State(row["state"]),
                cancelled=row["cancel_requested_at"] is not None,
                symbol=row["error_symbol"],
                message=row["error_message"],
            )
            for row in rows
            if row["id"] in of_member
        }

    def _start(self, ctx: StepContext, member: Member, session: Session) -> None:
        after: str | None = None
        for _ in range(_TRIES):
            try:
                Store(ctx.env.db).submit(
                    session,
                    kind=self._kind,
                    resource_type=member.resource_type,
                    resource_id=member.resource_id,
                    project_id=ctx.project_id,
                    request_id=ctx.request_id,
                    inputs=member.inputs,
                    parent_id=ctx.workflow_id,
                    claims=member.claims,
                    after=after,
                    workflow_id=child_id(ctx.token, member.resource_id),
                )
                return
            except ClaimHeld as held:
                if held.workflow_id == ctx.workflow_id:  # it would wait for the end of what waits for its end
                    raise ValueError(f"a workflow must not hold what its children claim: {held}") from held
                after = held.workflow_id
        raise exception.StaleObject

    @staticmethod
    def _cancel(ctx: StepContext, child: str, session: Session) -> None:
        Store(ctx.env.db).request_cancel(session, child)


def child_id(token: str, resource_id: str) -> str:
    """Return the id of the child that the step of ``token`` starts for a member."""
    return str(uuid.uuid5(uuid.UUID(token), resource_id))
