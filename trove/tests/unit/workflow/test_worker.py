# SPDX-License-Identifier: Apache-2.0
"""How a worker starts, looks, renews, runs and stops. Several of them at once are in the functional tests."""

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

from trove.common import ids
from trove.common.lease import Lease
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.unit.workflow import flows
from trove.tests.unit.workflow.flows import KIND, Call
from trove.workflow import worker as workers
from trove.workflow.model import Done, LeaseLost, Result, StepContext
from trove.workflow.registry import Registry
from trove.workflow.store import Store
from trove.workflow.worker import Worker

#: Seconds a test waits for another thread at most; nothing takes that long.
_LIMIT = 30.0
_TTL = 30.0


class FakeStore:
    """What a worker asks of the store, and what the test lets it hear."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.later: float | None = None
        self.looks: list[int] = []
        self.claimed: list[str] = []
        self.renewed: list[set[str]] = []
        self.given_back: list[Any] = []
        self.on_claim: Callable[[str], Any] = lambda workflow_id: None
        self.on_renew: Callable[[], set[str]] = set
        self.failing: set[str] = set()

    def due(self, kinds: Sequence[tuple[str, int]], limit: int) -> tuple[list[str], float | None]:
        self.looks.append(limit)
        self._fail("due")
        return self.found[:limit], self.later

    def claim(self, workflow_id: str, owner: str, ttl: float, kinds: Sequence[tuple[str, int]]) -> Any:
        self.claimed.append(workflow_id)
        return self.on_claim(workflow_id)

    def renew(self, owner: str, held: Collection[str], ttl: float) -> set[str]:
        self.renewed.append(set(held))
        self._fail("renew")
        return self.on_renew()

    def give_back(self, owner: str, held: Collection[str] | None = None) -> int:
        self.given_back.append(held)
        self._fail("give_back")
        return 0

    def _fail(self, method: str) -> None:
        if method in self.failing:
            raise RuntimeError("the database is away")


class LoopTestCase(base.UnitTestCase):
    """One loop of a worker in the test's own thread; waiting moves the clock."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(ManualClock())
        self.store = FakeStore()
        store: Any = self.store
        registry = Registry([flows.flow(KIND, flows.Ensure("a"))])
        self.worker = Worker(None, store, registry, None, owner="me", threads=2, lease_ttl=_TTL, poll_interval=8.0)


class TestLooking(LoopTestCase):
    def test_what_is_due_is_queued_as_far_as_there_is_room(self) -> None:
        self.store.found = [ids.new_id() for _ in range(100)]
        self.worker._poll()
        self.assertEqual(4, self.worker._ready.qsize())
        self.worker._poll()
        self.assertEqual(1, len(self.store.looks), "who empties the queue asks for the next look")
        self.assertLessEqual({self.worker._ready.get() for _ in range(4)}, set(self.store.found))

    def test_workers_that_started_together_do_not_look_together(self) -> None:
        pauses = {self.worker._poll() for _ in range(30)}
        self.assertTrue(all(6.0 <= pause <= 10.0 for pause in pauses), pauses)
        self.assertGreater(len(pauses), 20)

    def test_the_next_moment_known_is_waited_for(self) -> None:
        self.store.later = 0.5
        self.assertTrue(0.5 <= self.worker._poll() <= 0.52)

    def test_a_database_that_is_away_is_asked_again(self) -> None:
        self.store.failing = {"due"}
        self.assertGreaterEqual(self.worker._poll(), 1.0)
        self.assertIn("Looking for due workflows failed", self.logs.text())

    def test_hints_have_a_bound(self) -> None:
        for _ in range(workers._HINTS_MAX + 5):
            self.worker.wake("x")
        self.assertEqual(workers._HINTS_MAX, self.worker._ready.qsize())


class TestRenewing(LoopTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.token = Lease(self.clock.boottime() + _TTL)
        self.worker._held["x"] = self.token

    def renew(self, rounds: int, before: Callable[[int], None] = lambda round: None) -> list[float]:
        """Run the loop so often; ``before`` each round the test may change what the store says. Return the pauses."""
        left = [rounds]

        def on_wait() -> None:
            before(rounds - left[0])
            left[0] -= 1
            if left[0] < 0:
                self.worker._stopped.set()

        self.clock.on_wait = on_wait
        self.worker._renew_loop()
        return self.clock.pauses

    def test_leases_are_renewed_three_times_within_their_time(self) -> None:
        self.assertEqual([_TTL / 3] * 5, self.renew(5))
        self.assertEqual([{"x"}] * 5, self.store.renewed)
        self.assertFalse(self.token.is_set())

    def test_nothing_held_needs_no_statement(self) -> None:
        self.worker._held.clear()
        self.renew(3)
        self.assertEqual([], self.store.renewed)

    def test_a_step_is_told_that_its_lease_is_lost(self) -> None:
        self.store.on_renew = lambda: {"x"}
        self.renew(1)
        self.assertTrue(self.token.is_set())

    def test_one_failure_does_not_interrupt_and_is_repeated_soon(self) -> None:
        def before(round: int) -> None:
            self.store.failing = {"renew"} if round == 1 else set()

        self.assertEqual([10.0, 10.0, 3.0, 10.0], self.renew(4, before))
        self.assertFalse(self.token.is_set())

    def test_steps_are_stopped_before_a_lease_that_cannot_be_renewed_runs_out(self) -> None:
        self.store.failing = {"renew"}
        stopped_after: list[float] = []
        began = self.clock.monotonic()

        def before(round: int) -> None:
            if self.token.is_set() and not stopped_after:
                stopped_after.append(self.clock.monotonic() - began)

        self.renew(12, before)
        self.assertTrue(0.5 * _TTL <= stopped_after[0] < _TTL, stopped_after)


class TestRunning(LoopTestCase):
    def run_all(self, *workflow_ids: str) -> None:
        for item in (*workflow_ids, None):
            self.worker._ready.put(item)
        self.worker._run_loop()

    def test_one_that_somebody_else_has_is_passed_over(self) -> None:
        self.run_all("a", "b")
        self.assertEqual((["a", "b"], []), (self.store.claimed, self.store.given_back))

    def test_what_fails_is_given_back_and_the_thread_lives_on(self) -> None:
        def fail(workflow_id: str) -> None:
            raise RuntimeError("broken")

        self.store.on_claim = fail
        self.run_all("a", "b")
        self.assertEqual([["a"], ["b"]], self.store.given_back)
        self.assertEqual([1.0, 1.0], self.clock.pauses)
        self.assertEqual({}, self.worker._held)

    def test_a_lease_that_cannot_be_given_back_runs_out(self) -> None:
        def fail(workflow_id: str) -> None:
            raise RuntimeError("broken")

        self.store.on_claim, self.store.failing = fail, {"give_back"}
        self.run_all("a")
        self.assertIn("it runs out by itself", self.logs.text())

    def test_a_lease_that_was_lost_is_not_given_back(self) -> None:
        def lose(workflow_id: str) -> None:
            raise LeaseLost("workflow a is no longer held")

        self.store.on_claim = lose
        self.run_all("a")
        self.assertEqual([], self.store.given_back)
        self.assertIn("no longer held", self.logs.text())

    def test_the_next_look_is_asked_for_when_nothing_is_queued(self) -> None:
        asked = []
        ready = self.worker._ready

        class Look(threading.Event):
            def set(self) -> None:
                asked.append(ready.qsize())
                ready.put(None)  # which ends the loop

        self.worker._look = Look()
        for item in "ab":
            ready.put(item)
        self.worker._run_loop()
        self.assertEqual((["a", "b"], [0]), (self.store.claimed, asked))

    def test_nothing_is_claimed_while_stopping(self) -> None:
        self.worker._stopping.set()
        self.run_all("a")
        self.assertEqual([], self.store.claimed)


class TestThreads(base.UnitTestCase):
    """Whole workers on a real (SQLite) store. They look once; what follows needs a hint."""

    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        self.store = Store(self.db)
        self.looked, self.started, self.go_on, self.ended = (threading.Event() for _ in range(4))
        self.addCleanup(self.go_on.set)

    def start(self, *steps: Any, owner: str = "me") -> Worker:
        def succeeded(ctx: StepContext, session: Any) -> None:
            ctx.after_checkpoint(self.ended.set)

        flow = flows.flow(KIND, *steps, on_success=succeeded)
        store, real = Store(self.db), self.store.due
        store.due = lambda *args: (real(*args), self.looked.set())[0]  # type: ignore[method-assign]
        made = Worker(self.db, store, Registry([flow]), None, owner=owner, threads=1, poll_interval=3600.0)
        made.start()
        self.addCleanup(made.stop, _LIMIT)
        return made

    def submit(self) -> str:
        with self.db.writer() as session:
            return self.store.submit(
                session,
                kind=KIND,
                resource_type="sample",
                resource_id="r",
                project_id="p",
                request_id=None,
                inputs={},
            )

    def row(self, workflow_id: str) -> dict[str, Any]:
        with self.db.reader() as session:
            return self.store.describe(session, workflow_id)

    def block(self, ctx: StepContext) -> Result:
        self.cancel = ctx.cancel
        self.started.set()
        self.go_on.wait(_LIMIT)
        return Done()

    def test_what_is_due_when_it_starts_is_run(self) -> None:
        made = self.submit()
        self.start(Call("a", lambda ctx: Done()))
        self.assertTrue(self.ended.wait(_LIMIT))
        self.assertEqual(("SUCCEEDED", None), (self.row(made)["state"], self.row(made)["owner"]))

    def test_what_a_former_process_of_its_name_held_is_taken_up_at_once(self) -> None:
        made = self.submit()
        self.store.claim(made, "me", 600.0, [(KIND.name, KIND.version)])
        self.start(Call("a", lambda ctx: Done()))
        self.assertTrue(self.ended.wait(_LIMIT))
        self.assertIn("Released 1 workflows", self.logs.text())

    def test_a_hint_needs_no_look(self) -> None:
        worker = self.start(Call("a", lambda ctx: Done()))
        self.assertTrue(self.looked.wait(_LIMIT))
        made = self.submit()
        worker.wake(ids.new_id())
        worker.wake(made)
        self.assertTrue(self.ended.wait(_LIMIT))

    def test_stopping_finishes_the_step_and_begins_no_other(self) -> None:
        made = self.submit()
        worker = self.start(Call("a", self.block), Call("b", lambda ctx: Done()))
        self.assertTrue(self.started.wait(_LIMIT))
        stopping = threading.Thread(target=worker.stop, args=(_LIMIT,))
        stopping.start()
        self.assertTrue(worker._stopping.wait(_LIMIT))
        self.go_on.set()
        stopping.join(_LIMIT)
        row = self.row(made)
        self.assertEqual((None, ["DONE", "PENDING"]), (row["owner"], [step["state"] for step in row["steps"]]))
        self.assertFalse(self.cancel.is_set())

    def test_a_step_that_takes_too_long_is_told_and_its_lease_given_back(self) -> None:
        made = self.submit()
        worker = self.start(Call("a", self.block))
        self.assertTrue(self.started.wait(_LIMIT))
        worker.stop(0.0)
        self.assertEqual((True, None), (self.cancel.is_set(), self.row(made)["owner"]))
        self.assertIn("Giving back 1 workflows", self.logs.text())
        self.assertIsNotNone(self.store.claim(made, "other", _TTL, [(KIND.name, KIND.version)]))
        self.go_on.set()
        worker.stop(_LIMIT)
        self.assertEqual("other", self.row(made)["owner"], "what it did afterwards was not recorded")
