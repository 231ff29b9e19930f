# SPDX-License-Identifier: Apache-2.0
"""Flows whose steps act on another instance than the one that the flow is about, or on several."""

import threading
from typing import Any

from sqlalchemy.orm import Session

from trove.db import models
from trove.db.api import Database
from trove.domain import operations, quota
from trove.domain.operations import Kind
from trove.objects import quota as quotas
from trove.providers.fake import FakeProvider
from trove.taskmanager import settle
from trove.taskmanager.steps import factories, guest, outside, server
from trove.taskmanager.steps.together import Together
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.fixtures.rows import make_instance
from trove.tests.functional.taskmanager import scenarios
from trove.workflow import testing
from trove.workflow.engine import Engine
from trove.workflow.model import Flow, Parallel, State, StepContext
from trove.workflow.registry import Registry
from trove.workflow.store import Store


def _told(ctx: StepContext) -> str:
    return str(ctx.inputs["member"])


def _resized(ctx: StepContext, session: Session) -> None:
    settle.succeeded(session, ctx, _told(ctx), "resized", volume_gib=ctx.inputs["size_gib"])


def _failed(ctx: StepContext, session: Session) -> None:
    instance = settle.failed(session, ctx, _told(ctx), "resize_failed")
    if instance.volume_gib < ctx.inputs["size_gib"]:
        quotas.release(session, instance.project_id, _taken(ctx.inputs))


def _parked(ctx: StepContext, session: Session) -> None:
    settle.parked(session, ctx, _told(ctx), _failed)


def _taken(inputs: Any) -> dict[str, int]:
    return operations.quota_taken(operations.INSTANCE_RESIZE_VOLUME.name, inputs)


#: A larger volume for one member, by a flow that is about the set.
GROW = Kind("test.grow_member", 1, 7200, False)
GROW_FLOW = Flow(
    kind=GROW.name,
    version=1,
    steps=(
        outside.GrowVolume().on(_told, "grow-volume-of-member"),
        guest.GuestStep(
            "grow-filesystem", factories.make_grow_volume, "use the larger volume", timeout=guest.ENGINE_TIMEOUT
        ).on(_told, "grow-filesystem-of-member"),
    ),
    on_success=_resized,
    on_reverted=_failed,
    on_parked=_parked,
    pivot="grow-volume-of-member",
    timeout=GROW.timeout,
)


class _SetCase(scenarios.InstanceCase):
    def submit(self, session: Session, trial: scenarios.Trial, *, after: str | None = None) -> str:
        instance = self.instance(session)
        instance.process_event(session, "resize")
        inputs = {"size_gib": 5, "old_size_gib": instance.volume_gib, "member": self.id}
        quotas.consume(session, self.project, _taken(inputs), dict.fromkeys(quota.RESOURCES, -1))
        return self.store.submit(
            session, kind=GROW, resource_type="set", resource_id=instance.set_id, project_id=self.project,
            request_id=None, inputs=inputs,
        )  # fmt: skip


class _Scenario:
    flow = GROW_FLOW

    def begin(self, db: Database, store: Store) -> _SetCase:
        return _SetCase(db, store, scenarios.Trial(GROW), lambda _provider: None)


class TestAnotherMember(base.FunctionalTestCase):
    timeout = 300

    def test_crashed_taken_over_cancelled_and_failed_at_every_point(self) -> None:
        matrix = testing.CrashMatrix(self.useFixture(DatabaseFixture("sqlite")).db, _Scenario())
        self.assertEqual(State.SUCCEEDED, matrix.play({}).state)
        self.assertGreater(matrix.check_all(), 5)


def _first(ctx: StepContext) -> str:
    return str(ctx.inputs["first"])


def _second(ctx: StepContext) -> str:
    return str(ctx.inputs["second"])


#: Addresses and volumes of two members in one checkpoint, then their servers' identities beside one another.
PAIR = Kind("test.pair", 1, 7200, False)
PAIR_FLOW = Flow(
    kind=PAIR.name,
    version=1,
    steps=(
        Together(
            "ensure-outside",
            outside.EnsurePort().on(_first, "ensure-port-of-first"),
            outside.EnsurePort().on(_second, "ensure-port-of-second"),
            outside.EnsureVolume().on(_first, "ensure-volume-of-first"),
            outside.EnsureVolume().on(_second, "ensure-volume-of-second"),
        ),
        Parallel(
            "identities",
            (
                server.IssueIdentity().on(_first, "issue-identity-of-first"),
                server.IssueIdentity().on(_second, "issue-identity-of-second"),
            ),
        ),
    ),
    on_success=testing.no_hook,
    on_reverted=testing.no_hook,
    on_parked=testing.no_hook,
    timeout=PAIR.timeout,
)


class TestSeveralMembers(base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        self.store = Store(self.db)
        self.cloud = FakeProvider()
        case = scenarios.InstanceCase(self.db, self.store, scenarios.TRIALS["delete"], lambda _provider: None)
        self.env = scenarios.served_by(case.env, self.cloud)
        with self.db.writer() as session:
            self.pair = [make_instance(session, name=name, volume_gib=gib).id for name, gib in (("a", 2), ("b", 3))]
            self.workflow_id = self.store.submit(
                session, kind=PAIR, resource_type="set", resource_id="s", project_id="p", request_id=None,
                inputs=dict(zip(("first", "second"), self.pair, strict=True)),
            )  # fmt: skip

    def run_all(self) -> str:
        registry = Registry([PAIR_FLOW])
        engine = Engine(self.store, registry, self.env)
        run = self.store.claim(self.workflow_id, "me", 30.0, registry.keys())
        assert run is not None
        return str(engine.run_one(run, threading.Event()).state)

    def test_each_step_acts_on_its_own(self) -> None:
        self.assertEqual(State.SUCCEEDED, self.run_all())
        ports, volumes = (self.cloud.resources()[kind] for kind in ("port", "volume"))
        with self.db.reader() as session:
            for instance_id, gib in zip(self.pair, (2, 3), strict=True):
                row = session.get_one(models.Instance, instance_id)
                self.assertEqual(gib, volumes[f"instance:{instance_id}/volume"].size_gib)
                self.assertEqual(volumes[f"instance:{instance_id}/volume"].id, row.volume_id)
                self.assertEqual(ports[f"instance:{instance_id}/port"].address, row.addresses[0]["address"])
                self.assertEqual(("fake", None), (row.provider, row.host))
                self.assertIsNotNone(session.get(models.GuestIdentity, instance_id))

    def test_all_of_it_is_undone(self) -> None:
        with self.db.writer() as session:
            self.store.request_cancel(session, self.workflow_id)
        self.assertEqual(State.REVERTED, self.run_all())
        self.assertEqual({"port": {}, "volume": {}, "server": {}}, self.cloud.resources())
