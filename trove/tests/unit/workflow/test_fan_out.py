# SPDX-License-Identifier: Apache-2.0
"""One child workflow for each member: what a parent decides, and how parents and children meet in the store."""

import threading
from collections.abc import Mapping
from typing import Any

import fixtures

from trove.common.backoff import Backoff
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.unit.workflow import flows
from trove.workflow import fan_out, testing
from trove.workflow.engine import Engine
from trove.workflow.fan_out import Child, Failures
from trove.workflow.model import AwaitSignal, Done, Failed, Flow, Result, State, StepContext
from trove.workflow.registry import Registry
from trove.workflow.store import Store

_NAMES = ("a", "b", "c", "d")


def children(**states: str) -> dict[str, Child]:
    return {
        name: Child(f"id-{name}", State(state), symbol="x.y" if state == "REVERTED" else None)
        for name, state in states.items()
    }


class TestForward(base.UnitTestCase):
    def move(self, width: int, failures: Failures = Failures.FAIL, **states: str) -> fan_out.Move:
        move = fan_out.forward(_NAMES, children(**states), width, failures)
        active = sum(state not in ("SUCCEEDED", "REVERTED") for state in states.values())
        self.assertLessEqual(active + len(move.start), max(width, active))
        self.assertFalse(set(move.start) & set(states), "no member is started twice")
        return move

    def test_members_start_in_their_order_as_far_as_there_is_room(self) -> None:
        self.assertEqual(["a", "b"], self.move(2).start)
        self.assertEqual(list(_NAMES), self.move(9).start)
        self.assertEqual([], self.move(2, a="RUNNING", b="QUEUED").start)
        self.assertEqual(["c"], self.move(2, a="SUCCEEDED", b="WAITING").start)
        self.assertIsInstance(self.move(2).answer, AwaitSignal)

    def test_one_that_is_parked_has_not_ended(self) -> None:
        self.assertEqual([], self.move(1, a="PARKED").start)
        self.assertIsInstance(self.move(9, **dict.fromkeys(_NAMES, "PARKED")).answer, AwaitSignal)

    def test_it_ends_with_the_last_one(self) -> None:
        done = dict.fromkeys(_NAMES, "SUCCEEDED")
        self.assertIsInstance(self.move(2, **{**done, "d": "UNWINDING"}).answer, AwaitSignal)
        answer = self.move(2, **done).answer
        self.assertEqual(list(_NAMES), list(answer.output["outcomes"]))

    def test_nobody_to_work_on(self) -> None:
        self.assertEqual(Done({"outcomes": {}}), fan_out.forward((), {}, 1, Failures.FAIL).answer)

    def test_one_that_fails_ends_all_or_is_reported_alone(self) -> None:
        states = {"a": "SUCCEEDED", "b": "REVERTED"}
        move = self.move(2, **states)
        self.assertEqual((fan_out.MEMBER_FAILED, []), (move.answer.symbol, list(move.start)))
        self.assertIn("b: x.y (workflow id-b)", move.answer.detail)
        move = self.move(2, Failures.COLLECT, **states)
        self.assertEqual(["c", "d"], move.start)
        answer = self.move(2, Failures.COLLECT, **states, c="SUCCEEDED", d="SUCCEEDED").answer
        self.assertEqual(("REVERTED", "x.y"), tuple(answer.output["outcomes"]["b"][k] for k in ("state", "symbol")))

    def test_a_message_of_a_child_is_kept_in_one_sentence(self) -> None:
        failed = {"a": Child("id", State.REVERTED, symbol="x.y", message="The disk is full.")}
        answer = fan_out.forward(_NAMES, failed, 1, Failures.FAIL).answer
        self.assertEqual("1 of 4 members failed. The disk is full.", answer.message)


class TestBackward(base.UnitTestCase):
    def test_those_that_have_not_ended_are_cancelled_once(self) -> None:
        known = children(a="SUCCEEDED", b="RUNNING", c="PARKED", d="REVERTED")
        known["c"] = Child("id-c", State.PARKED, cancelled=True)
        move = fan_out.backward(known)
        self.assertEqual(["id-b"], list(move.cancel))
        self.assertIsInstance(move.answer, AwaitSignal)

    def test_it_ends_when_all_have_ended(self) -> None:
        self.assertEqual(fan_out.Move(Done()), fan_out.backward(children(a="SUCCEEDED", b="REVERTED")))


class TestSteps(base.UnitTestCase):
    def test_a_width_of_nothing_is_refused(self) -> None:
        self.assertRaises(ValueError, fan_out.FanOut, "x", "y", flows.MEMBER, width=0)

    def test_too_many_members_and_the_same_twice(self) -> None:
        one = fan_out.Member("sample", "m")
        ctx: Any = None
        answer = fan_out.NameMembers("n", lambda ctx: [one] * (fan_out.MOST_MEMBERS + 1)).run(ctx)
        self.assertEqual("workflow.too_many_members", answer.symbol)
        self.assertRaises(ValueError, fan_out.NameMembers("n", lambda ctx: [one, one]).run, ctx)


class FamilyTestCase(base.UnitTestCase):
    """Parents and children on a real (SQLite) store with a clock that the test moves."""

    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        self.clock = testing.MovableClock(self.db)
        self.store = Store(self.db)

    def begin(self, parent: Flow | None = None, *, member: Flow | None = None, answered: bool = True) -> None:
        self.answered = answered
        self.registry = Registry([parent or flows.family_flow(), member or flows.member_flow()])
        self.case = flows.SampleCase(self.db, self.store, flows.FAMILY)
        self.engine = Engine(self.store, self.registry, self.case.env, backoff=Backoff(0.0, 0.0))
        self.parent = self.case.workflow_id

    def run_due(self) -> None:
        """Run what is due until nothing is, the guests answering."""
        while True:
            if self.answered:
                self.case.answer()
            found, _ = self.store.due(self.registry.keys(), 100)
            if not found:
                return
            for workflow_id in found:
                run = self.store.claim(workflow_id, "me", testing.TTL, self.registry.keys())
                if run is not None:
                    self.engine.run_one(run, threading.Event())

    def row(self, workflow_id: str | None = None) -> Mapping[str, Any]:
        with self.db.reader() as session:
            return self.store.describe(session, workflow_id or self.parent)

    def states(self) -> list[str]:
        return [child["state"] for child in self.row()["children"]]

    def write(self, method: Any, *args: Any) -> Any:
        with self.db.writer() as session:
            return method(session, *args)


class TestFamily(FamilyTestCase):
    def test_the_next_starts_when_one_ends_and_the_parent_goes_on_after_the_last(self) -> None:
        self.begin(answered=False)
        self.run_due()
        self.assertEqual(["WAITING"] * flows.WIDTH, self.states())
        first = self.row()["children"][0]["id"]
        self.assertEqual(self.parent, self.row(first)["parent_id"])
        self.assertEqual([f"sample:{self.row(first)['resource_id']}"], self.row(first)["claims"])
        self.write(self.store.signal, first, "answer:ready", {})
        self.run_due()
        self.assertEqual(["SUCCEEDED", "WAITING", "WAITING"], self.states())
        self.answered = True
        self.run_due()
        row = self.row()
        self.assertEqual((["SUCCEEDED"] * 3, "SUCCEEDED"), (self.states(), row["state"]))
        outcomes = row["steps"][2]["output"]["outcomes"]
        self.assertEqual([child["id"] for child in row["children"]], [i["workflow_id"] for i in outcomes.values()])

    def test_two_that_end_while_the_parent_looks(self) -> None:
        """The signal of the second must not be consumed with that of the first."""
        self.begin(answered=False)
        self.run_due()
        first, second = (child["id"] for child in self.row()["children"])
        self.write(self.store.abandon, first, "x.y", None)
        run = self.store.claim(self.parent, "me", testing.TTL, self.registry.keys())
        fan = self.registry.plan(*self.registry.keys()[0]).steps["change-members"]
        real, active = type(fan).run, []

        def look(step: Any, ctx: StepContext) -> Result:
            answer = real(step, ctx)
            active.append(sum(state not in ("SUCCEEDED", "REVERTED") for state in self.states()))
            self.write(self.store.abandon, second, "x.y", None)
            return answer

        self.useFixture(fixtures.MonkeyPatch("trove.workflow.fan_out.FanOut.run", look))
        collect = flows.family_flow(Failures.COLLECT)
        Engine(self.store, Registry([collect]), self.case.env).run_one(run, threading.Event())
        self.assertEqual([1, 1], active, "it looks again after the second has ended and the third has begun")

    def test_a_failure_cancels_the_others(self) -> None:
        self.begin(member=self.failing("1"))
        self.run_due()
        row = self.row()
        self.assertEqual(("REVERTED", fan_out.MEMBER_FAILED), (row["state"], row["error_symbol"]))
        self.assertNotIn("RUNNING", self.states())
        self.assertEqual({}, self.case.env.things)

    def test_a_failure_is_reported_and_the_others_go_on(self) -> None:
        self.begin(flows.family_flow(Failures.COLLECT), member=self.failing("1"))
        self.run_due()
        row = self.row()
        self.assertEqual(("SUCCEEDED", ["SUCCEEDED", "REVERTED", "SUCCEEDED"]), (row["state"], self.states()))
        left = {tag.split("/")[0] for tag in self.case.env.things if tag.startswith("member:")}
        self.assertEqual({"member:0", "member:2"}, left)
        failed = [item for item in row["steps"][2]["output"]["outcomes"].values() if item["state"] == "REVERTED"]
        self.assertEqual([("sample.no", "It cannot be done.")], [(i["symbol"], i["message"]) for i in failed])

    @staticmethod
    def failing(member: str, **options: Any) -> Flow:
        """Return a flow of members that one of them does not get through."""

        def act(ctx: StepContext) -> Result:
            return Failed("sample.no", "It cannot be done.") if ctx.inputs["member"] == member else Done()

        steps = (flows.EnsureOfMember("port"), flows.Call("b", act))
        return flows.flow(flows.MEMBER, *steps, on_success=testing.no_hook, on_reverted=testing.no_hook, **options)

    def test_one_that_is_parked_is_waited_for(self) -> None:
        self.begin(member=self.failing("0", pivot="ensure-port", max_attempts=1, on_parked=testing.no_hook))
        self.run_due()
        self.assertEqual(("WAITING", ["PARKED", "SUCCEEDED", "SUCCEEDED"]), (self.row()["state"], self.states()))
        parked = self.row()["children"][0]
        self.assertEqual("sample.no", parked["error_symbol"])
        self.write(self.store.abandon, parked["id"], "workflow.aborted", None)
        self.run_due()
        self.assertEqual("REVERTED", self.row()["state"])

    def test_a_cancel_of_the_parent_reaches_the_children_and_waits_for_them(self) -> None:
        self.begin(answered=False)
        self.run_due()
        self.write(self.store.request_cancel, self.parent)
        run = self.store.claim(self.parent, "me", testing.TTL, self.registry.keys())
        self.engine.run_one(run, threading.Event())
        self.assertEqual("UNWINDING", self.row()["state"])
        self.assertTrue(all(child["cancel_requested_at"] for child in self.row()["children"]))
        self.run_due()
        self.assertEqual(("REVERTED", ["REVERTED"] * flows.WIDTH), (self.row()["state"], self.states()))
        self.assertEqual({}, self.case.env.things)

    def test_children_of_one_that_is_ended_by_force_unwind_by_themselves(self) -> None:
        self.begin(answered=False)
        self.run_due()
        self.write(self.store.abandon, self.parent, "workflow.aborted", None)
        self.run_due()
        self.assertEqual(["REVERTED"] * flows.WIDTH, self.states())
        self.assertEqual([], [tag for tag in self.case.env.things if tag.startswith("member:")])

    def test_a_busy_member_is_waited_for(self) -> None:
        self.begin(self.of("busy"))
        holder = self.write(lambda session: self.submit(session, "sample:busy"))
        self.run_due()
        (child,) = self.row()["children"]
        self.assertEqual((holder, "QUEUED"), (self.row(child["id"])["after_id"], child["state"]))
        self.write(self.store.abandon, holder, "x.y", None)
        self.run_due()
        self.assertEqual("SUCCEEDED", self.row()["state"])

    def test_a_parent_that_claims_its_member_is_a_mistake(self) -> None:
        self.begin(self.of(None))
        self.run_due()
        self.assertEqual("REVERTED", self.row()["state"])
        self.assertIn("must not hold what its children claim", self.row()["error_detail"])

    def of(self, member: str | None) -> Flow:
        """Return a flow about one member; ``None``: what the parent itself claims."""

        def find(ctx: StepContext) -> list[fan_out.Member]:
            found = member or ctx.resource_id
            return [fan_out.Member("sample", found, {"member": "0"}, [f"sample:{found}"])]

        fan = fan_out.FanOut("change-members", "name-members", flows.MEMBER, width=1)
        return flows.flow(flows.FAMILY, fan_out.NameMembers("name-members", find), fan, max_attempts=1)

    def submit(self, session: Any, claim: str) -> str:
        return self.store.submit(
            session,
            kind=flows.KIND,
            resource_type="sample",
            resource_id="busy",
            project_id="p",
            request_id=None,
            inputs={},
            claim=claim,
        )
