# SPDX-License-Identifier: Apache-2.0
"""What each answer of a step leads to, on a real (SQLite) store with a clock that the test moves."""

import datetime
import threading
from typing import Any

import fixtures

from trove.common import exception, lease
from trove.common.backoff import Backoff
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.unit.workflow import flows
from trove.tests.unit.workflow.flows import KIND, Ask, Call, Ensure
from trove.workflow import testing
from trove.workflow.engine import Engine
from trove.workflow.model import (
    FROM_START,
    AwaitSignal,
    Done,
    Failed,
    LeaseLost,
    Parallel,
    ParkUntil,
    Retry,
    Sleep,
    State,
    StepContext,
)
from trove.workflow.records import Run
from trove.workflow.registry import Registry
from trove.workflow.store import Store

NO = Failed("sample.no", "It cannot be done.", "said the provider, password=hunter2")


class EngineTestCase(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        self.clock = testing.MovableClock(self.db)
        self.store = Store(self.db)
        self.cancel = threading.Event()

    def begin(self, *steps: Any, **options: Any) -> None:
        self.registry = Registry([flows.flow(KIND, *steps, **options)])
        self.case = flows.SampleCase(self.db, self.store, KIND)
        self.engine = Engine(self.store, self.registry, self.case.env, backoff=Backoff(10.0, 100.0))

    def claim(self, owner: str = "one") -> Run | None:
        return self.store.claim(self.case.workflow_id, owner, testing.TTL, self.registry.keys())

    def run_due(self) -> State:
        run = self.claim()
        self.assertIsNotNone(run)
        return self.engine.run_one(run, self.cancel).state

    def run_to_end(self, most: int = 50) -> State:
        for _ in range(most):
            row = self.case.row()
            if row["wake_at"] is None:
                return State(row["state"])
            self.clock.advance_to(row["wake_at"])
            self.run_due()
        self.fail("the workflow does not end")

    def wait(self) -> float:
        """Seconds from the last checkpoint until the workflow is due."""
        row = self.case.row()
        return (row["wake_at"] - row["updated_at"]).total_seconds()

    def signal(self, name: str, payload: dict[str, Any]) -> None:
        with self.db.writer() as session:
            self.store.signal(session, self.case.workflow_id, name, payload)

    def step(self, name: str) -> dict[str, Any]:
        return next(step for step in self.case.row()["steps"] if step["name"] == name)


class TestForward(EngineTestCase):
    def test_steps_run_in_order_in_one_claim(self) -> None:
        self.begin(Ensure("a"), Ensure("b"), Call("c", lambda ctx: Done({"seen": sorted(ctx.outputs)})))
        self.assertIs(State.SUCCEEDED, self.run_due())
        row = self.case.row()
        self.assertEqual(["DONE"] * 3, [step["state"] for step in row["steps"]])
        self.assertEqual({"seen": ["a", "b"]}, row["steps"][2]["output"])
        self.assertEqual((None, None, 1), (row["claim_key"], row["owner"], row["epoch"]))
        self.assertIsNotNone(row["finished_at"])
        self.assertEqual({"a": 1, "b": 1, "success": 1}, self.case.numbers())
        self.assertEqual(["success"], self.case.env.ended)

    def test_sleep_runs_again_and_is_no_attempt(self) -> None:
        self.begin(Ensure("a", looks=3))
        self.assertIs(State.WAITING, self.run_due())
        self.assertAlmostEqual(5.0, self.wait(), delta=0.5)
        self.assertIsNone(self.claim())
        self.assertEqual((50, 1, "WAITING"), tuple(self.step("a")[k] for k in ("progress", "attempt", "state")))
        self.assertIs(State.SUCCEEDED, self.run_to_end())

    def test_sleep_of_nothing_does_not_spin(self) -> None:
        runs = []
        self.begin(Call("a", lambda ctx: runs.append(1) or Sleep(0.0)))
        self.assertIs(State.WAITING, self.run_due())
        self.assertEqual([1], runs)

    def test_retry_counts_and_then_unwinds(self) -> None:
        attempts = []
        failing = Call("b", lambda ctx: attempts.append(ctx.attempt) or Retry(7.0, "busy"))
        self.begin(Ensure("a"), failing, max_attempts=3)
        self.assertIs(State.WAITING, self.run_due())
        self.assertTrue(6.5 <= self.wait() <= 7.0 * 1.25, self.wait())
        self.assertIs(State.REVERTED, self.run_to_end())
        self.assertEqual([1, 2, 3], attempts)
        row = self.case.row()
        self.assertEqual(("workflow.step_error", "busy"), (row["error_symbol"], row["error_detail"]))
        self.assertEqual((1, {}), (failing.undone, self.case.env.things))

    def test_exception_is_an_attempt_with_backoff(self) -> None:
        def fail_twice(ctx: StepContext) -> Done:
            if ctx.attempt < 3:
                raise RuntimeError(f"boom {ctx.attempt}")
            return Done()

        self.begin(Call("a", fail_twice))
        self.run_due()
        self.assertTrue(4.5 <= self.wait() <= 10.0, self.wait())
        self.assertEqual("RuntimeError: boom 1", self.step("a")["error"])
        self.assertIs(State.SUCCEEDED, self.run_to_end())
        self.assertIsNone(self.step("a")["error"])

    def test_a_wrong_answer_is_an_error(self) -> None:
        self.begin(Call("a", lambda ctx: None), max_attempts=1)  # type: ignore[arg-type,return-value]
        self.assertIs(State.REVERTED, self.run_to_end())
        self.assertIn("not with NoneType", self.case.row()["error_detail"])

    def test_output_that_is_not_json_is_an_error(self) -> None:
        self.begin(Call("a", lambda ctx: Done({"x": object()})), max_attempts=1)
        self.assertIs(State.REVERTED, self.run_to_end())

    def test_token_is_the_same_on_every_attempt(self) -> None:
        tokens = []
        self.begin(Call("a", lambda ctx: tokens.append(ctx.token) or (Sleep(1.0) if len(tokens) < 3 else Done())))
        self.run_to_end()
        self.assertEqual(3, len(tokens))
        self.assertEqual({self.step("a")["token"]}, set(tokens))

    def test_failing_write_rolls_the_checkpoint_back(self) -> None:
        def act(ctx: StepContext) -> Done:
            ctx.at_checkpoint(lambda session: flows.count(session, ctx.project_id, "written"))
            if ctx.attempt == 1:
                ctx.at_checkpoint(lambda session: session.execute("nonsense"))
            return Done()

        self.begin(Call("a", act))
        self.assertIs(State.WAITING, self.run_due())
        self.assertEqual({}, self.case.numbers())
        self.assertIs(State.SUCCEEDED, self.run_to_end())
        self.assertEqual({"written": 1, "success": 1}, self.case.numbers())

    def test_a_write_that_lost_a_race_is_repeated_at_once(self) -> None:
        lost = [True, True]

        def write(session: Any) -> None:
            flows.count(session, self.case.row()["project_id"], "written")
            if lost:
                lost.pop()
                raise exception.StaleObject

        def act(ctx: StepContext) -> Done:
            ctx.at_checkpoint(write)
            return Done()

        self.begin(Call("a", act))
        self.useFixture(fixtures.MonkeyPatch("time.sleep", lambda seconds: None))
        self.assertIs(State.SUCCEEDED, self.run_due())
        self.assertEqual((1, 1), (self.case.numbers()["written"], self.step("a")["attempt"]))

    def test_calls_come_after_the_commit_and_may_fail(self) -> None:
        seen = []

        def act(ctx: StepContext) -> Done:
            ctx.at_checkpoint(lambda session: flows.count(session, ctx.project_id, "written"))
            ctx.after_checkpoint(lambda: 1 / 0)
            ctx.after_checkpoint(lambda: seen.append(self.case.numbers()))
            return Done()

        self.begin(Call("a", act), Ensure("b"))
        self.assertIs(State.SUCCEEDED, self.run_due())
        self.assertEqual([{"written": 1}], seen)

    def test_stopping_gives_the_lease_back_between_steps(self) -> None:
        stop = threading.Event()
        self.begin(Call("a", lambda ctx: stop.set() or Done()), Ensure("b"))
        self.assertIs(State.RUNNING, self.engine.run_one(self.claim(), self.cancel, stop.is_set).state)
        self.assertEqual((None, {}), (self.case.row()["owner"], self.case.env.things))
        self.assertIs(State.SUCCEEDED, self.run_due())


class TestSignals(EngineTestCase):
    def test_wait_and_timeout(self) -> None:
        self.begin(Ensure("a"), Ask("q", 60.0))
        self.assertIs(State.WAITING, self.run_due())
        self.assertAlmostEqual(60.0, self.wait(), delta=0.5)
        self.assertIs(State.REVERTED, self.run_to_end())
        self.assertEqual("sample.silent", self.case.row()["error_symbol"])
        self.assertEqual("The guest does not answer.", self.case.row()["error_message"])

    def test_a_signal_wakes_and_is_consumed(self) -> None:
        self.begin(Ask("q"), Call("b", lambda ctx: Done(dict(ctx.outputs["q"]))))
        self.run_due()
        self.signal("something else", {})
        self.assertIsNone(self.claim())
        self.signal("answer:q", {"x": 1})
        self.signal("answer:q", {"x": 2})
        self.assertIs(State.SUCCEEDED, self.run_due())
        self.assertEqual({"x": 1}, self.step("b")["output"])

    def test_a_signal_that_came_first_is_kept(self) -> None:
        self.begin(Ensure("a", looks=1), Ask("q"))
        self.run_due()
        self.signal("answer:q", {"x": 1})
        self.clock.advance(6.0)
        self.assertIs(State.SUCCEEDED, self.run_due())

    def test_a_signal_during_the_step_is_not_lost(self) -> None:
        def act(ctx: StepContext) -> Any:
            if ctx.signal is None:
                self.signal("s", {"x": 1})
                return AwaitSignal("s", 60.0)
            return Done(dict(ctx.signal.payload))

        self.begin(Call("a", act))
        self.assertIs(State.SUCCEEDED, self.run_due())

    def test_the_deadline_counts_from_the_first_wait(self) -> None:
        self.begin(Call("a", lambda ctx: NO if ctx.timed_out else AwaitSignal("s", 60.0)))
        self.run_due()
        self.clock.advance(40.0)
        self.signal("s", {})
        self.run_due()
        self.assertAlmostEqual(20.0, self.wait(), delta=1.0)

    def test_an_exception_keeps_the_signal_for_the_next_attempt(self) -> None:
        def act(ctx: StepContext) -> Any:
            if ctx.signal is None:
                return AwaitSignal("s", 60.0)
            if ctx.attempt == 1:
                raise RuntimeError("the database is away")
            return Done(dict(ctx.signal.payload))

        self.begin(Call("a", act))
        self.run_due()
        self.signal("s", {"x": 1})
        self.assertIs(State.WAITING, self.run_due())
        self.assertIsNone(self.claim())
        self.assertIs(State.SUCCEEDED, self.run_to_end())
        self.assertEqual({"x": 1}, self.step("a")["output"])

    def unknown(self, ctx: StepContext) -> Any:
        """Ask, and when nobody answers, wait until somebody does."""
        if ctx.signal is not None:
            return Done(dict(ctx.signal.payload)) if ctx.signal.payload.get("x") else NO
        return ParkUntil("s", Failed("sample.unknown", "Nobody knows.")) if ctx.timed_out else AwaitSignal("s", 60.0)

    def test_what_nobody_knows_is_parked_until_somebody_says(self) -> None:
        for payload, state in (({"x": 1}, State.SUCCEEDED), ({}, State.REVERTED)):
            self.begin(Ensure("a"), Call("b", self.unknown))
            self.assertIs(State.PARKED, self.run_to_end())
            row = self.case.row()
            self.assertEqual(("sample.unknown", None), (row["error_symbol"], row["wake_at"]))
            self.assertEqual({"a": 1}, {k: v for k, v in self.case.env.things.items() if k == "a"}, "nothing is undone")
            self.clock.advance(10 * KIND.timeout)  # how long that takes is not its fault
            self.signal("another", {})
            self.assertIsNone(self.claim())
            self.signal("s", payload)
            self.assertIs(state, self.run_due())
            self.assertEqual(None if payload else "sample.no", self.case.row()["error_symbol"])

    def test_what_was_said_while_it_parked_is_not_lost(self) -> None:
        def act(ctx: StepContext) -> Any:
            if ctx.signal is None:
                self.signal("s", {"x": 1})
                return ParkUntil("s", NO)
            return Done(dict(ctx.signal.payload))

        self.begin(Call("a", act))
        self.assertIs(State.SUCCEEDED, self.run_due())
        self.assertNotIn("parked", self.case.numbers())

    def test_what_is_parked_for_another_reason_is_not_woken(self) -> None:
        def undo(ctx: StepContext) -> Any:
            return NO

        waits = Call("b", lambda ctx: AwaitSignal("s", 60.0), lambda ctx: AwaitSignal("s", 600.0))
        self.begin(Parallel("both", (waits, Call("c", lambda ctx: NO, undo))), max_attempts=1)
        self.assertIs(State.PARKED, self.run_to_end())
        self.signal("s", {})
        self.assertEqual(("PARKED", None), (self.case.row()["state"], self.case.row()["wake_at"]))

    def test_an_operators_retry_of_what_nobody_knows_looks_again(self) -> None:
        looks: list[bool] = []

        def act(ctx: StepContext) -> Any:
            looks.append(ctx.timed_out)
            return ParkUntil("s", NO) if len(looks) < 3 else Done()

        self.begin(Call("a", act))
        self.assertIs(State.PARKED, self.run_due())
        for state in (State.PARKED, State.SUCCEEDED):
            with self.db.writer() as session:
                self.assertTrue(self.store.retry(session, self.case.workflow_id))
            self.assertIs(state, self.run_due())

    def test_members_of_a_group_wait_together(self) -> None:
        self.begin(Parallel("group", (Ask("q"), Ensure("b", looks=1), Ask("r"))), Ensure("c"))
        self.run_due()
        self.assertAlmostEqual(5.0, self.wait(), delta=0.5)
        self.assertEqual(["q", "r"], [name for _, name in self.case.env.asked])
        self.signal("answer:r", {})
        self.assertIs(State.WAITING, self.run_due())
        self.assertEqual(["WAITING", "WAITING", "DONE"], [s["state"] for s in self.case.row()["steps"][:3]])
        self.clock.advance(6.0)
        self.assertIs(State.WAITING, self.run_due())
        self.signal("answer:q", {})
        self.assertIs(State.SUCCEEDED, self.run_due())

    def checkpoints(self) -> list[list[str]]:
        """Count from now on: for each checkpoint the steps whose rows it wrote."""
        written: list[list[str]] = []
        real = self.store.checkpoint

        def checkpoint(run: Run, *rest: Any) -> Run:
            done = real(run, *rest)
            written.append([name for name, row in done.steps.items() if row is not run.steps[name]])
            return done

        self.useFixture(fixtures.MonkeyPatch("trove.workflow.store.Store.checkpoint", lambda _self, *a: checkpoint(*a)))
        return written

    def test_members_share_a_checkpoint_and_others_do_not(self) -> None:
        self.begin(Ensure("first"), Parallel("group", (Ask("q"), Ensure("b"), Ask("r"))), Ensure("last"))
        written = self.checkpoints()
        self.run_due()
        self.assertEqual([["first"], ["q", "b", "r"]], written)
        self.signal("answer:q", {"n": 1})
        self.signal("answer:r", {"n": 2})
        self.assertIs(State.SUCCEEDED, self.run_due())
        self.assertEqual([["first"], ["q", "b", "r"], ["q", "r"], ["last"]], written)
        self.assertEqual([{"n": 1}, {"n": 2}], [self.step(name)["output"] for name in "qr"])
        self.assertEqual({"first": 1, "b": 1, "last": 1, "success": 1}, self.case.numbers())

    def test_a_failing_member_ends_the_batch(self) -> None:
        later = Call("later", lambda ctx: Done())
        self.begin(Parallel("group", (Ensure("a"), Call("bad", lambda ctx: NO), later)))
        written = self.checkpoints()
        self.assertIs(State.REVERTED, self.run_due())
        self.assertEqual(["a", "bad"], sorted(written[0]))
        self.assertEqual({"reverted": 1}, self.case.numbers())

    def test_a_write_that_fails_is_the_fault_of_its_member(self) -> None:
        def write(session: Any) -> None:
            raise RuntimeError("no room")

        def bad(ctx: StepContext) -> Done:
            ctx.at_checkpoint(write)
            return Done()

        self.begin(Parallel("group", (Ensure("a"), Call("bad", bad), Ensure("c"))), max_attempts=2)
        self.assertIs(State.WAITING, self.run_due())
        self.assertEqual(["DONE", "PENDING", "DONE"], [s["state"] for s in self.case.row()["steps"]])
        self.assertEqual([1, 2, 1], [s["attempt"] for s in self.case.row()["steps"]])
        self.assertIn("no room", self.step("bad")["error"])
        self.assertEqual({"a": 1, "c": 1}, self.case.numbers())
        self.assertIs(State.REVERTED, self.run_to_end())


class TestGivingUp(EngineTestCase):
    def cancel_it(self) -> None:
        with self.db.writer() as session:
            self.assertTrue(self.store.request_cancel(session, self.case.workflow_id))
            self.assertFalse(self.store.request_cancel(session, self.case.workflow_id))

    def test_cancel_before_the_start(self) -> None:
        self.begin(Ensure("a"))
        self.cancel_it()
        self.assertIs(State.REVERTED, self.run_due())
        self.assertEqual(["reverted:workflow.cancelled"], self.case.env.ended)
        self.assertEqual(0, self.case.env.made)

    def test_cancel_wakes_a_sleeper(self) -> None:
        self.begin(Ensure("a"), Ask("q"))
        self.run_due()
        self.cancel_it()
        self.assertIs(State.REVERTED, self.run_due())

    def test_cancel_during_a_step_that_goes_to_sleep(self) -> None:
        self.begin(Ensure("a"), Call("b", lambda ctx: self.cancel_it() or Sleep(50.0)))
        self.assertIs(State.REVERTED, self.run_due())

    def test_cancel_after_the_pivot_is_ignored(self) -> None:
        self.begin(Ensure("pivot"), Ask("q"), pivot="pivot")
        self.run_due()
        self.cancel_it()
        self.assertIs(State.WAITING, self.run_due())
        self.assertAlmostEqual(60.0, self.wait(), delta=1.0)
        self.signal("answer:q", {})
        self.assertIs(State.SUCCEEDED, self.run_due())

    def test_deadline_before_the_pivot(self) -> None:
        self.begin(Ensure("a"), Ask("q", 9000.0))
        self.run_due()
        self.assertAlmostEqual(KIND.timeout, self.wait(), delta=1.0)
        self.assertIs(State.REVERTED, self.run_to_end())
        self.assertEqual("workflow.timed_out", self.case.row()["error_symbol"])

    def test_deadline_after_the_pivot_parks_and_a_retry_has_time_again(self) -> None:
        self.begin(Ensure("a"), Ask("q", 9000.0), pivot=FROM_START)
        self.run_due()
        self.assertIs(State.PARKED, self.run_to_end())
        with self.db.writer() as session:
            self.store.retry(session, self.case.workflow_id)
        with self.db.reader() as session:
            left = self.case.row()["deadline"] - self.db.now(session)
        self.assertGreater(left, datetime.timedelta(seconds=KIND.timeout - 10))
        self.assertIs(State.WAITING, self.run_due())

    def test_abandoning_fences_the_worker(self) -> None:
        def act(ctx: StepContext) -> Done:
            with self.db.writer() as session:
                self.assertTrue(self.store.abandon(session, ctx.workflow_id, "instance.deleted", "by a test"))
                self.assertFalse(self.store.abandon(session, ctx.workflow_id, "instance.deleted", None))
            ctx.at_checkpoint(lambda session: flows.count(session, ctx.project_id, "written"))
            return Done()

        self.begin(Call("a", act))
        self.assertRaises(LeaseLost, self.run_due)
        self.assertEqual({}, self.case.numbers())
        row = self.case.row()
        self.assertEqual(("REVERTED", None, None, 2), tuple(row[k] for k in ("state", "claim_key", "wake_at", "epoch")))
        self.assertIsNone(self.claim())

    def test_a_lease_that_ran_out_is_taken_over(self) -> None:
        self.begin(Ensure("a"))
        first = self.claim("one")
        self.assertIsNone(self.claim("two"))
        self.clock.advance(testing.TTL + 1)
        second = self.claim("two")
        self.assertEqual((1, 2), (first.epoch, second.epoch))
        self.assertRaises(LeaseLost, self.engine.run_one, first, self.cancel)
        self.assertIs(State.SUCCEEDED, self.engine.run_one(second, self.cancel).state)
        self.assertEqual({"a": 1, "success": 1}, self.case.numbers())

    def test_a_worker_is_fenced_off_from_its_own_former_lease(self) -> None:
        """The name of the owner is not enough: a restarted process may have the same."""
        self.begin(Ensure("a"))
        first = self.claim("one")
        self.clock.advance(testing.TTL + 1)
        second = self.claim("one")
        self.assertRaises(LeaseLost, self.engine.run_one, first, self.cancel)
        self.assertIs(State.SUCCEEDED, self.engine.run_one(second, self.cancel).state)

    def test_a_step_that_may_not_act_any_more_ends_the_run(self) -> None:
        """Not an attempt that failed: it has done nothing, and its worker may record nothing."""

        def act(ctx: StepContext) -> Done:
            lease.require(ctx.cancel, "ensure_port")
            return Done()

        self.begin(Call("a", act))
        self.cancel.set()
        error = self.assertRaises(LeaseLost, self.run_due)
        self.assertIn("stopped in step a: ensure_port was not called", str(error))
        self.assertNotIn("Traceback", self.logs.text())
        self.clock.advance(testing.TTL + 1)
        self.cancel.clear()
        self.assertIs(State.SUCCEEDED, self.run_due())

    def test_an_unknown_version_is_left_alone(self) -> None:
        self.begin(Ensure("a"))
        self.assertIsNone(self.store.claim(self.case.workflow_id, "old", testing.TTL, [(KIND.name, 7)]))
        self.assertEqual(([], None), self.store.due([(KIND.name, 7)], 10))
        self.assertEqual(([self.case.workflow_id], None), self.store.due(self.registry.keys(), 10))
