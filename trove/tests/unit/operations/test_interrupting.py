# SPDX-License-Identifier: Apache-2.0
"""The rules of deletion, reset and taking over, each by itself."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trove.db import models
from trove.domain import operations
from trove.objects import fault, guest_command, instance_module
from trove.operations import ending, interrupting, submitting
from trove.operations.work import Work
from trove.tests.fixtures.rows import make_module
from trove.tests.unit.operations import case
from trove.wire import command
from trove.workflow.store import Store


class _Case(case.OperationsCase):
    def delete(self) -> Work:
        with self.work() as work:
            interrupting.delete(work, self.instance(work))
        return work

    def deletions(self) -> list[dict[str, Any]]:
        return [row for row in self.workflows() if row["kind"] == "instance.delete"]


class DeleteTest(_Case):
    def test_an_idle_instance(self) -> None:
        work = self.delete()
        (deletion,) = self.deletions()
        self.assertEqual(("SHUTDOWN", deletion["id"]), (self.row().status, self.holder()))
        self.assertEqual([deletion["id"]], work.wakes)
        self.assertIsNotNone(deletion["wake_at"])

    def test_what_runs_is_cancelled_and_waited_for(self) -> None:
        running = self.submit(operations.INSTANCE_RESTART, "restart")
        self.put(running, state="WAITING", wake_at=None, owner="someone")
        work = self.delete()
        row, (deletion,) = self.workflow(running), self.deletions()
        self.assertIsNotNone(row["cancel_requested_at"])
        self.assertIsNotNone(row["wake_at"])
        self.assertEqual(("WAITING", running), (row["state"], self.holder()))
        self.assertEqual((running, None), (deletion["after_id"], deletion["wake_at"]))
        self.assertIn(running, work.wakes)
        self.assertEqual("SHUTDOWN", self.row().status)

    def test_what_waits_is_forgotten_and_gives_its_quota_back(self) -> None:
        running = self.submit(operations.INSTANCE_CONFIGURE, "update")
        sizes = {"size_gib": 5, "old_size_gib": 2}
        queued = self.submit(operations.INSTANCE_RESIZE_VOLUME, "resize", **sizes)
        self.assertEqual(5, self.used()["volumes"])
        self.delete()
        row = self.workflow(queued)
        self.assertEqual(
            ("REVERTED", ending.SUPERSEDED, None), (row["state"], row["error_symbol"], row["wanted_claim"])
        )
        self.assertEqual(2, self.used()["volumes"])
        self.assertIn("dbaas.instance_resize_volume.error", [name for name, _ in self.notified()])
        with self.db.reader() as session:
            following = self.store.successors(session, running)
        self.assertEqual(["instance.delete"], [item.kind for item in following])

    def test_what_is_parked_ends_as_it_stands(self) -> None:
        parked = self.submit(operations.INSTANCE_RESTART, "restart")
        self.put(parked, state="PARKED", wake_at=None)
        work = self.delete()
        row, (deletion,) = self.workflow(parked), self.deletions()
        self.assertEqual(("REVERTED", ending.SUPERSEDED, None), (row["state"], row["error_symbol"], row["claim_key"]))
        self.assertEqual((deletion["id"], None), (self.holder(), deletion["after_id"]))
        self.assertIn(deletion["id"], work.wakes)

    def test_what_is_parked_between_the_look_and_the_lock(self) -> None:
        """Nobody would end it for the deletion that waits."""
        running = self.submit(operations.INSTANCE_RESTART, "restart")

        class Raced(Store):
            def request_cancel(self, session: Session, workflow_id: str) -> bool:
                table = models.Workflow
                parked = sa.update(table).where(table.id == workflow_id).values(state="PARKED", wake_at=None)
                session.execute(parked)
                return super().request_cancel(session, workflow_id)

        self.store = Raced(self.db)
        self.delete()
        (deletion,) = self.deletions()
        self.assertEqual("REVERTED", self.workflow(running)["state"])
        self.assertEqual((deletion["id"], None), (self.holder(), deletion["after_id"]))

    def test_a_second_one_changes_nothing(self) -> None:
        for before in (False, True):
            self.instance_id = self.make()
            if before:
                self.submit(operations.INSTANCE_RESTART, "restart")
            self.delete()
            known, revision = self.workflows(), self.row().revision
            work = self.delete()
            self.assertEqual((known, revision, []), (self.workflows(), self.row().revision, work.wakes))

    def test_one_that_waits_behind_what_was_parked_is_set_free(self) -> None:
        parked = self.submit(operations.INSTANCE_RESTART, "restart")
        self.delete()
        (deletion,) = self.deletions()
        self.put(parked, state="PARKED", wake_at=None)
        work = self.delete()
        self.assertEqual(([deletion["id"]], deletion["id"]), (work.wakes, self.holder()))
        self.assertEqual(1, len(self.deletions()))

    def test_one_that_is_parked_begins_again(self) -> None:
        self.delete()
        self.put(self.deletions()[0]["id"], state="PARKED", wake_at=None)
        self.delete()
        self.assertEqual(["REVERTED", "QUEUED"], [row["state"] for row in self.deletions()])

    def test_what_belongs_to_it_is_let_go(self) -> None:
        with self.work() as work:
            module = make_module(work.session)
            instance_module.begin(work.session, self.instance_id, [module], work.now())
        self.delete()
        with self.db.reader() as session:
            self.assertEqual([], instance_module.list_modules(session, self.instance_id))
        self.assertIsNone(self.row().configuration_id)


class ResetTest(_Case):
    def reset(self) -> None:
        with self.work() as work:
            interrupting.reset(work, self.instance(work))

    def test_everything_ends_and_is_given_back(self) -> None:
        self.submit(operations.INSTANCE_CONFIGURE, "update")
        self.submit(operations.INSTANCE_RESIZE_VOLUME, "resize", size_gib=5, old_size_gib=2)
        self.reset()
        self.assertEqual(
            [("REVERTED", "workflow.reset")] * 2, [(r["state"], r["error_symbol"]) for r in self.workflows()]
        )
        self.assertEqual(("ACTIVE", None, 2), (self.row().status, self.holder(), self.used()["volumes"]))
        self.assertEqual(operations.CONFIGURATION_UNKNOWN[0], self.row().fault_symbol)

    def test_a_volume_that_has_grown_is_paid_for(self) -> None:
        """Deleting the instance would hide that: usage never goes below zero."""
        self.submit(operations.INSTANCE_RESIZE_VOLUME, "resize", size_gib=5, old_size_gib=2)
        with self.work() as work:
            type(self.instance(work)).publish(work.session, self.instance_id, {"volume_gib": 5})
        self.reset()
        self.assertEqual(5, self.used()["volumes"])

    def test_an_idle_instance_keeps_its_fault(self) -> None:
        with self.work() as work:
            fault.set_fault(work.session, self.instance_id, "a.b", "c")
        self.reset()
        self.assertEqual(("ACTIVE", "a.b"), (self.row().status, self.row().fault_symbol))


class TakeOverTest(_Case):
    def take_over(self) -> bool:
        with self.work() as work:
            instance = self.instance(work)
            return interrupting.take_over(work, instance, operations.INSTANCE_RESTART, "a restart of the server")

    def test_only_its_own_kind(self) -> None:
        self.assertFalse(self.take_over())
        self.submit(operations.INSTANCE_RESIZE_VOLUME, "resize", size_gib=5, old_size_gib=2)
        self.assertFalse(self.take_over())

    def test_its_guest_is_not_told_any_more(self) -> None:
        running = self.submit(operations.INSTANCE_RESTART, "restart")
        with self.work() as work:
            command_id = guest_command.submit(
                work.session, instance_id=self.instance_id, command=command.Restart(), deadline_seconds=60.0,
                now=work.now(), workflow_id=running,
            )  # fmt: skip
        self.assertTrue(self.take_over())
        self.assertEqual(("REVERTED", "REBOOT"), (self.workflow(running)["state"], self.row().status))
        with self.db.reader() as session:
            self.assertEqual("EXPIRED", guest_command.get(session, command_id).state)

    def test_what_waited_behind_it_finds_an_idle_engine(self) -> None:
        running = self.submit(operations.INSTANCE_RESTART, "restart")
        with self.work() as work:
            kind = operations.INSTANCE_CONFIGURE
            waits = submitting.submit(work, kind, self.instance(work), {}, after=running)
        self.take_over()
        self.assertEqual((waits, "ACTIVE"), (self.holder(), self.workflow(waits)["inputs"]["was"]))
