# SPDX-License-Identifier: Apache-2.0
"""Which workflows and guest commands may go, and which are still referred to."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from trove.common import ids
from trove.db import models
from trove.objects.retention import Page, Swept
from trove.tests import base
from trove.tests.fixtures import aged, rows
from trove.tests.fixtures.databases import DatabaseFixture
from trove.workflow import retention


class Case(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db

    def stored(self, store: Callable[[orm.Session], Any]) -> Any:
        with self.db.writer() as session:
            return store(session)

    def instance(self, **columns: Any) -> str:
        return str(self.stored(lambda session: rows.make_instance(session, **columns)).id)

    def sweep(self, **options: Any) -> Swept:
        page = Page(aged.ago(30), **{"after": "", "limit": 100, **options})
        return self.stored(lambda session: self.swept(session, page))

    def left(self, table: sa.Table) -> set[str]:
        with self.db.reader() as session:
            return set(session.scalars(sa.select(table.c.id)))


class TestWorkflows(Case):
    swept = staticmethod(retention.sweep_workflows)

    def add(self, resource_id: str, days: float, state: str = "SUCCEEDED", **columns: Any) -> str:
        return str(self.stored(lambda session: aged.workflow(session, resource_id, days, state, **columns)))

    def test_the_old_ones_of_an_instance_go_but_for_its_last(self) -> None:
        instance_id = self.instance()
        old = [self.add(instance_id, days, state) for days, state in ((90, "SUCCEEDED"), (80, "REVERTED"))]
        last = self.add(instance_id, 70)
        self.assertEqual((3, 2), self.sweep()[:2])
        self.assertEqual({last}, self.left(aged.WORKFLOWS))
        self.assertNotIn(last, old)

    def test_of_two_made_at_the_same_moment_the_one_that_is_listed_first_stays(self) -> None:
        instance_id = self.instance()
        made = [self.add(instance_id, 90) for _ in range(3)]
        self.sweep()
        self.assertEqual({max(made)}, self.left(aged.WORKFLOWS))

    def test_young_ones_stay(self) -> None:
        instance_id = self.instance()
        made = {self.add(instance_id, days) for days in (29.99, 5, 0)}
        self.assertEqual(Swept(0, 0, None), self.sweep())
        self.assertEqual(made, self.left(aged.WORKFLOWS))

    def test_what_has_not_ended_stays_however_old(self) -> None:
        instance_id = self.instance()
        states = ("QUEUED", "RUNNING", "WAITING", "UNWINDING", "PARKED")
        made = {self.add(instance_id, 900, state) for state in states}
        self.add(instance_id, 800)
        self.add(instance_id, 1)
        self.assertEqual((1, 1), self.sweep()[:2])
        self.assertTrue(made < self.left(aged.WORKFLOWS))

    def test_what_one_that_has_not_ended_was_queued_behind_stays(self) -> None:
        instance_id = self.instance()
        before = self.add(instance_id, 90)
        ended_before = self.add(instance_id, 89)
        parked = self.add(instance_id, 88, "PARKED", after_id=before)
        done = self.add(instance_id, 1, after_id=ended_before)
        self.assertEqual((2, 1), self.sweep()[:2])
        self.assertEqual({before, parked, done}, self.left(aged.WORKFLOWS))

    def test_children_stay_as_long_as_their_parent_has_not_ended(self) -> None:
        active, ended = self.add(ids.new_id(), 90, "WAITING"), self.add(ids.new_id(), 1)
        child = self.add(ids.new_id(), 80, parent_id=active)
        self.add(ids.new_id(), 80, parent_id=ended)
        self.assertEqual((2, 1), self.sweep()[:2])
        self.assertEqual({active, ended, child}, self.left(aged.WORKFLOWS))

    def test_claims_that_were_left_behind_go_with_their_workflow(self) -> None:
        made = self.add(ids.new_id(), 90)
        claim = {"claim_key": "c", "workflow_id": made}
        self.stored(lambda session: session.execute(sa.insert(models.WorkflowClaim).values(claim)))
        self.sweep()
        self.assertEqual([], self.stored(lambda session: session.scalars(sa.select(models.WorkflowClaim)).all()))

    def test_nothing_old_stays_of_a_deleted_instance_or_of_anything_else(self) -> None:
        gone = self.instance()
        self.stored(lambda session: session.execute(sa.update(models.Instance).values(deleted=True)))
        self.add(gone, 90)
        self.add(ids.new_id(), 90, kind="module.reapply", resource_type="module")
        self.assertEqual((2, 2), self.sweep()[:2])
        self.assertEqual(set(), self.left(aged.WORKFLOWS))

    def test_steps_and_signals_go_with_their_workflow(self) -> None:
        instance_id = self.instance()
        self.add(instance_id, 90)
        last = self.add(instance_id, 70)
        self.sweep()
        with self.db.reader() as session:
            for table, count in ((aged.STEPS, 2), (aged.SIGNALS, 1)):
                self.assertEqual([last] * count, session.scalars(sa.select(table.c.workflow_id)).all())

    def test_page_after_page(self) -> None:
        instance_id = self.instance()
        same = [self.add(instance_id, 90) for _ in range(5)]
        last = self.add(instance_id, 60)
        position: str | None = ""
        looked = []
        while position is not None:
            swept = self.sweep(after=position, limit=2)
            looked.append(swept.looked)
            position = swept.position
        self.assertEqual([2, 2, 2, 0], looked)
        self.assertEqual({last}, self.left(aged.WORKFLOWS))
        self.assertNotIn(last, same)

    def test_a_dry_run_counts_and_leaves_all(self) -> None:
        instance_id = self.instance()
        made = {self.add(instance_id, days) for days in (90, 80, 70)}
        self.assertEqual((3, 2), self.sweep(dry=True)[:2])
        self.assertEqual(made, self.left(aged.WORKFLOWS))


class TestCommands(Case):
    swept = staticmethod(retention.sweep_commands)

    def setUp(self) -> None:
        super().setUp()
        self.instance_id = self.instance()
        self.count = 0

    def add(self, days: float, **columns: Any) -> str:
        self.count += 1
        return str(
            self.stored(lambda session: aged.command(session, self.instance_id, self.count, days, **columns))
        )

    def test_old_ones_that_are_final_go(self) -> None:
        for state in ("DONE", "FAILED", "EXPIRED"):
            self.add(90, state=state)
        young = self.add(3)
        unfinished = [self.add(90, state=state, finished_at=None) for state in ("PENDING", "ACCEPTED")]
        self.assertEqual((3, 3), self.sweep()[:2])
        self.assertEqual({young, *unfinished}, self.left(aged.COMMANDS))

    def test_those_of_a_workflow_that_has_not_ended_stay(self) -> None:
        def of(state: str) -> str:
            return str(self.stored(lambda session: aged.workflow(session, self.instance_id, 95, state)))

        kept = {self.add(90, workflow_id=of(state)) for state in ("RUNNING", "WAITING", "UNWINDING", "PARKED")}
        for workflow_id in (of("SUCCEEDED"), of("REVERTED"), ids.new_id(), None):
            self.add(90, workflow_id=workflow_id)
        self.assertEqual((8, 4), self.sweep()[:2])
        self.assertEqual(kept, self.left(aged.COMMANDS))

    def test_a_dry_run_counts_and_leaves_all(self) -> None:
        self.add(90)
        self.assertEqual((1, 1), self.sweep(dry=True)[:2])
        self.assertEqual(1, len(self.left(aged.COMMANDS)))
