# SPDX-License-Identifier: Apache-2.0
# covers: trove/workflow/ending.py
# covers: trove/workflow/listing.py
# covers: trove/workflow/rows.py
# covers: trove/workflow/signals.py
"""Submitting, queueing behind one another, signals, and what users see; functional tests repeat the races."""

import threading
from typing import Any

import sqlalchemy as sa

from trove.common import ids
from trove.db import models
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.unit.workflow import flows
from trove.tests.unit.workflow.flows import KIND, Ask, Ensure
from trove.workflow import signals, testing
from trove.workflow.engine import Engine
from trove.workflow.listing import OperationNotFound
from trove.workflow.model import ClaimHeld, Failed, State
from trove.workflow.registry import Registry
from trove.workflow.store import Store


class StoreTestCase(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        self.clock = testing.MovableClock(self.db)
        self.store = Store(self.db)
        self.resource = ids.new_id()
        self.registry = Registry([flows.flow(KIND, Ensure("a"), Ask("q"), Ensure("b", looks=1))])
        self.engine = Engine(self.store, self.registry, flows.World())

    def submit(self, **options: Any) -> str:
        with self.db.writer() as session:
            return self.store.submit(
                session,
                kind=KIND,
                resource_type="sample",
                resource_id=self.resource,
                project_id=self.resource,
                request_id="req-1",
                inputs={"x": 1},
                **options,
            )

    def row(self, workflow_id: str) -> dict[str, Any]:
        with self.db.reader() as session:
            return self.store.describe(session, workflow_id)

    def run_due(self, workflow_id: str) -> State | None:
        run = self.store.claim(workflow_id, "me", testing.TTL, self.registry.keys())
        return None if run is None else self.engine.run_one(run, threading.Event()).state

    def signal(self, workflow_id: str, name: str, payload: dict[str, Any]) -> bool:
        with self.db.writer() as session:
            return self.store.signal(session, workflow_id, name, payload)

    def test_what_was_not_known_is_added_before_it_begins(self) -> None:
        made = self.submit()
        with self.db.writer() as session:
            self.store.amend(session, made, {"y": 2})
        self.assertEqual({"x": 1, "y": 2}, self.row(made)["inputs"])

    def test_why_it_ended_can_be_corrected_once(self) -> None:
        made, other = self.submit(), self.submit()
        known = Failed("guest.known", "Now it is known.")
        for workflow_id in (made, other):
            self.abandon(workflow_id)
        with self.db.writer() as session:
            self.assertFalse(self.store.correct(session, made, "guest.unknown", known))
            self.assertTrue(self.store.correct(session, made, "instance.deleted", known))
            self.assertFalse(self.store.correct(session, made, "instance.deleted", known))
        found = [self.row(item)["error_symbol"] for item in (made, other)]
        self.assertEqual(["guest.known", "instance.deleted"], found)

    def abandon(self, workflow_id: str) -> None:
        with self.db.writer() as session:
            self.store.abandon(session, workflow_id, "instance.deleted", None)

    def count(self, table: Any) -> int:
        with self.db.reader() as session:
            return session.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


class TestClaims(StoreTestCase):
    def test_one_active_workflow_per_claim(self) -> None:
        first = self.submit(claim="c")
        with self.db.writer() as session:
            held = self.assertRaises(
                ClaimHeld,
                self.store.submit,
                session,
                kind=KIND,
                resource_type="sample",
                resource_id=self.resource,
                project_id="p",
                request_id=None,
                inputs={},
                claim="c",
            )
            self.assertEqual(first, held.workflow_id)
            self.assertEqual(first, self.store.active(session, "c").id)
        self.abandon(first)
        self.submit(claim="c")

    def test_those_without_a_claim_do_not_collide(self) -> None:
        self.assertNotEqual(self.submit(), self.submit())

    def test_an_id_of_the_callers_choice(self) -> None:
        chosen = ids.new_id()
        self.assertEqual(chosen, self.submit(workflow_id=chosen))

    def test_nothing_remains_of_a_rolled_back_submit(self) -> None:
        def fail() -> None:
            with self.db.writer() as session:
                self.store.submit(
                    session,
                    kind=KIND,
                    resource_type="sample",
                    resource_id=self.resource,
                    project_id="p",
                    request_id=None,
                    inputs={},
                )
                raise RuntimeError("the rest of the request failed")

        self.assertRaises(RuntimeError, fail)
        self.assertEqual(0, self.count(models.Workflow))


class TestSuccessors(StoreTestCase):
    def test_it_starts_with_the_claim_when_its_predecessor_ends(self) -> None:
        first = self.submit(claim="c")
        second = self.submit(claim="c", after=first)
        self.assertIsNone(self.run_due(second))
        with self.db.reader() as session:
            self.assertEqual([second], [item.id for item in self.store.successors(session, first, lock=True)])
        with self.db.writer() as session:
            self.store.request_cancel(session, first)
        self.assertIs(State.REVERTED, self.run_due(first))
        row = self.row(second)
        self.assertEqual(("c", None), (row["claim_key"], row["wanted_claim"]))
        self.assertIs(State.WAITING, self.run_due(second))
        with self.db.reader() as session:
            self.assertEqual([], self.store.successors(session, first))

    def test_it_starts_when_its_predecessor_is_abandoned(self) -> None:
        first = self.submit(claim="c")
        second = self.submit(claim="c", after=first)
        self.abandon(first)
        self.assertIs(State.WAITING, self.run_due(second))

    def test_behind_a_finished_or_forgotten_one_it_starts_at_once(self) -> None:
        first = self.submit(claim="c")
        self.abandon(first)
        for after in (first, ids.new_id()):
            second = self.submit(claim="c", after=after)
            self.assertIs(State.WAITING, self.run_due(second))
            self.abandon(second)

    def test_two_behind_one_take_turns(self) -> None:
        first = self.submit(claim="c")
        second = self.submit(claim="c", after=first)
        third = self.submit(claim="c", after=first)
        self.abandon(first)
        started = [i for i in (second, third) if self.row(i)["claim_key"] == "c"]
        self.assertEqual(1, len(started))
        self.abandon(started[0])
        self.assertEqual("c", self.row(({second, third} - set(started)).pop())["claim_key"])

    def test_a_queued_one_can_be_cancelled(self) -> None:
        first = self.submit(claim="c")
        second = self.submit(claim="c", after=first)
        with self.db.writer() as session:
            self.store.request_cancel(session, second)
        self.assertIsNone(self.run_due(second))
        self.abandon(first)
        self.assertIs(State.REVERTED, self.run_due(second))


class TestTimeLimit(StoreTestCase):
    """The time of a workflow begins when it is due, and an operator's retry gives it the same again."""

    def left(self, workflow_id: str) -> float:
        with self.db.reader() as session:
            return (self.row(workflow_id)["deadline"] - self.db.now(session)).total_seconds()

    def operation(self, workflow_id: str) -> Any:
        with self.db.reader() as session:
            return self.store.get_operation(session, self.resource, workflow_id)

    def test_waiting_behind_another_one_does_not_count(self) -> None:
        first = self.submit(claim="c")
        second = self.submit(claim="c", after=first)
        self.assertIsNone(self.operation(second).deadline)
        self.clock.advance(10 * KIND.timeout)
        self.abandon(first)
        self.assertAlmostEqual(KIND.timeout, self.left(second), delta=5.0)
        self.assertEqual(self.row(second)["deadline"], self.operation(second).deadline)
        self.assertIs(State.WAITING, self.run_due(second))

    def park(self, workflow_id: str) -> None:
        parked = sa.update(models.Workflow).where(models.Workflow.id == workflow_id)
        with self.db.writer() as session:
            session.execute(parked.values(state="PARKED", wake_at=None))

    def retry(self, workflow_id: str) -> float:
        self.clock.advance(1000.0)
        self.park(workflow_id)
        with self.db.writer() as session:
            self.assertTrue(self.store.retry(session, workflow_id))
        return self.left(workflow_id)

    def test_every_retry_gives_the_same_time(self) -> None:
        made = self.submit()
        for _ in range(3):
            self.assertAlmostEqual(KIND.timeout, self.retry(made), delta=5.0)

    def test_one_of_the_former_release_has_what_it_had(self) -> None:
        made = self.submit()
        with self.db.writer() as session:
            session.execute(sa.update(models.Workflow).values(timeout=None))
        self.assertAlmostEqual(KIND.timeout, self.retry(made), delta=5.0)


class TestSignals(StoreTestCase):
    def test_by_claim(self) -> None:
        first = self.submit(claim="c")
        self.run_due(first)
        with self.db.writer() as session:
            self.assertIsNone(self.store.signal_claim(session, "other", "answer:q", {}))
            self.assertEqual(first, self.store.signal_claim(session, "c", "answer:q", {"x": 1}))
        self.assertIs(State.WAITING, self.run_due(first))
        self.assertEqual({"x": 1}, self.row(first)["steps"][1]["output"])
        self.assertEqual(0, self.count(models.WorkflowSignal))

    def test_to_one_that_has_ended_or_never_was(self) -> None:
        first = self.submit()
        self.abandon(first)
        self.assertFalse(self.signal(first, "s", {}))
        self.assertFalse(self.signal(ids.new_id(), "s", {}))
        self.assertEqual(0, self.count(models.WorkflowSignal))

    def test_one_that_came_while_the_one_before_was_used_is_not_lost(self) -> None:
        first = self.submit()
        self.run_due(first)
        self.signal(first, "answer:q", {"x": 1})
        run = self.store.claim(first, "me", testing.TTL, self.registry.keys())
        with self.db.writer() as session:
            signals.deliver(session, first, "answer:q", {"x": 2}, self.db.now(session), renew=True)
        self.engine.run_one(run, threading.Event())
        self.assertEqual({"x": 1}, self.row(first)["steps"][1]["output"])
        self.assertEqual(1, self.count(models.WorkflowSignal))

    def test_unused_ones_go_with_the_workflow(self) -> None:
        first = self.submit()
        self.assertTrue(self.signal(first, "never awaited", {}))
        self.assertTrue(self.signal(first, "never awaited", {}))
        self.assertEqual(1, self.count(models.WorkflowSignal))
        self.abandon(first)
        self.assertEqual(0, self.count(models.WorkflowSignal))


class TestLeases(StoreTestCase):
    def test_renewing_tells_what_was_lost(self) -> None:
        first, second = self.submit(), self.submit()
        for workflow_id in (first, second):
            self.store.claim(workflow_id, "me", 30.0, self.registry.keys())
        self.clock.advance(20.0)
        self.assertEqual(set(), self.store.renew("me", [first, second], 30.0))
        self.clock.advance(20.0)
        self.assertIsNone(self.store.claim(first, "other", 30.0, self.registry.keys()))
        self.abandon(second)
        self.assertEqual({second}, self.store.renew("me", [first, second], 30.0))
        self.assertEqual({first}, self.store.renew("other", [first], 30.0))

    def test_giving_back(self) -> None:
        first, second = self.submit(), self.submit()
        for workflow_id in (first, second):
            self.store.claim(workflow_id, "me", 30.0, self.registry.keys())
        self.assertEqual(0, self.store.give_back("other"))
        self.assertEqual(1, self.store.give_back("me", [first]))
        self.assertEqual(1, self.store.give_back("me"))
        self.assertIsNotNone(self.store.claim(second, "other", 30.0, self.registry.keys()))

    def test_due_names_the_next_moment(self) -> None:
        first = self.submit()
        self.run_due(first)
        found, later = self.store.due(self.registry.keys(), 10)
        self.assertEqual([], found)
        self.assertAlmostEqual(60.0, later, delta=1.0)


class TestListing(StoreTestCase):
    def test_progress(self) -> None:
        first = self.submit(claim="c")

        def look() -> tuple[str, int, list[tuple[str, int]]]:
            with self.db.reader() as session:
                found = self.store.get_operation(session, self.resource, first)
            return found.state, found.progress, [(step.state, step.progress) for step in found.steps]

        self.assertEqual(("QUEUED", 0, []), look())
        self.run_due(first)
        self.assertEqual(("WAITING", 33, [("DONE", 100), ("WAITING", 0), ("PENDING", 0)]), look())
        self.signal(first, "answer:q", {})
        self.store.claim(first, "me", testing.TTL, self.registry.keys())
        self.assertEqual("RUNNING", look()[0])
        self.store.give_back("me")
        self.run_due(first)
        self.assertEqual(("WAITING", 83, [("DONE", 100), ("DONE", 100), ("WAITING", 50)]), look())
        self.clock.advance(10.0)
        self.run_due(first)
        self.assertEqual(("SUCCEEDED", 100), look()[:2])

    def test_the_running_step_is_shown(self) -> None:
        seen = []

        def look(ctx: Any) -> Any:
            with self.db.reader() as session:
                seen.append(self.store.get_operation(session, self.resource, ctx.workflow_id).steps[1])
            return flows.Done()

        self.registry = Registry([flows.flow(KIND, Ensure("a"), flows.Call("b", look))])
        self.engine = Engine(self.store, self.registry, flows.World())
        self.run_due(self.submit())
        self.assertEqual(("b", "RUNNING", 1), (seen[0].name, seen[0].state, seen[0].attempt))
        self.assertIsNotNone(seen[0].started_at)

    def test_pages_newest_first(self) -> None:
        made = [self.submit() for _ in range(5)]
        with self.db.reader() as session:
            listed, marker = [], None
            while page := self.store.list_operations(session, self.resource, limit=2, marker=marker):
                listed += [item.id for item in page]
                marker = listed[-1]
            self.assertEqual(set(made), set(listed))
            self.assertEqual(5, len(listed))
            times = [self.store.get_operation(session, self.resource, i).created_at for i in listed]
            self.assertEqual(sorted(times, reverse=True), times)
            self.assertRaises(OperationNotFound, self.store.get_operation, session, ids.new_id(), made[0])
            self.assertRaises(OperationNotFound, self.store.list_operations, session, "other", limit=1, marker=made[0])
            self.assertEqual([], self.store.list_operations(session, "other", limit=1))

    def test_for_the_operator(self) -> None:
        first, second = self.submit(), self.submit()
        self.abandon(first)
        with self.db.reader() as session:
            self.assertEqual([second], [r["id"] for r in self.store.list_workflows(session, states=[State.QUEUED])])
            self.assertEqual(2, len(self.store.list_workflows(session, resource_id=self.resource)))
            self.assertRaises(OperationNotFound, self.store.describe, session, "nothing")
