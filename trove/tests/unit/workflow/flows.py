# SPDX-License-Identifier: Apache-2.0
"""Small flows with an outside world that counts, for the tests of the engine."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trove.common import ids
from trove.db import api, models
from trove.domain.operations import Kind
from trove.workflow import fan_out, testing
from trove.workflow.model import (
    AwaitSignal,
    Done,
    Failed,
    Flow,
    Parallel,
    Result,
    Retry,
    Sleep,
    Step,
    StepContext,
)
from trove.workflow.store import Store

KIND = Kind("sample.create", 1, 600.0, True)
GROUPED = Kind("sample.grouped", 1, 600.0, True)
FORWARD = Kind("sample.delete", 1, 600.0, True)
FAMILY = Kind("sample.family", 1, 600.0, True)
MEMBER = Kind("sample.member", 1, 600.0, True)
REMOVE = Kind("sample.remove", 1, 600.0, True)
#: Members of a family, and how many of them may be worked on at a time.
MEMBERS = 3
WIDTH = 2


class World:
    """Things by tag; ``made`` and ``removed`` count every creation and every removal that changed something."""

    def __init__(self) -> None:
        self.things: dict[str, int] = {}
        self.made = 0
        self.asked: list[tuple[str, str]] = []
        self.ended: list[str] = []
        self.deleted = False
        self.watch: Callable[[], None] = lambda: None

    def ensure(self, tag: str) -> None:
        if tag not in self.things:
            self.made += 1
            self.things[tag] = self.made

    def remove(self, tag: str) -> None:
        self.things.pop(tag, None)


def count(session: Session, project_id: str, resource: str, delta: int = 1) -> None:
    """Change a number in the database; doing it twice shows."""
    table = models.QuotaUsage
    key = (table.project_id == project_id) & (table.resource == resource)
    if not session.execute(sa.update(table).where(key).values(in_use=table.in_use + delta)).rowcount:
        session.execute(sa.insert(table).values(project_id=project_id, resource=resource, in_use=delta))


class Ensure:
    """Make a thing, look again until it is ready, and count it in the database."""

    def __init__(self, name: str, looks: int = 0) -> None:
        self.name = name
        self._looks = looks

    def run(self, ctx: StepContext) -> Result:
        ctx.env.ensure(self.name)
        looked = ctx.env.things.setdefault(f"{self.name}.looks", 0)
        if looked < self._looks:
            ctx.env.things[f"{self.name}.looks"] = looked + 1
            return Sleep(5.0, progress=50)
        ctx.env.things[f"{self.name}.looks"] = self._looks
        ctx.at_checkpoint(lambda session: count(session, ctx.project_id, self.name))
        return Done({"tag": self.name})

    def undo(self, ctx: StepContext) -> Result:
        ctx.env.remove(self.name)
        ctx.env.remove(f"{self.name}.looks")
        done = self.name in ctx.outputs
        ctx.at_checkpoint(lambda session: count(session, ctx.project_id, self.name, -1 if done else 0))
        return Done()


class Ask:
    """Ask the guest something and wait for the answer."""

    def __init__(self, name: str, timeout: float = 60.0) -> None:
        self.name = name
        self._timeout = timeout

    def run(self, ctx: StepContext) -> Result:
        if ctx.signal is not None:
            return Done(dict(ctx.signal.payload))
        if ctx.timed_out:
            return Failed("sample.silent", "The guest does not answer.")
        if (ctx.workflow_id, self.name) not in ctx.env.asked:
            ctx.env.asked.append((ctx.workflow_id, self.name))
        return AwaitSignal(f"answer:{self.name}", self._timeout)

    def undo(self, ctx: StepContext) -> Result:
        return Done()


class Call:
    """Whatever the test wants; ``undone`` counts."""

    def __init__(
        self, name: str, run: Callable[[StepContext], Result], undo: Callable[[StepContext], Result] | None = None
    ):
        self.name = name
        self._run = run
        self._undo = undo
        self.undone = 0

    def run(self, ctx: StepContext) -> Result:
        return self._run(ctx)

    def undo(self, ctx: StepContext) -> Result:
        self.undone += 1
        return self._undo(ctx) if self._undo is not None else Done()


def ended(word: str) -> Callable[[StepContext, Session], None]:
    def hook(ctx: StepContext, session: Session) -> None:
        count(session, ctx.project_id, word)
        if ctx.env is not None:
            symbol = f":{ctx.error.symbol}" if ctx.error else ""
            ctx.after_checkpoint(lambda: ctx.env.ended.append(word + symbol))

    return hook


def flow(kind: Kind, *steps: Step | Parallel, **options: Any) -> Flow:
    options.setdefault("on_success", ended("success"))
    options.setdefault("on_reverted", ended("reverted"))
    options.setdefault("on_parked", ended("parked"))
    return Flow(kind.name, kind.version, steps, timeout=kind.timeout, **options)


def create_flow() -> Flow:
    """A create: things, a wait, a question, a pivot, and work after it."""
    flaky = Call("flaky", lambda ctx: Retry(1.0, "not yet") if ctx.attempt == 1 else Done())
    return flow(
        KIND,
        Ensure("port"),
        Ensure("server", 2),
        Ask("ready"),
        flaky,
        Ensure("publish"),
        Ensure("extra"),
        pivot="publish",
    )


def grouped_flow() -> Flow:
    """Members that wait together, between two steps; it can always unwind."""
    group = Parallel("members", (Ensure("one", 1), Ask("two"), Ensure("three", 2)))
    return flow(GROUPED, Ensure("first"), group, Ensure("last"))


class EnsureOfMember(Ensure):
    """Make a thing of the member that ``inputs`` name."""

    def __init__(self, part: str) -> None:
        super().__init__(f"ensure-{part}")
        self._part = part

    def run(self, ctx: StepContext) -> Result:
        ctx.env.watch()
        ctx.env.ensure(self._tag(ctx))
        return Done({"tag": self._tag(ctx)})

    def undo(self, ctx: StepContext) -> Result:
        ctx.env.remove(self._tag(ctx))
        return Done()

    def _tag(self, ctx: StepContext) -> str:
        return f"member:{ctx.inputs['member']}/{self._part}"


class RemoveMembers:
    """Undo what children have completed, by tag."""

    name = "remove-members"

    def run(self, ctx: StepContext) -> Result:
        return Done()

    def undo(self, ctx: StepContext) -> Result:
        for tag in [tag for tag in ctx.env.things if tag.startswith("member:")]:
            ctx.env.remove(tag)
        return Done()


def members(ctx: StepContext) -> list[fan_out.Member]:
    """Name the members anew each time: that they are named once only shows by their number."""
    found = [f"{n}{ids.new_id()[1:]}" for n in range(MEMBERS)]
    return [fan_out.Member("sample", i, {"member": i[0]}, [f"sample:{i}"]) for i in found]


def family_flow(failures: fan_out.Failures = fan_out.Failures.FAIL) -> Flow:
    """A flow that works on members known only when it runs."""
    fan = fan_out.FanOut("change-members", "name-members", MEMBER, width=WIDTH, failures=failures)
    return flow(FAMILY, RemoveMembers(), fan_out.NameMembers("name-members", members), fan, Ensure("last"))


def member_flow() -> Flow:
    """What is done to each member of a family."""
    return flow(
        MEMBER,
        EnsureOfMember("port"),
        Ask("ready"),
        EnsureOfMember("server"),
        on_success=testing.no_hook,
        on_reverted=testing.no_hook,
    )


def remove_flow() -> Flow:
    """A deletion of whatever there is, by tag."""

    def remove(ctx: StepContext) -> Result:
        ctx.env.things.clear()
        ctx.env.deleted = True
        return Done()

    return flow(REMOVE, Call("remove-all", remove), pivot="<start>", on_success=testing.no_hook)


def forward_flow() -> Flow:
    """A delete: it only goes forward."""
    return flow(FORWARD, Ensure("stopped"), Ask("gone"), Ensure("erased"), pivot="<start>")


class SampleCase:
    """One submitted sample flow in a world of its own."""

    def __init__(self, db: api.Database, store: Store, kind: Kind) -> None:
        self._db = db
        self._store = store
        self.env: Any = World()
        self.env.db = db
        self.env.watch = self._watch
        self._most_active = 0
        self.resource = ids.new_id()
        with db.writer() as session:
            self.workflow_id = store.submit(
                session,
                kind=kind,
                resource_type="sample",
                resource_id=self.resource,
                project_id=self.resource,
                request_id=None,
                inputs={"size": 1},
                claim=f"sample:{self.resource}",
            )

    def _watch(self) -> None:
        with self._db.reader() as session:
            states = [row["state"] for row in self._store.children(session, self.workflow_id)]
        self._most_active = max(self._most_active, sum(state not in ("SUCCEEDED", "REVERTED") for state in states))

    def answer(self) -> None:
        self._watch()
        for workflow_id, name in self.env.asked:
            with self._db.writer() as session:
                self._store.signal(session, workflow_id, f"answer:{name}", {"from": name})
        self.env.asked.clear()

    def snapshot(self) -> Any:
        if self._most_active > WIDTH:
            raise AssertionError(f"{self._most_active} children were active at a time")
        return self.numbers(), sorted(self.env.things), self.env.made if self.env.things else None

    def numbers(self) -> dict[str, int]:
        query = sa.select(models.QuotaUsage.resource, models.QuotaUsage.in_use)
        with self._db.reader() as session:
            rows = session.execute(query.where(models.QuotaUsage.project_id == self.resource)).all()
        return {row.resource: row.in_use for row in rows if row.in_use}

    def row(self) -> dict[str, Any]:
        with self._db.reader() as session:
            return self._store.describe(session, self.workflow_id)


class SampleScenario:
    """Makes cases of one flow."""

    def __init__(self, flow: Flow, kind: Kind) -> None:
        self.flow = flow
        self._kind = kind

    def begin(self, db: api.Database, store: Store) -> SampleCase:
        return SampleCase(db, store, self._kind)


SCENARIOS = {
    "create": lambda: SampleScenario(create_flow(), KIND),
    "grouped": lambda: SampleScenario(grouped_flow(), GROUPED),
    "forward": lambda: SampleScenario(forward_flow(), FORWARD),
    "family": lambda: SampleScenario(family_flow(), FAMILY),
}


def deletion(db: api.Database, *, reconciled: bool = True) -> testing.Deletion:
    """Return how what a case has made is deleted, and with ``reconciled`` what was made later."""
    store = Store(db)

    def submit(case: Any) -> str:
        with db.writer() as session:
            return store.submit(
                session,
                kind=REMOVE,
                resource_type="sample",
                resource_id=case.resource,
                project_id=case.resource,
                request_id=None,
                inputs={},
                claim=f"sample:{case.resource}",
            )

    def reconcile(case: Any) -> None:
        if reconciled and case.env.deleted:
            case.env.things.clear()

    return testing.Deletion(remove_flow(), submit, reconcile)
