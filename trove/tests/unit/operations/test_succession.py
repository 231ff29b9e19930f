# SPDX-License-Identifier: Apache-2.0
"""What a workflow is told when an instance is given to it."""

from typing import Any

from trove.domain import operations
from trove.operations import submitting, succession
from trove.tests.unit.operations import case


class HandOverTest(case.OperationsCase):
    def setUp(self) -> None:
        super().setUp()
        with self.work() as work:
            instance = self.instance(work)
            instance.process_event(work.session, "update")
            self.first = submitting.submit(work, operations.INSTANCE_CONFIGURE, instance, {"was": "ACTIVE"})

    def queue(self, kind: operations.Kind, event: str | None = None, **inputs: Any) -> str:
        with self.work() as work:
            instance = self.instance(work)
            if event is not None:
                instance.process_event(work.session, event)
            return submitting.submit(work, kind, instance, inputs, after=self.first)

    def end(self, event: str) -> None:
        """End the first one as the taskmanager does."""
        with self.work() as work:
            work.store.abandon(work.session, self.first, "a.b", None)
            instance = self.instance(work)
            if instance.status == "UPDATING":
                instance.process_event(work.session, event)
            waits = event.endswith("_for_restart")
            succession.hand_over(work.session, instance, self.first, restart_waits=waits)

    def told(self, workflow_id: str, *names: str) -> tuple[Any, ...]:
        inputs = self.workflow(workflow_id)["inputs"]
        return tuple(inputs.get(name) for name in names)

    def test_nobody_waits(self) -> None:
        self.end("updated")
        self.assertEqual(("ACTIVE", None), (self.row().status, self.holder()))

    def test_an_idle_instance_is_never_seen_idle_in_between(self) -> None:
        for event, was in (("updated", "ACTIVE"), ("updated_for_restart", "RESTART_REQUIRED")):
            following = self.queue(operations.INSTANCE_CONFIGURE)
            self.end(event)
            self.assertEqual(("UPDATING", following), (self.row().status, self.holder()))
            self.assertEqual((was, was != "ACTIVE"), self.told(following, "was", "restart_required"))
            self.first = following

    def test_a_restart_that_is_due_is_told_to_a_resize(self) -> None:
        sizes = {"size_gib": 5, "old_size_gib": 2, "restart_required": False}
        following = self.queue(operations.INSTANCE_RESIZE_VOLUME, "resize", **sizes)
        self.end("updated_for_restart")
        self.assertEqual(("RESIZE", (True,)), (self.row().status, self.told(following, "restart_required")))

    def test_who_comes_before_a_request_that_is_seen_finds_an_idle_engine(self) -> None:
        following = self.queue(operations.INSTANCE_CONFIGURE)
        self.queue(operations.INSTANCE_RESTART, "restart")
        self.end("updated_for_restart")
        self.assertEqual(("REBOOT", following), (self.row().status, self.holder()))
        self.assertEqual(("RESTART_REQUIRED", True), self.told(following, "was", "restart_required"))

    def test_the_present_access_is_told(self) -> None:
        following = self.queue(operations.INSTANCE_UPDATE_ACCESS, old={"is_public": True}, new={})
        self.end("updated")
        self.assertEqual(({},), self.told(following, "old"))

    def test_a_deletion_needs_nothing(self) -> None:
        following = self.queue(operations.INSTANCE_DELETE, "delete")
        self.end("updated")
        self.assertEqual(("SHUTDOWN", (None, None)), (self.row().status, self.told(following, "was", "old")))

    def test_all_that_waits_in_its_order(self) -> None:
        kinds = (operations.INSTANCE_CONFIGURE, operations.INSTANCE_RESTART)
        queued = [self.queue(kind) for kind in kinds]
        self.end("updated")
        with self.db.reader() as session:
            found = succession.waiting(session, self.instance_id, self.first)
            self.assertEqual(queued, [row["id"] for row in found])
            self.assertEqual([], succession.waiting(session, self.instance_id, queued[0]))


class FactsTest(case.OperationsCase):
    def test_an_instance_that_goes_has_no_engine_to_be_idle(self) -> None:
        with self.work() as work:
            instance = self.instance(work)
            instance.process_event(work.session, "delete")
            found = succession.facts("instance.configure", instance, restart_waits=False)
        self.assertEqual({"restart_required": False}, found)

    def test_whether_a_restart_waited(self) -> None:
        for inputs, waited in (
            ({}, False),
            ({"was": "ACTIVE"}, False),
            ({"was": "RESTART_REQUIRED"}, True),
            ({"restart_required": True}, True),
        ):
            self.assertEqual(waited, succession.restart_waited(inputs))
