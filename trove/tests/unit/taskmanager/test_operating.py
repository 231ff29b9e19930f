# SPDX-License-Identifier: Apache-2.0
"""Workflows as callers of operations."""

import dataclasses
import threading
from types import SimpleNamespace
from typing import Any

from trove.domain import operations
from trove.objects.scope import Scope
from trove.operations import submitting
from trove.operations.work import Work
from trove.taskmanager import flows, operating
from trove.tests.unit.operations import case
from trove.workflow.model import Failed, StepContext

BROKEN = Failed("engine.broken", "It broke.")


class OperatingCase(case.OperationsCase):
    def context(self, workflow_id: str, **more: Any) -> StepContext:
        """Return what the hooks and the steps of a workflow are given."""
        row = self.workflow(workflow_id)
        same = ("kind", "resource_type", "resource_id", "project_id", "request_id", "inputs", "epoch")
        env = SimpleNamespace(conf=self.conf, db=self.db, conductor=self.hints)
        return StepContext(
            env=env, workflow_id=workflow_id, step="s", attempt=1, token="t", outputs={}, cancel=threading.Event(),
            **{name: row[name] for name in same}, **more,
        )  # fmt: skip


class CallerTest(OperatingCase):
    def test_it_acts_for_the_request_that_began_it(self) -> None:
        workflow_id = self.submit(operations.INSTANCE_RESTART, "restart")
        with self.db.reader() as session:
            caller = operating.work_of(self.context(workflow_id), session).caller
        self.assertEqual(
            ("taskmanager", f"instance.restart {workflow_id}", Scope.ALL, "p", "req-1", None),
            (caller.program, caller.why, caller.scope, caller.project_id, caller.request_id, caller.user_id),
        )


class CheckpointTest(OperatingCase):
    def test_guests_are_told_once_after_the_commit_that_holds(self) -> None:
        ctx = self.context(self.submit(operations.INSTANCE_RESTART, "restart"))
        seen = []

        def change(work: Work) -> None:
            seen.append(work)
            work.deliveries.append(f"guest {len(seen)}")

        operating.at_checkpoint(ctx, change)
        (write,), (call,) = ctx.writes, ctx.calls
        for _ in range(2):  # the first transaction was rolled back
            with self.db.writer() as session:
                write(session)
        self.assertEqual([], self.hints.delivered)
        call()
        self.assertEqual(["guest 2"], self.hints.delivered)


class CompleteTest(OperatingCase):
    def ended(self, hook: str, ctx: StepContext) -> None:
        flow = flows.find(ctx.kind, 1)
        assert flow is not None
        with self.db.writer() as session:
            getattr(operating.complete(flow), hook)(ctx, session)

    def test_a_failure_moves_the_instance_and_gives_back(self) -> None:
        workflow_id = self.submit(operations.INSTANCE_RESIZE_VOLUME, "resize", size_gib=5, old_size_gib=2)
        self.assertEqual(5, self.used()["volumes"])
        self.ended("on_reverted", self.context(workflow_id, error=BROKEN))
        row = self.row()
        self.assertEqual(("ACTIVE", "engine.broken", 2), (row.status, row.fault_symbol, self.used()["volumes"]))
        self.assertEqual("dbaas.instance_resize_volume.error", self.notified()[-1][0])

    def test_a_success_moves_the_instance_and_notifies(self) -> None:
        workflow_id = self.submit(operations.INSTANCE_RESIZE_VOLUME, "resize", size_gib=5, old_size_gib=2)
        self.ended("on_success", self.context(workflow_id))
        self.assertEqual(("ACTIVE", 5, 5), (self.row().status, self.row().volume_gib, self.used()["volumes"]))
        self.assertEqual("dbaas.instance_resize_volume.end", self.notified()[-1][0])

    def test_what_a_flow_does_itself_is_kept(self) -> None:
        flow = flows.FLOWS[0]
        completed = operating.complete(flow)
        hooks = ("on_success", "on_reverted")
        self.assertEqual(flow, dataclasses.replace(completed, **{name: getattr(flow, name) for name in hooks}))


class RegistryTest(OperatingCase):
    def test_a_flow_of_another_release_is_not_known(self) -> None:
        self.assertIsNone(flows.find("instance.create", 99))
        self.assertIsNone(flows.find("instance.unheard_of", 1))

    def test_hooks_end_whatever_is_registered_without_a_provider(self) -> None:
        """An operator's command has none."""
        used: list[str] = []

        class Bare:
            def __init__(self, conf: Any, db: Any) -> None:
                self.conf, self.db = conf, db

            def __getattr__(self, name: str) -> Any:
                used.append(name)
                raise AttributeError(name)

        inputs = {
            "old": {"ram_mib": 512}, "new": {"ram_mib": 1024, "flavor_id": "2"}, "size_gib": 5, "old_size_gib": 2,
            "restart_required": False, "modules": ["m"], "log": "general", "ticket_id": "t", "host": None,
        }  # fmt: skip
        samples = {"string": "s", "integer": 1, "number": 1.0, "boolean": False, "array": [], "object": {}}
        for flow in flows.FLOWS:
            with self.work() as work:
                resource = submitting.Resource("instance", self.instance_id, "p")
                kind = operations.KINDS[flow.kind]
                stated = {name.rstrip("?"): words.split("|")[0] for name, words in (kind.inputs or {}).items()}
                given = {name: inputs.get(name, samples[word]) for name, word in stated.items()}
                workflow_id = submitting.submit_for(work, kind, resource, given)
            ctx = dataclasses.replace(self.context(workflow_id, error=BROKEN), env=Bare(self.conf, self.db))
            with self.db.writer() as session:
                flow.on_reverted(ctx, session)
        self.assertEqual([], used)
