# SPDX-License-Identifier: Apache-2.0
"""How a workflow's end moves its instance."""

import threading
from typing import Any

from trove.db import models
from trove.domain import operations
from trove.objects import fault
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.taskmanager import settle
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.fixtures.rows import make_instance
from trove.workflow.model import Failed, StepContext

_BROKEN = Failed("engine.broken", "It said password=hunter2.", "token: hunter2")


class TestSettle(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        with self.db.writer() as session:
            self.instance_id = make_instance(session).id

    def context(self, error: Failed | None = None) -> StepContext:
        return StepContext(
            env=None, workflow_id="w", kind=operations.INSTANCE_RESIZE_FLAVOR.name, resource_type="instance",
            resource_id=self.instance_id, project_id="p", request_id=None, inputs={}, step="s", attempt=1, token="t",
            epoch=1, outputs={}, cancel=threading.Event(), error=error,
        )  # fmt: skip

    def move(self, *events: str) -> None:
        with self.db.writer() as session:
            for event in events:
                Instance.get(session, Scope.ALL, self.instance_id).process_event(session, event)

    def read(self) -> tuple[Instance, Any]:
        with self.db.reader() as session:
            return (
                Instance.get(session, Scope.ALL, self.instance_id, include_deleted=True),
                session.get(models.InstanceFault, self.instance_id),
            )

    def test_success_moves_and_clears_the_fault(self) -> None:
        with self.db.writer() as session:
            fault.set_fault(session, self.instance_id, "a.b", "c")
            settle.succeeded(session, self.context(), self.instance_id, "created", ram_mib=77)
        instance, recorded = self.read()
        self.assertEqual(("ACTIVE", 77, None), (instance.status, instance.ram_mib, recorded))

    def test_failure_moves_and_explains_without_secrets(self) -> None:
        with self.db.writer() as session:
            settle.failed(session, self.context(_BROKEN), self.instance_id, "create_failed")
        instance, recorded = self.read()
        self.assertEqual(("ERROR", "engine.broken"), (instance.status, recorded.symbol))
        self.assertNotIn("hunter2", f"{recorded.message} {recorded.details}")

    def test_a_cancelled_workflow_leaves_no_fault(self) -> None:
        with self.db.writer() as session:
            settle.failed(session, self.context(Failed("workflow.cancelled", "x")), self.instance_id, "create_failed")
        self.assertIsNone(self.read()[1])

    def test_a_deletion_that_came_first_keeps_its_state_but_the_facts_are_written(self) -> None:
        self.move("created", "resize", "delete")
        with self.db.writer() as session:
            settle.succeeded(session, self.context(), self.instance_id, "resized", ram_mib=77)
        instance, _ = self.read()
        self.assertEqual(("SHUTDOWN", 77), (instance.status, instance.ram_mib))
        with self.db.writer() as session:
            settle.failed(session, self.context(_BROKEN), self.instance_id, "resize_failed")
        self.assertEqual("SHUTDOWN", self.read()[0].status)

    def test_a_deleted_instance_gets_no_fault(self) -> None:
        self.move("delete")
        with self.db.writer() as session:
            Instance.get(session, Scope.ALL, self.instance_id).mark_deleted(session)
            settle.record_fault(session, self.context(_BROKEN), self.instance_id)
        self.assertIsNone(self.read()[1])
