# SPDX-License-Identifier: Apache-2.0
# covers: trove/workflow/engine.py
"""How a workflow is undone: in reverse, in its time, and parked when it cannot be."""

import datetime
from typing import Any

import sqlalchemy as sa

from trove.db import models
from trove.domain import operations
from trove.tests.unit.workflow import flows
from trove.tests.unit.workflow.flows import KIND, Call, Ensure
from trove.tests.unit.workflow.test_engine import NO, EngineTestCase
from trove.workflow.model import FROM_START, AwaitSignal, Done, Retry, Sleep, State, StepContext


class TestUnwinding(EngineTestCase):
    def test_failure_undoes_in_reverse_with_the_failed_step(self) -> None:
        order = []
        steps = [Call(n, lambda ctx: Done(), lambda ctx: order.append(ctx.step) or Done()) for n in "ab"]
        bad = Call("c", lambda ctx: NO, lambda ctx: order.append((ctx.step, ctx.error.symbol)) or Done())
        self.begin(*steps, bad, Ensure("d"))
        self.assertIs(State.REVERTED, self.run_due())
        self.assertEqual([("c", "sample.no"), "b", "a"], order)
        row = self.case.row()
        self.assertEqual(("sample.no", "It cannot be done."), (row["error_symbol"], row["error_message"]))
        self.assertNotIn("hunter2", row["error_detail"] + row["steps"][2]["error"])
        self.assertEqual(["UNDONE"] * 3 + ["PENDING"], [s["state"] for s in row["steps"]])
        self.assertEqual(["reverted:sample.no"], self.case.env.ended)

    def test_undo_may_wait_and_retry(self) -> None:
        answers = [Sleep(3.0), AwaitSignal("s", 5.0), Retry(2.0, "busy"), Done()]
        self.begin(Call("a", lambda ctx: NO, lambda ctx: answers.pop(0)))
        self.assertIs(State.UNWINDING, self.run_due())
        self.assertIs(State.REVERTED, self.run_to_end())
        self.assertEqual([], answers)

    def test_undo_that_keeps_failing_parks_and_can_be_retried(self) -> None:
        broken = [True]
        self.begin(Ensure("a"), Call("b", lambda ctx: NO, lambda ctx: NO if broken else Done()), max_attempts=2)
        self.assertIs(State.PARKED, self.run_to_end())
        row = self.case.row()
        self.assertIn("undo of b failed", row["error_detail"])
        self.assertEqual("sample.no", row["error_symbol"])
        self.assertIsNotNone(row["claim_key"])
        self.assertEqual({"a": 1, "parked": 1}, self.case.numbers())
        broken.clear()
        with self.db.writer() as session:
            self.assertTrue(self.store.retry(session, self.case.workflow_id))
            self.assertFalse(self.store.retry(session, self.case.workflow_id))
        self.assertIs(State.REVERTED, self.run_to_end())
        self.assertEqual({}, self.case.env.things)

    def test_undo_that_waits_for_ever_parks_and_can_be_retried(self) -> None:
        gone: list[bool] = []
        slow = Call("b", lambda ctx: NO, lambda ctx: Done() if gone else Sleep(30.0))
        self.begin(Ensure("a"), slow, undo_timeout=300.0)
        for _ in range(2):
            began = self.now()
            self.assertIs(State.PARKED, self.run_to_end())
            self.assertAlmostEqual(300.0, (self.now() - began).total_seconds(), delta=5.0)
            row = self.case.row()
            self.assertEqual("sample.no", row["error_symbol"])
            self.assertIn("the undo of b did not end within 300 seconds", row["error_detail"])
            self.assertIn("PARKED", self.logs.text())
            with self.db.writer() as session:
                self.assertTrue(self.store.retry(session, self.case.workflow_id))
        self.assertEqual(["parked:sample.no"] * 2, self.case.env.ended)
        gone.append(True)
        self.assertIs(State.REVERTED, self.run_to_end())
        self.assertEqual({}, self.case.env.things)

    def now(self) -> datetime.datetime:
        with self.db.reader() as session:
            return self.db.now(session)

    def test_a_signal_that_does_not_come_is_no_longer_awaited_either(self) -> None:
        self.begin(Call("a", lambda ctx: NO, lambda ctx: AwaitSignal("s", 1e6)), undo_timeout=300.0)
        self.run_due()
        self.assertAlmostEqual(300.0, self.wait(), delta=1.0)
        self.assertIs(State.PARKED, self.run_to_end())

    def test_an_undo_that_the_former_release_began_has_its_time_from_now(self) -> None:
        self.begin(Call("a", lambda ctx: NO, lambda ctx: Sleep(30.0)), undo_timeout=300.0)
        self.run_due()
        with self.db.writer() as session:
            session.execute(sa.update(models.Workflow).values(undo_deadline=None))
        self.clock.advance(1000.0)
        self.assertIs(State.UNWINDING, self.run_due())
        self.assertIs(State.PARKED, self.run_to_end())

    def test_a_deletion_goes_on_when_the_undo_before_it_takes_too_long(self) -> None:
        follower, claim = self.park_before(
            operations.INSTANCE_DELETE, Call("b", lambda ctx: NO, lambda ctx: Sleep(9.0))
        )
        self.assertIs(State.REVERTED, self.run_to_end(400))
        with self.db.reader() as session:
            row = self.store.describe(session, follower)
        self.assertEqual(claim, row["claim_key"])
        self.assertIsNotNone(row["wake_at"])

    def test_a_step_knows_how_long_it_has_been_at_it(self) -> None:
        waits: dict[str, list[float]] = {"run": [], "undo": []}

        def look(which: str, last: Any) -> Any:
            def act(ctx: StepContext) -> Any:
                waits[which].append(round(ctx.waited))
                return Sleep(10.0 + ctx.waited) if len(waits[which]) < 4 else last

            return act

        self.begin(Call("a", look("run", NO), look("undo", Done())))
        self.assertIs(State.REVERTED, self.run_to_end())
        self.assertEqual({"run": [0, 10, 30, 70], "undo": [0, 10, 30, 70]}, waits)

    def test_what_would_park_ends_when_a_deletion_waits(self) -> None:
        follower, claim = self.park_before(operations.INSTANCE_DELETE)
        self.assertIs(State.REVERTED, self.run_to_end())
        self.assertIn("undo of b failed", self.case.row()["error_detail"])
        self.assertIsNone(self.case.row()["claim_key"])
        with self.db.reader() as session:
            row = self.store.describe(session, follower)
        self.assertEqual(claim, row["claim_key"])
        self.assertIsNotNone(row["wake_at"])

    def test_anything_else_waits_until_what_is_parked_has_ended(self) -> None:
        follower, claim = self.park_before(KIND)
        self.assertIs(State.PARKED, self.run_to_end())
        self.assertEqual(claim, self.case.row()["claim_key"])
        with self.db.reader() as session:
            self.assertIsNone(self.store.describe(session, follower)["wake_at"])

    def park_before(self, kind: operations.Kind, step: Call | None = None) -> tuple[str, str]:
        """Begin what parks, and queue a workflow behind it; return that one's id, and the claim of both."""
        self.begin(Ensure("a"), step or Call("b", lambda ctx: NO, lambda ctx: NO), max_attempts=2)
        row = self.case.row()
        with self.db.writer() as session:
            follower = self.store.submit(
                session,
                kind=kind,
                resource_type="sample",
                resource_id=row["resource_id"],
                project_id="p",
                request_id=None,
                inputs={},
                claim=row["claim_key"],
                after=self.case.workflow_id,
            )
        return follower, row["claim_key"]

    def test_after_the_pivot_it_retries_then_parks_then_goes_on(self) -> None:
        broken = [True]
        late = Call("late", lambda ctx: NO if broken else Done())
        self.begin(Ensure("a"), Ensure("pivot"), late, pivot="pivot", max_attempts=3)
        self.assertIs(State.WAITING, self.run_due())
        self.assertIs(State.PARKED, self.run_to_end())
        self.assertEqual((3, 0), (self.step("late")["attempt"], late.undone))
        self.assertEqual(["parked:sample.no"], self.case.env.ended)
        self.assertIn("PARKED", self.logs.text())
        broken.clear()
        with self.db.writer() as session:
            self.store.retry(session, self.case.workflow_id)
        self.assertIs(State.SUCCEEDED, self.run_to_end())
        self.assertIsNone(self.case.row()["error_symbol"])

    def test_a_failing_pivot_still_unwinds(self) -> None:
        self.begin(Ensure("a"), Call("pivot", lambda ctx: NO), pivot="pivot")
        self.assertIs(State.REVERTED, self.run_due())

    def test_a_failing_hook_of_parking_does_not_prevent_it(self) -> None:
        def hook(ctx: StepContext, session: Any) -> None:
            flows.count(session, ctx.project_id, "parked")
            raise RuntimeError("hook")

        self.begin(Call("a", lambda ctx: NO), pivot=FROM_START, max_attempts=1, on_parked=hook)
        self.assertIs(State.PARKED, self.run_due())
        self.assertEqual({}, self.case.numbers())

    def test_a_failing_hook_of_success_counts_as_an_attempt(self) -> None:
        def hook(ctx: StepContext, session: Any) -> None:
            raise RuntimeError("hook")

        self.begin(Ensure("a"), on_success=hook, max_attempts=2)
        self.assertIs(State.REVERTED, self.run_to_end())
        self.assertEqual({"reverted": 1}, self.case.numbers())
