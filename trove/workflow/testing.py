# SPDX-License-Identifier: Apache-2.0
"""The proof that a flow survives: a matrix of crashes, takeovers, cancels and failures for any registered flow.

A flow needs no test code of its own beyond a :class:`Scenario`: how to submit it in a fresh environment, a guest that
answers, and a snapshot of all that is left. From an undisturbed run the matrix takes the list of *events* (before a
step's effect, between effect and checkpoint, after the checkpoint; the same for undo) and then plays the flow again and
again with one thing gone wrong at one event:

* *crash*: the worker dies there; another owner resumes. The snapshot must be that of the undisturbed run: nothing
  twice, nothing missing.
* *takeover*: between effect and checkpoint another owner takes over and finishes; the first one then wakes up and must
  get
  :class:`~trove.workflow.model.LeaseLost`.
* *cancel* and *failure* before each step, and *cancel and crash* after each effect: all is undone, or, past the pivot,
  all is done.
* *crash during undo*, at every event of the longest undo.
* *late effect* (when told how to delete): the first owner is frozen inside a call to the outside; another one takes
  over and finishes, and what was made is deleted; only then the call takes effect and returns. The first owner must get
  :class:`~trove.workflow.model.LeaseLost`, and after the reconciler has looked nothing may be left that a deletion at
  leisure does not leave.

Of a flow that starts children all this is done to the steps of the children as well; what is cancelled is the parent.

Nothing sleeps: the database's clock is moved forward, as this process sees it.

>>> testing.CrashMatrix(db, CreateInstance()).check_all()                                     # doctest: +SKIP
"""

import datetime
import enum
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy.orm import Session

from trove.common.backoff import Backoff
from trove.db import api
from trove.workflow.engine import Engine
from trove.workflow.model import FINAL, FROM_START, Failed, Flow, LeaseLost, Parallel, Result, State, Step, StepContext
from trove.workflow.records import Run
from trove.workflow.registry import Plan, Registry
from trove.workflow.store import Store

TTL = 30.0
_ROUNDS_MAX = 2000
INJECTED = Failed("test.injected", "The test made this step fail.")


class Case(Protocol):
    """One submitted workflow in an environment of its own.

    :ivar env: what the worker is made with.
    """

    workflow_id: str
    env: Any

    def answer(self) -> None:
        """Be the guest: answer whatever the flow has asked for and was not answered; called while the workflow
        waits."""

    def snapshot(self) -> Any:
        """Return all that exists, in the environment and in the domain's rows, without ids and times, to be
        compared."""


class Scenario(Protocol):
    """How to try one flow."""

    flow: Flow

    def begin(self, db: api.Database, store: Store) -> Case:
        """Make a fresh environment (fresh ids, same database), submit the flow in it and commit."""


@dataclass(frozen=True)
class Deletion:
    """How what a case has made is deleted.

    :ivar flow: the workflow that deletes.
    :ivar submit: submit it for a case, commit, and return its id.
    :ivar reconcile: remove what belongs to nobody any more, as the reconciler does.
    """

    flow: Flow
    submit: Callable[[Case], str]
    reconcile: Callable[[Case], None]


class MovableClock:
    """Moves ``db.now`` of one database object forward; other processes do not notice."""

    def __init__(self, db: api.Database) -> None:
        self._db = db
        self._offset = datetime.timedelta()
        real = db.now
        db.now = lambda session: real(session) + self._offset  # type: ignore[method-assign]

    def advance(self, seconds: float) -> None:
        """Move forward by ``seconds``."""
        self._offset += datetime.timedelta(seconds=seconds)

    def advance_to(self, moment: datetime.datetime) -> None:
        """Move to ``moment``, unless that has passed."""
        with self._db.reader() as session:
            missing = (moment - self._db.now(session)).total_seconds()
        if missing > 0:
            self.advance(missing + 0.001)


class Crash(BaseException):
    """The worker process dies here; not an ``Exception``, so that nothing on the way handles it."""


class Point(enum.Enum):
    """Where in a step's life an event is."""

    BEFORE = "before the effect of"
    BETWEEN = "between effect and checkpoint of"
    AFTER = "after the checkpoint of"


@dataclass(frozen=True)
class Event:
    """One moment of a run."""

    point: Point
    step: str
    undo: bool

    def __str__(self) -> str:
        return f"{self.point.value} {'the undo of ' if self.undo else ''}{self.step}"


class Act(enum.Enum):
    """What goes wrong at an event."""

    CRASH = "crash"
    TAKEOVER = "takeover"
    CANCEL = "cancel"
    CANCELLED_CRASH = "cancel and crash"
    FAIL = "failure"
    LATE = "late effect"


@dataclass(frozen=True)
class Played:
    """How a play ended."""

    state: State
    events: tuple[Event, ...]
    snapshot: Any


class CrashMatrix:
    """All plays of one scenario on one database.

    :param children: flows of the workflows that the scenario's starts.
    :param deletion: for the plays with a late effect; without it there are none.
    """

    def __init__(
        self, db: api.Database, scenario: Scenario, children: Sequence[Flow] = (), deletion: Deletion | None = None
    ) -> None:
        self.store = Store(db)
        self.clock = MovableClock(db)
        self.children = tuple(children)
        self.deletion = deletion
        self._db = db
        self._scenario = scenario

    def check_all(self) -> int:
        """Play everything; return the number of plays.

        :raises AssertionError: naming every play that went wrong, and how.
        """
        failures, count = [], 0
        for label, check in self.cases():
            count += 1
            try:
                check()
            except AssertionError as err:
                failures.append(f"{label}: {err}")
        if failures:
            flow = self._scenario.flow
            raise AssertionError(
                f"{flow.kind} version {flow.version}, {len(failures)} of {count}:\n" + "\n".join(failures)
            )
        return count

    def cases(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield a label and a check for every play; a check raises AssertionError."""
        whole = self.play({})
        if whole.state is not State.SUCCEEDED:
            raise AssertionError(f"undisturbed, the flow ends as {whole.state.value}")
        for i, event in enumerate(whole.events):
            yield f"crash {event}", self._same(whole, {i: Act.CRASH})
            if event.point is Point.BETWEEN:
                yield f"takeover {event}", self._same(whole, {i: Act.TAKEOVER})
        yield from self._given_up(Act.CANCEL, whole)
        yield from self._given_up(Act.FAIL, whole)
        yield from self._late(whole)

    def _late(self, whole: Played) -> Iterator[tuple[str, Callable[[], None]]]:
        if self.deletion is None:
            return
        deleted = self.play({}, delete=True)
        for i, event in enumerate(whole.events):
            if event.point is Point.BEFORE:
                yield f"late effect of {event.step}", self._same(deleted, {i: Act.LATE}, delete=True)

    def _given_up(self, act: Act, whole: Played) -> Iterator[tuple[str, Callable[[], None]]]:
        """Give up before each step; the first such play says what is left of a reverted flow."""
        plan = Plan(self._scenario.flow)
        group_of = {member.name: n for n, members in enumerate(plan.groups) for member in members}
        reverted, longest, group = None, None, 0
        for i, event in enumerate(whole.events):
            group = group_of.get(event.step, group)  # while children run, their parent is where it was
            passed = group > plan.pivot
            if event.point is Point.BEFORE:
                played = self.play({i: act})
                if played.state is State.REVERTED:
                    reverted, longest = reverted or played, i
                yield f"{act.value} {event}", self._checker(played, reverted, whole, passed)
            elif event.point is Point.BETWEEN and act is Act.CANCEL and reverted is not None and not passed:
                # The effect is there, its output was never saved: undo must find it by its tag.
                yield f"cancel and crash {event}", self._same(reverted, {i: Act.CANCELLED_CRASH})
        if reverted is None or longest is None:
            if plan.flow.pivot != FROM_START and act is Act.FAIL:
                raise AssertionError("no failing step made the flow unwind, although it has steps before its pivot")
        elif act is Act.CANCEL:
            undone = self.play({longest: act})
            for j in range(longest + 1, len(undone.events)):
                yield f"cancel, then crash {undone.events[j]}", self._same(reverted, {longest: act, j: Act.CRASH})

    def _same(self, expected: Played, acts: Mapping[int, Act], *, delete: bool = False) -> Callable[[], None]:
        return lambda: _equal(self.play(acts, delete=delete), expected)

    @staticmethod
    def _checker(played: Played, reverted: Played | None, whole: Played, must_succeed: bool) -> Callable[[], None]:
        def check() -> None:
            if played.state is State.REVERTED and reverted is not None and not must_succeed:
                _equal(played, reverted)
            else:
                _equal(played, whole)

        return check

    def play(self, acts: Mapping[int, Act], *, delete: bool = False) -> Played:
        """Run the scenario to its end with ``acts`` at the events of those numbers, and ``delete`` what it has made."""
        case = self._scenario.begin(self._db, self.store)
        return _Play(self, case, self._scenario.flow, acts).to_the_end(delete=delete)


def _equal(played: Played, expected: Played) -> None:
    if played.state is not expected.state:
        raise AssertionError(f"ended as {played.state.value}, not as {expected.state.value}")
    if played.snapshot != expected.snapshot:
        raise AssertionError(f"left behind\n  {played.snapshot!r}, instead of\n  {expected.snapshot!r}")


class _Play:
    """One play: a line of owners, each of which lives until it crashes."""

    def __init__(self, matrix: CrashMatrix, case: Case, flow: Flow, acts: Mapping[int, Act]) -> None:
        self._matrix = matrix
        self._store = matrix.store
        self._case = case
        self._acts = acts
        self._events: list[Event] = []
        self._owner = 1
        self._deletion: str | None = None
        flows = [_probed(item, self._at) for item in (flow, *matrix.children)]
        deletions = [matrix.deletion.flow] if matrix.deletion is not None else []
        self._registry = Registry([*flows, *deletions])
        self._engine = Engine(self._store, self._registry, case.env, backoff=Backoff(0.0, 0.0))

    def to_the_end(self, *, delete: bool) -> Played:
        state = self._run_until_ended()
        if missing := [i for i in self._acts if i >= len(self._events)]:
            raise AssertionError(f"the events {missing} did not happen")
        if delete and self._matrix.deletion is not None:
            self._delete()
            self._matrix.deletion.reconcile(self._case)
        return Played(state, tuple(self._events), self._case.snapshot())

    def _delete(self) -> None:
        if self._deletion is None and self._matrix.deletion is not None:
            self._deletion = self._matrix.deletion.submit(self._case)
            self._run_until_ended()

    def _run_until_ended(self) -> State:
        for _ in range(_ROUNDS_MAX):
            if self._run_while_due():
                continue
            rows = [self._row(workflow_id) for workflow_id in self._workflows()]
            if all(State(row["state"]) in (*FINAL, State.PARKED) for row in rows):
                for row in rows:
                    self._check_ended(row)
                return State(rows[0]["state"])
            self._case.answer()
            if not self._run_while_due():
                self._matrix.clock.advance_to(self._next_moment())
        raise AssertionError(f"the workflow does not end within {_ROUNDS_MAX} rounds")

    def _next_moment(self) -> datetime.datetime:
        rows = [self._row(workflow_id) for workflow_id in self._workflows()]
        moments: list[datetime.datetime] = [row["wake_at"] for row in rows if row["wake_at"] is not None]
        if moments:
            return min(moments)
        raise AssertionError(f"the workflow is {rows[0]['state']}, but nothing will ever wake it")

    def _workflows(self) -> list[str]:
        """Return the ids of all that belongs to the play: the scenario's workflow, its children, the deletion."""
        found = [self._case.workflow_id]
        if self._matrix.children:
            with self._store.db.reader() as session:
                found += [row["id"] for row in self._store.children(session, self._case.workflow_id)]
        return found if self._deletion is None else [*found, self._deletion]

    def _run_while_due(self) -> bool:
        for workflow_id in self._workflows():
            run = self._store.claim(workflow_id, f"owner-{self._owner}", TTL, self._registry.keys())
            if run is not None:
                self._run(run)
                return True
        return False

    def _run(self, run: Run) -> None:
        replaced = not {Act.TAKEOVER, Act.LATE}.isdisjoint(self._acts.values())
        try:
            self._engine.run_one(run, threading.Event())
        except Crash:
            self._next_owner()
        except LeaseLost:
            if not replaced:
                raise AssertionError("a lease was lost, although nobody took over") from None
        else:
            if replaced and self._row(run.id)["epoch"] > run.epoch:
                raise AssertionError("the first owner woke up after the takeover and did not get LeaseLost")

    def _next_owner(self) -> None:
        self._owner += 1
        self._matrix.clock.advance(TTL + 1)

    def _at(self, point: Point, ctx: StepContext, undo: bool) -> Result | None:
        number = len(self._events)
        self._events.append(Event(point, ctx.step, undo))
        act = self._acts.get(number)
        if act is Act.FAIL:
            return INJECTED
        if act in (Act.CANCEL, Act.CANCELLED_CRASH):
            with self._store.db.writer() as session:
                self._store.request_cancel(session, self._case.workflow_id)
        if act in (Act.CRASH, Act.CANCELLED_CRASH):
            raise Crash
        if act in (Act.TAKEOVER, Act.LATE):
            self._next_owner()
            self._run_until_ended()
        if act is Act.LATE:
            self._delete()
        return None

    def _row(self, workflow_id: str) -> dict[str, Any]:
        with self._store.db.reader() as session:
            return self._store.describe(session, workflow_id)

    @staticmethod
    def _check_ended(row: dict[str, Any]) -> None:
        kept = [name for name in ("owner", "lease_until", "wake_at") if row[name] is not None]
        if row["state"] in FINAL and row["claim_key"] is not None:
            kept.append("claim_key")
        if kept:
            raise AssertionError(f"the workflow has ended as {row['state']} and still has {', '.join(kept)}")


class _ProbedStep:
    """A step that reports its events."""

    def __init__(self, step: Step, at: Callable[[Point, StepContext, bool], Result | None]) -> None:
        self.name = step.name
        self._step = step
        self._at = at

    def run(self, ctx: StepContext) -> Result:
        return self._watch(ctx, self._step.run, False)

    def undo(self, ctx: StepContext) -> Result:
        return self._watch(ctx, self._step.undo, True)

    def _watch(self, ctx: StepContext, act: Callable[[StepContext], Result], undo: bool) -> Result:
        injected = self._at(Point.BEFORE, ctx, undo)
        if injected is not None:
            return injected
        result = act(ctx)
        self._at(Point.BETWEEN, ctx, undo)
        ctx.calls.insert(0, lambda: self._after(ctx, undo))  # first: a crash there loses the hints of the step as well
        return result

    def _after(self, ctx: StepContext, undo: bool) -> None:
        self._at(Point.AFTER, ctx, undo)


def _probed(flow: Flow, at: Callable[[Point, StepContext, bool], Result | None]) -> Flow:
    def wrap(item: Step | Parallel) -> Step | Parallel:
        if isinstance(item, Parallel):
            return Parallel(item.name, tuple(_ProbedStep(member, at) for member in item.members))
        return _ProbedStep(item, at)

    return replace(flow, steps=tuple(wrap(item) for item in flow.steps))


def no_hook(ctx: StepContext, session: Session) -> None:
    """Do nothing at the end of a flow."""
