# SPDX-License-Identifier: Apache-2.0
"""Where a member is: decided once, before anything is made; other hosts and other providers leave it alone."""

import dataclasses
import threading
from typing import Any

import sqlalchemy as sa

from trove.common import clock
from trove.common.backoff import Backoff
from trove.db import models
from trove.domain.shape import Shape
from trove.objects.instance import Instance
from trove.providers.fake import FakeProvider
from trove.providers.registry import Providers
from trove.rpc import inprocess
from trove.taskmanager.service import TaskManager
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.functional.taskmanager import scenarios
from trove.tests.functional.taskmanager.driver import Driver
from trove.workflow.engine import Engine
from trove.workflow.model import State
from trove.workflow.worker import Worker

NOTHING: dict[str, Any] = {"port": {}, "volume": {}, "server": {}}


class PlacesCase(base.FunctionalTestCase):
    """A case's own cloud is the one of host ``b``; :attr:`other` is that of host ``a``."""

    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        self.driver = Driver(self.db)
        self.other = FakeProvider(host="a")

    def case(self, name: str) -> scenarios.InstanceCase:
        made = self.driver.case(name)
        made.provider.host = "b"
        return made

    def row(self, case: scenarios.InstanceCase) -> Instance:
        with self.db.reader() as session:
            return case.instance(session)

    def step(self, case: scenarios.InstanceCase) -> dict[str, Any]:
        """Return the step that the workflow is at."""
        (workflow,) = self.driver.active(case)
        with self.db.reader() as session:
            steps = self.driver.store.describe(session, workflow["id"])["steps"]
        return next(row for row in steps if row["state"] not in ("DONE", "UNDONE"))

    def let(self, case: scenarios.InstanceCase, served: Providers, rounds: int = 3) -> None:
        """Let a taskmanager with these providers have the workflow, so many times."""
        env = dataclasses.replace(case.env, providers=served)
        engine = Engine(self.driver.store, scenarios.REGISTRY, env, backoff=Backoff(0.0, 0.0))
        for _ in range(rounds):
            (row,) = self.driver.active(case)
            self.driver.clock.advance_to(row["wake_at"])
            run = self.driver.store.claim(row["id"], "other", 30.0, scenarios.REGISTRY.keys())
            assert run is not None
            engine.run_one(run, threading.Event())


class TestTwoHosts(PlacesCase):
    def test_a_creation_stays_where_it_has_begun(self) -> None:
        case = self.case("create")
        self.driver.run(case, steps=1)
        before = case.provider.resources()
        self.let(case, Providers.only(self.other))
        self.assertEqual(("fake", "b"), (self.row(case).provider, self.row(case).host))
        self.assertEqual((1, before), (self.step(case)["attempt"], case.provider.resources()))
        self.driver.run(case)
        self.assertEqual(State.SUCCEEDED, self.driver.state(case))
        self.assertEqual([], self.other.calls)

    def test_a_host_without_the_datastore_does_not_fail_a_creation_of_another(self) -> None:
        case = self.case("create")
        case.provider.lose_response("ensure_port")
        self.driver.run(case, steps=1)
        case.env, complete = dataclasses.replace(case.env, plugins={}), case.env
        self.let(case, Providers.only(self.other))
        case.env = complete
        self.driver.run(case)
        self.assertEqual(State.SUCCEEDED, self.driver.state(case))

    def test_the_place_is_known_before_the_first_thing_is_made(self) -> None:
        case = self.case("create")
        case.provider.lose_response("ensure_port")
        self.driver.run(case, steps=1)
        self.assertEqual([], self.row(case).addresses)
        self.let(case, Providers.only(self.other))
        self.assertEqual(([], "b"), (self.other.calls, self.row(case).host))
        self.driver.run(case)
        self.assertEqual((State.SUCCEEDED, NOTHING), (self.driver.state(case), self.other.resources()))

    def test_what_the_other_host_has_is_not_gone(self) -> None:
        case = self.case("reboot")
        self.driver.run(case)
        self.driver.delete(case)
        self.let(case, Providers.only(self.other), rounds=6)
        self.assertEqual(("remove-server", 1), (self.step(case)["name"], self.step(case)["attempt"]))
        self.assertEqual(("SHUTDOWN", False), (self.row(case).status, self.row(case).deleted))
        self.assertEqual([], self.other.calls)
        self.driver.run(case)
        self.assertEqual((True, NOTHING), (self.row(case).deleted, case.provider.resources()))

    def test_an_undo_is_left_to_the_host_too(self) -> None:
        case = self.case("create")
        self.driver.run(case, steps=1)
        with self.db.writer() as session:
            self.driver.store.request_cancel(session, case.workflow_id)
        self.let(case, Providers.only(self.other))
        self.assertNotEqual(NOTHING, case.provider.resources())
        self.driver.run(case)
        self.assertEqual(State.REVERTED, self.driver.state(case))
        self.assertEqual(([], NOTHING), (self.other.calls, case.provider.resources()))

    def test_one_of_a_former_release_is_where_somebody_first_acts_on_it(self) -> None:
        case = self.case("reboot")
        self.assertIsNone(self.row(case).provider)
        self.driver.run(case)
        self.assertEqual(("fake", "b"), (self.row(case).provider, self.row(case).host))
        self.assertEqual(State.SUCCEEDED, self.driver.state(case))

    def test_two_taskmanagers_share_the_work(self) -> None:
        """The real threads of two, over one database."""
        cases = [self.driver.case("delete") for _ in range(6)]
        for case, host in zip(cases, "ababab", strict=True):
            with self.db.writer() as session:
                Instance.place(session, case.id, provider="fake", host=host, zone=None)
        with self.db.writer() as session:
            session.execute(sa.delete(models.Heartbeat))  # these guests need not be asked to stop
        clouds = {host: _Hosted(host, cases) for host in "ab"}
        workers = [
            Worker(
                self.db, self.driver.store, scenarios.REGISTRY, scenarios.served_by(cases[0].env, cloud), owner=host,
                threads=2, poll_interval=0.1, backoff=Backoff(0.1, 0.1),
            )
            for host, cloud in clouds.items()
        ]  # fmt: skip
        for worker in workers:
            worker.start()
            self.addCleanup(worker.stop)
        limit = clock.monotonic() + 120
        while not all(self.row(case).deleted for case in cases):
            self.assertLess(clock.monotonic(), limit)
            clock.sleep(0.05)
        for case, host in zip(cases, "ababab", strict=True):
            self.assertEqual({host}, {name for name, cloud in clouds.items() if cloud.was_asked_about(case.id)})
            self.assertEqual(NOTHING, case.provider.resources())


class TestProviders(PlacesCase):
    def test_each_member_is_held_by_its_own(self) -> None:
        case = self.case("delete")
        with self.db.writer() as session:
            Instance.place(session, case.id, provider="older", host=None, zone=None)
        newer = FakeProvider()
        case.env = dataclasses.replace(case.env, providers=Providers("fake", {"older": case.provider, "fake": newer}))
        self.driver.run(case)
        self.assertEqual((True, NOTHING), (self.row(case).deleted, case.provider.resources()))
        self.assertEqual([], newer.calls)

    def test_new_instances_are_made_by_the_default_one(self) -> None:
        case = self.case("create")
        older = FakeProvider()
        case.env = dataclasses.replace(case.env, providers=Providers("newer", {"older": older, "newer": case.provider}))
        self.driver.run(case)
        self.assertEqual((State.SUCCEEDED, "newer"), (self.driver.state(case), self.row(case).provider))
        self.assertEqual([], older.calls)

    def test_a_taskmanager_without_the_default_one_leaves_new_instances_alone(self) -> None:
        case = self.case("create")
        self.let(case, Providers("cloud", {"fake": self.other}))
        self.assertEqual((None, None, []), (self.row(case).provider, self.row(case).host, self.other.calls))
        self.assertEqual(1, self.step(case)["attempt"])

    def test_it_is_looked_at_as_often_as_its_provider_says(self) -> None:
        case = self.case("resize-larger")
        case.provider.poll_interval = 77.0
        self.driver.run(case, steps=1)
        (row,) = self.driver.active(case)
        self.assertAlmostEqual(77.0, (row["wake_at"] - row["updated_at"]).total_seconds(), delta=1.0)

    def test_the_flavor_and_the_project_go_with_the_shape(self) -> None:
        created, resized = self.case("create"), self.case("resize-larger")
        self.driver.run(created)
        (made,) = resized.provider.resources()["server"]
        resized.provider.resize_server(made, Shape(1, 1024), flavor_id=None, project_id=None)
        self.driver.run(resized)
        tag = next(iter(created.provider.resources()["server"]))
        spec = created.provider.spec(tag)
        self.assertEqual((self.row(created).flavor_id, created.project), (spec.flavor_id, spec.project_id))
        tag = next(iter(resized.provider.resources()["server"]))
        spec = resized.provider.spec(tag)
        self.assertEqual((self.row(resized).flavor_id, resized.project), (spec.flavor_id, spec.project_id))

    def test_every_supervised_provider_is_supervised(self) -> None:
        class Supervised(FakeProvider):
            def supervise(self) -> None: ...

        case = self.case("delete")
        held = Providers("one", {"one": Supervised(), "two": FakeProvider(), "three": Supervised()})
        made = TaskManager(dataclasses.replace(case.env, providers=held), inprocess.Bus())
        names = {getattr(part, "name", "") for part in made._parts}
        self.assertLessEqual({"supervise-one", "supervise-three"}, names)
        self.assertNotIn("supervise-two", names)


class _Hosted(FakeProvider):
    """The provider of one host, which hands each question on to the cloud of the case that it is about."""

    def __init__(self, host: str, cases: list[scenarios.InstanceCase]) -> None:
        super().__init__(host=host)
        self._cases = {case.id: case for case in cases}

    def was_asked_about(self, instance_id: str) -> bool:
        return any(instance_id in call.tag for call in self.calls)

    def remove_server(self, tag: str) -> bool:
        super().remove_server(tag)
        return self._of(tag).remove_server(tag)

    def remove_volume(self, tag: str) -> None:
        super().remove_volume(tag)
        self._of(tag).remove_volume(tag)

    def remove_port(self, tag: str) -> None:
        super().remove_port(tag)
        self._of(tag).remove_port(tag)

    def _of(self, tag: str) -> FakeProvider:
        return next(case.provider for instance_id, case in self._cases.items() if instance_id in tag)
