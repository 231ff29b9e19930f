# SPDX-License-Identifier: Apache-2.0
"""Several claims of one workflow, and claims beside processes of the former release, which know only ``claim_key``."""

from typing import Any

import fixtures
import sqlalchemy as sa

from trove.common import clock, ids
from trove.db import models
from trove.tests.unit.workflow import flows
from trove.tests.unit.workflow.test_store import StoreTestCase
from trove.workflow import claims
from trove.workflow.model import ClaimHeld


class ClaimsTestCase(StoreTestCase):
    def held(self) -> dict[str, str]:
        with self.db.reader() as session:
            rows = session.execute(sa.select(models.WorkflowClaim.claim_key, models.WorkflowClaim.workflow_id)).all()
        return {row.claim_key: row.workflow_id for row in rows}

    def refused(self, **options: Any) -> ClaimHeld:
        """Submit something that must be refused; return why."""
        before = self.count(models.Workflow), self.held()
        error = self.assertRaises(ClaimHeld, self.submit, **options)
        self.assertEqual(before, (self.count(models.Workflow), self.held()))
        return error

    def active(self, claim: str) -> str | None:
        with self.db.reader() as session:
            found = self.store.active(session, claim)
        return None if found is None else found.id


class TestSeveral(ClaimsTestCase):
    def test_all_or_none(self) -> None:
        first = self.submit(claims=("c", "a"))
        self.assertEqual({"a": first, "c": first}, self.held())
        self.assertEqual((["a", "c"], None), (self.row(first)["claims"], self.row(first)["claim_key"]))
        for options in ({"claims": ("b", "c")}, {"claim": "a"}, {"claim": "b", "claims": ("a",)}):
            error = self.refused(**options)
            self.assertEqual(first, error.workflow_id)
            self.assertIn(error.claim_key, ("a", "c"))
        other = self.submit(claim="b")
        self.assertEqual(("b", other), (self.row(other)["claim_key"], self.active("b")))
        self.abandon(first)
        self.assertEqual({"b": other}, self.held())
        self.assertEqual((None, None), (self.active("a"), self.active("c")))

    def test_the_first_that_is_held_is_named(self) -> None:
        self.submit(claim="y")
        holder = self.submit(claim="x")
        error = self.refused(claims=("z", "y", "x"))
        self.assertEqual(("x", holder), (error.claim_key, error.workflow_id))
        self.assertIn(holder, str(error))

    def test_they_end_with_the_workflow(self) -> None:
        first = self.submit(claims=("a", "b"))
        with self.db.writer() as session:
            self.store.request_cancel(session, first)
        self.run_due(first)
        self.assertEqual(("REVERTED", {}), (self.row(first)["state"], self.held()))
        self.assertEqual(["a", "b"], self.row(first)["claims"], "what it had claimed can still be seen")

    def test_a_signal_finds_the_holder(self) -> None:
        first = self.submit(claims=("a", "b"))
        with self.db.writer() as session:
            self.assertEqual(first, self.store.signal_claim(session, "b", "s", {}))


class TestSuccessors(ClaimsTestCase):
    def test_it_takes_all_at_once(self) -> None:
        first = self.submit(claims=("a", "b"))
        second = self.submit(claims=("b", "c"), after=first)
        self.assertEqual({"a": first, "b": first}, self.held())
        self.abandon(first)
        self.assertEqual({"b": second, "c": second}, self.held())
        self.assertIsNotNone(self.row(second)["wake_at"])

    def test_it_queues_behind_whoever_holds_another_one(self) -> None:
        first, other = self.submit(claim="a"), self.submit(claim="b")
        second = self.submit(claims=("a", "b"), after=first)
        self.abandon(first)
        self.assertEqual((other, None), (self.row(second)["after_id"], self.row(second)["wake_at"]))
        self.assertEqual({"b": other}, self.held(), "it holds nothing while it waits")
        third = self.submit(claim="a")
        self.abandon(other)
        self.assertEqual(third, self.row(second)["after_id"])
        self.abandon(third)
        self.assertEqual({"a": second, "b": second}, self.held())

    def test_a_single_claim_is_written_where_the_former_release_looks(self) -> None:
        first = self.submit(claims=("a", "b"))
        second = self.submit(claim="a", after=first)
        self.assertEqual("a", self.row(second)["wanted_claim"])
        self.abandon(first)
        self.assertEqual(("a", None), (self.row(second)["claim_key"], self.row(second)["wanted_claim"]))
        self.assertEqual({"a": second}, self.held())

    def test_one_taken_in_between_is_waited_for(self) -> None:
        first = self.submit(claim="a")
        second = self.submit(claims=("a", "b"), after=first)
        real, late = claims.lock_holder, []

        def lock_holder(session: Any, keys: Any) -> Any:
            found = real(session, keys)
            if not late:  # as if another transaction came in between
                late.append(self._submitted(session, "b"))
            return found

        self.useFixture(fixtures.MonkeyPatch("trove.workflow.claims.lock_holder", lock_holder))
        self.abandon(first)
        self.assertEqual(late, [self.row(second)["after_id"]])
        self.assertEqual({"b": late[0]}, self.held())

    def _submitted(self, session: Any, claim: str) -> str:
        return self.store.submit(
            session,
            kind=flows.KIND,
            resource_type="sample",
            resource_id=self.resource,
            project_id="p",
            request_id=None,
            inputs={},
            claim=claim,
        )


class TestFormerRelease(ClaimsTestCase):
    """What processes of the former release write: workflows with ``claim_key`` only, ends that leave claims behind."""

    def submit_formerly(self, claim: str) -> str:
        workflow_id, now = ids.new_id(), clock.utcnow()
        row = {"id": workflow_id, "kind": flows.KIND.name, "kind_version": 1, "resource_type": "sample", "cursor": 0}
        row |= {"resource_id": self.resource, "project_id": "p", "claim_key": claim, "state": "QUEUED", "epoch": 0}
        row |= {"inputs": {}, "wake_at": now, "created_at": now, "updated_at": now}
        with self.db.writer() as session:
            session.execute(sa.insert(models.Workflow).values(row))
        return workflow_id

    def end_formerly(self, workflow_id: str) -> None:
        ended = {"state": "SUCCEEDED", "claim_key": None, "wake_at": None, "finished_at": clock.utcnow()}
        with self.db.writer() as session:
            session.execute(sa.update(models.Workflow).where(models.Workflow.id == workflow_id).values(ended))

    def test_its_claims_count(self) -> None:
        first = self.submit_formerly("a")
        self.assertEqual(first, self.active("a"))
        for options in ({"claim": "a"}, {"claims": ("a", "b")}):
            error = self.refused(**options)
            self.assertEqual(("a", first), (error.claim_key, error.workflow_id))
        self.assertEqual(["a"], self.row(first)["claims"])

    def test_a_claim_of_one_that_it_has_ended_is_free(self) -> None:
        first = self.submit(claim="a")
        self.end_formerly(first)
        self.assertEqual(({"a": first}, None), (self.held(), self.active("a")))
        second = self.submit(claim="a")
        self.assertEqual(({"a": second}, second), (self.held(), self.active("a")))

    def test_a_claim_left_behind_hides_no_holder(self) -> None:
        self.end_formerly(self.submit(claim="a"))
        holder = self.submit_formerly("a")
        self.assertEqual(holder, self.active("a"))
        self.assertEqual(holder, self.refused(claim="a").workflow_id)
        waiting = self.submit(claims=("a", "b"), after=holder)
        self.abandon(holder)
        self.assertEqual({"a": waiting, "b": waiting}, self.held())

    def test_one_of_a_removed_workflow_is_free(self) -> None:
        first = self.submit(claim="a")
        self.end_formerly(first)
        with self.db.writer() as session:
            session.execute(sa.delete(models.Workflow).where(models.Workflow.id == first))
        self.assertEqual({"a": self.submit(claim="a")}, self.held())
