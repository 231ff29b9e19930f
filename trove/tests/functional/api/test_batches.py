# SPDX-License-Identifier: Apache-2.0
"""What concerns many instances is done some at a time: a request, or one run of a step, costs as many SQL statements
among many instances as among few."""

import threading
from collections.abc import Callable
from typing import Any

import fixtures
import sqlalchemy as sa

from trove.common import clock
from trove.objects import heartbeat, instance_module
from trove.objects.guest_identity import GuestIdentity
from trove.objects.module import Module
from trove.objects.scope import Scope
from trove.tests.fixtures.rows import make_instance
from trove.tests.functional.api import base, test_modules
from trove.workflow.engine import Engine

_BATCH = 3
_FEW, _MANY = _BATCH + 2, 4 * _BATCH


class BatchesTest(test_modules.ModuleTestCase):
    def setUp(self) -> None:
        super().setUp()
        for name in ("configurations", "modules"):
            self.useFixture(fixtures.MonkeyPatch(f"trove.operations.{name}.BATCH", _BATCH))
        self.conf.set_override("module_reapply_max_batch_size", _BATCH)
        self.statements: list[str] = []
        for engine in {self.db.engine, self.db._reader_engine}:
            sa.event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "SAVEPOINT", "RELEASE")):
            self.statements.append(statement)

    def cost(self, act: Callable[[], object]) -> int:
        """Return how many statements it takes."""
        self.statements.clear()
        act()
        return len(self.statements)

    def idle(self, number: int, **columns: Any) -> list[str]:
        """Make instances that are idle and healthy, and return their ids."""
        with self.db.writer() as session:
            made = [make_instance(session, base.PROJECT, **columns) for _ in range(number)]
            for instance in made:
                instance.process_event(session, "created")
                GuestIdentity.issue(session, instance.id, "gateway")
            now = clock.utcnow()
            heartbeat.record(session, [heartbeat.HeartbeatRecord(item.id, "healthy", now) for item in made])
        return [instance.id for instance in made]

    def run_once(self, resource_id: str) -> int:
        """Run the newest workflow of a resource until it waits or ends; return how many statements that takes."""
        workflow_id = self.workflows(resource_id)[-1]["id"]
        run = self.store.claim(workflow_id, "me", 30.0, self.registry.keys())
        assert run is not None
        return self.cost(lambda: Engine(self.store, self.registry, self.env).run_one(run, threading.Event()))

    def group(self, number: int) -> str:
        """Make a group that instances have, and return its id."""
        body = {"configuration": {"name": "g", "values": {"work_mem": 64}}}
        made = self.call("POST", "/configurations", body, status=200).json["configuration"]
        self.idle(number, configuration_id=made["id"], datastore_version_id=self.version.id)
        return str(made["id"])

    def applied(self, number: int) -> str:
        """Make a module that instances have, and return its id."""
        made = self.module(name=f"m{number}", live_update=1)
        instance_ids = self.idle(number)
        with self.db.writer() as session:
            module = Module.get(session, Scope.ALL, made["id"])
            for instance_id in instance_ids:
                instance_module.begin(session, instance_id, [module], self.db.now(session))
        return str(made["id"])

    def test_new_values_of_a_group(self) -> None:
        body = {"configuration": {"values": {"work_mem": 65}}}
        costs = []
        for number in (_FEW, _MANY):
            group_id = self.group(number)
            request = self.cost(lambda path=f"/configurations/{group_id}": self.call("PATCH", path, body, status=200))
            if number == _FEW:
                self.run_once(group_id)  # the last ones
            costs.append(request)
        self.assertEqual(costs[0], costs[1])
        more = [self.run_once(group_id) for _ in range(2)]
        self.assertEqual(more[0], more[1])

    def test_a_group_that_instances_have_is_not_deleted(self) -> None:
        costs = []
        for number in (_FEW, _MANY):
            group_id = self.group(number)
            costs.append(self.cost(lambda path=f"/configurations/{group_id}": self.call("DELETE", path, status=400)))
        self.assertEqual(costs[0], costs[1])

    def test_a_module_that_is_deleted(self) -> None:
        costs = []
        for number in (_FEW, _MANY):
            module_id = self.applied(number)
            costs.append(self.cost(lambda path=f"/modules/{module_id}": self.call("DELETE", path, status=200)))
        self.assertEqual(costs[0], costs[1])

    def test_a_module_that_is_applied_again(self) -> None:
        requests, looks = [], []
        for number in (_FEW, _MANY):
            module_id = self.applied(number)
            path, body = f"/modules/{module_id}/instances", {"reapply": {"force": 1}}
            requests.append(self.cost(lambda path=path, body=body: self.call("PUT", path, body, status=202)))
            looks.append(self.run_once(module_id))
        self.assertEqual((requests[0], looks[0]), (requests[1], looks[1]))

    def test_busy_instances_are_not_looked_at_one_by_one(self) -> None:
        looks = []
        for number in (_FEW, _MANY):
            module_id = self.applied(number)
            with self.db.writer() as session:
                heartbeat.all_stopped(session)
            path, body = f"/modules/{module_id}/instances", {"reapply": {"force": 1}}
            self.call("PUT", path, body, status=202)
            looks.append(self.run_once(module_id))
        self.assertEqual(looks[0], looks[1])
        self.assertLess(looks[0], 12)
