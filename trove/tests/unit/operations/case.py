# SPDX-License-Identifier: Apache-2.0
"""The base of tests of operations: a database, a caller, and the hints that would be sent."""

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from trove.db import models
from trove.domain import operations
from trove.objects import instance_listing, quota
from trove.objects.guest_identity import GuestIdentity
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.operations import submitting
from trove.operations.caller import Caller
from trove.operations.work import Work
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.fixtures.hints import RecordedHints
from trove.tests.fixtures.rows import make_instance
from trove.workflow.store import Store


class Services:
    """What :func:`trove.operations.work.perform` works with."""

    def __init__(self, conf: Any, store: Store, hints: RecordedHints) -> None:
        self.conf = conf
        self.store = store
        self.taskmanager = hints
        self.conductor = hints


class OperationsCase(base.UnitTestCase):
    """Has one instance, which is idle and has a guest."""

    caller = Caller("api", "a test", Scope.project("p"), "me", "p", "req-1", "192.0.2.1")

    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        self.store = Store(self.db)
        self.conf = self.new_conf(oslo_messaging_notifications__driver=["messagingv2"])
        self.hints = RecordedHints()
        self.services = Services(self.conf, self.store, self.hints)
        self.instance_id = self.make()

    def make(self, **columns: Any) -> str:
        """Make an instance that is idle and has a guest, and return its id."""
        with self.db.writer() as session:
            instance = make_instance(session, **columns)
            instance.process_event(session, "created")
            GuestIdentity.issue(session, instance.id, "gateway")
            quota.consume(session, "p", {"instances": 1, "ram": 512, "volumes": 2}, {})
            return str(instance.id)

    @contextlib.contextmanager
    def work(self) -> Iterator[Work]:
        """Open a transaction of the caller's."""
        with self.db.writer() as session:
            yield Work(self.caller, self.conf, self.store, session)

    def submit(self, kind: operations.Kind, event: str | None = None, **inputs: Any) -> str:
        """Do what a request does: move the instance by ``event`` and submit a workflow, whose id is returned."""
        with self.work() as work:
            instance = self.instance(work)
            if event is not None:
                instance.process_event(work.session, event)
            return submitting.submit(work, kind, instance, inputs)

    def instance(self, work: Work) -> Instance:
        """Return the instance."""
        return work.instance(self.instance_id)

    def row(self) -> instance_listing.InstanceRow:
        """Return the instance as it is now."""
        with self.db.reader() as session:
            return instance_listing.get_row(session, Scope.ALL, self.instance_id, include_deleted=True)

    def workflow(self, workflow_id: str) -> dict[str, Any]:
        """Return the row of a workflow."""
        with self.db.reader() as session:
            return self.store.describe(session, workflow_id)

    def workflows(self, resource_id: str | None = None) -> list[dict[str, Any]]:
        """Return the workflows of a resource, the instance unless told, oldest first."""
        with self.db.reader() as session:
            found = self.store.list_workflows(session, resource_id=resource_id or self.instance_id)
        return list(reversed(found))

    def holder(self) -> str | None:
        """Return the id of the workflow that has the instance."""
        with self.db.reader() as session:
            active = self.store.active(session, operations.instance_claim(self.instance_id))
        return None if active is None else active.id

    def put(self, workflow_id: str, **columns: Any) -> None:
        """Write columns of a workflow."""
        with self.db.writer() as session:
            table = models.Workflow
            session.execute(sa.update(table).where(table.id == workflow_id).values(**columns))

    def used(self) -> dict[str, int]:
        """Return what is in use of the project's quota."""
        with self.db.reader() as session:
            return {name: amount for name, amount in quota.usages(session, "p").items() if amount}

    def notified(self) -> list[tuple[str, dict[str, Any]]]:
        """Return type and payload of the notifications that wait, in order."""
        with self.db.reader() as session:
            table = models.Notification
            found = session.execute(sa.select(table.event_type, table.payload).order_by(table.sequence))
            return [(row.event_type, row.payload) for row in found]
