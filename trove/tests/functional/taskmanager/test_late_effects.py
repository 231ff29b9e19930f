# SPDX-License-Identifier: Apache-2.0
"""Calls to a provider that have their effect after somebody else took over, finished, and the instance was deleted.

A taskmanager that was frozen inside such a call made port and volume again when it woke up, and nobody ever removed
them.
"""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from trove.common import clock, ids
from trove.db import models
from trove.objects.reconciliation import Scope
from trove.providers import base as providers
from trove.providers.fake import FakeProvider
from trove.providers.local.provider import LocalProvider
from trove.providers.registry import Providers
from trove.taskmanager.reconciler import Reconciler
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.functional.taskmanager.driver import Driver
from trove.tests.functional.taskmanager.scenarios import TRIALS, InstanceCase
from trove.workflow.model import LeaseLost

_METHODS = {name for name in vars(providers.Provider) if not name.startswith("_")} - {"name", "capabilities"}
_CHANGING = _METHODS - providers.LOOKING
#: Trials whose flow changes something outside.
_OUTSIDE = ("create", "delete", "reboot", "migrate", "update-access", "resize-larger", "resize-volume")


class Freezing:
    """A provider in whose call number ``number`` that changes something, time stands still for its caller.

    :param meanwhile: what everybody else does until the call goes on.
    :ivar after: names of the calls that its caller made after it.
    """

    def __init__(self, provider: FakeProvider, number: int, meanwhile: Callable[[], object]) -> None:
        self._provider = provider
        self._left = number
        self._meanwhile = meanwhile
        self.woke = False
        self.after: list[str] = []

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._provider, name)
        if name not in _CHANGING:
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.woke:
                self.after.append(name)
            self._left -= 1
            if self._left == 0:
                self._meanwhile()
                self.woke = True
            return real(*args, **kwargs)

        return call


class _Case(base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        fixture = self.useFixture(DatabaseFixture("sqlite"))
        self.url, self.db = fixture.url, fixture.db
        self.driver = Driver(self.db)

    def reconcile(self, case: InstanceCase, provider: providers.Provider) -> None:
        """Let the time pass that the grace period takes, and a taskmanager look every minute."""
        reconciler = Reconciler(case.env, "later", provider, Scope(provider.name))
        reconciler.look()
        for _ in range(72):
            self.driver.clock.advance(60.0)
            reconciler.look()

    def assert_deleted(self, case: InstanceCase) -> None:
        with self.db.reader() as session:
            self.assertEqual("DELETED", case.instance(session).status)
        self.assertEqual([], self.driver.active(case))


class TestFrozen(_Case):
    """At each call of each flow that changes something outside."""

    timeout = 300

    def freeze(self, name: str, number: int) -> Freezing:
        """Freeze in one call, and let others take over, finish and delete the instance before it goes on."""
        case = self.driver.case(name)

        def meanwhile() -> None:
            frozen = self.driver.lost
            self.driver.clock.advance(31.0)
            with self.db.reader() as session:
                status = case.instance(session).status
            if status != "SHUTDOWN":
                self.driver.delete(case)
            self.driver.run(case)
            self.assert_deleted(case)
            self.assertEqual({"port": {}, "volume": {}, "server": {}}, case.provider.resources())
            frozen.set()

        provider = Freezing(case.provider, number, meanwhile)
        case.env = dataclasses.replace(case.env, providers=Providers.only(provider))
        with contextlib.suppress(LeaseLost):
            self.driver.run(case)
        if provider.woke:
            self.check(case, provider, f"{name}, call {number}")
        return provider

    def check(self, case: InstanceCase, provider: Freezing, label: str) -> None:
        self.assertEqual([], provider.after, label)
        self.assert_deleted(case)
        left = [tag for things in case.provider.resources().values() for tag in things]
        self.assertLessEqual(len(left), 1, label)
        self.reconcile(case, case.provider)
        self.assertEqual({"port": {}, "volume": {}, "server": {}}, case.provider.resources(), label)
        self.assert_deleted(case)

    def test_no_call_follows_and_what_the_one_has_made_is_removed(self) -> None:
        for name in _OUTSIDE:
            number = 1
            while self.freeze(name, number).woke:
                number += 1
            self.assertGreater(number, 1, name)

    def test_the_creations_calls_are_what_this_is_about(self) -> None:
        """Else the test above would say nothing: the late call does make something."""
        made = []
        for number in (1, 2):
            case = self.driver.case("create")

            def meanwhile(case: InstanceCase = case) -> None:
                frozen = self.driver.lost
                self.driver.clock.advance(31.0)
                self.driver.delete(case)
                self.driver.run(case)
                frozen.set()

            frozen_cloud = Freezing(case.provider, number, meanwhile)
            case.env = dataclasses.replace(case.env, providers=Providers.only(frozen_cloud))
            self.assertRaises(LeaseLost, self.driver.run, case)
            made += [kind for kind, things in case.provider.resources().items() if things]
        self.assertEqual(["port", "volume"], made)
        self.assertNotIn("Traceback", self.logs.text())


class TestStoppedProcess(_Case):
    """A taskmanager with the local provider, stopped by a signal as a debugger or a hypervisor would."""

    timeout = 300

    def test_while_it_made_the_port(self) -> None:
        self.check("ensure_port", "port")

    def test_while_it_made_the_volume(self) -> None:
        self.check("ensure_volume", "volume")

    def check(self, method: str, kind: str) -> None:
        case = InstanceCase(self.db, self.driver.store, TRIALS["create"], lambda _provider: None)
        directory = self.tempdir() / "local"
        provider = LocalProvider(directory)
        self.addCleanup(provider.close)
        case.env = dataclasses.replace(case.env, providers=Providers.only(provider))
        with self.taskmanager(str(directory), method, case.workflow_id) as worker:
            assert worker.stdout is not None and worker.stdin is not None
            self.assertEqual(f"in {method}\n", worker.stdout.readline())
            worker.send_signal(signal.SIGSTOP)
            self.until_stopped(worker.pid)
            worker.stdin.write("go on\n")
            worker.stdin.flush()
            self.driver.delete(case)
            self.until_expired(case)
            self.driver.run(case)
            self.assert_deleted(case)
            self.assertEqual((), provider.list("instance:").items)
            worker.send_signal(signal.SIGCONT)
            said = worker.communicate(timeout=120)[0]  # which ends its input, and so the process
        self.assertEqual([method], [line.split()[1] for line in said.splitlines() if line.startswith("after")], said)
        tag = ids.instance_tag(case.id, kind)
        self.assertEqual([tag], [item.tag for item in provider.list("instance:").items])
        self.reconcile(case, provider)
        self.assertEqual((), provider.list("instance:").items)

    @contextlib.contextmanager
    def taskmanager(self, *args: str) -> Iterator[subprocess.Popen[str]]:
        program = "trove.tests.functional.taskmanager.frozen_worker"
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", program, self.url, *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ),
        )  # fmt: skip
        try:
            yield worker
        finally:
            worker.kill()
            worker.wait()

    def until_stopped(self, pid: int) -> None:
        """Wait until no thread of a process runs any more: one that did could go on, and be stopped with a lock."""
        give_up = clock.monotonic() + 60.0
        while clock.monotonic() < give_up:
            found = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat"))
            states = {text.rpartition(")")[2].split()[0] for text in found}
            if states == {"T"}:
                return
            clock.sleep(0.005)
        self.fail(f"the process is not stopped: {states}")

    def until_expired(self, case: InstanceCase) -> None:
        """Wait until the lease has run out, in the time that the stopped process knows too."""
        leases = sa.select(models.Workflow.lease_until).where(models.Workflow.id == case.workflow_id)
        give_up = clock.monotonic() + 60.0
        while clock.monotonic() < give_up:
            with self.db.reader() as session:
                until = session.scalar(leases)
                if until is None or until < self.db.now(session):
                    return
            clock.sleep(0.05)
        self.fail("the lease does not run out")


class TestLateServer(_Case):
    """A server that is made again between the removal of the server and that of the volume, which it then uses."""

    def test_a_deletion_takes_seconds(self) -> None:
        case = self.driver.case("delete")
        self.lose_sight(case)
        self.assertLess(self.seconds(case), 60.0)
        self.assert_deleted(case)
        self.assertEqual({"port": {}, "volume": {}, "server": {}}, case.provider.resources())

    def test_so_does_an_undo(self) -> None:
        case = self.driver.case("create")
        case.guest.decide = lambda row: ("FAILED", "engine.broken")
        self.lose_sight(case)
        self.assertLess(self.seconds(case), 60.0)
        self.assertEqual({"port": {}, "volume": {}, "server": {}}, case.provider.resources())

    def test_whatever_else_is_in_the_way_is_waited_for(self) -> None:
        case = self.driver.case("delete")
        case.provider.fail_next("remove_volume", providers.ConflictError("a backup is being made of it"), times=8)
        self.assertGreater(self.seconds(case), 120.0)
        self.assert_deleted(case)

    def seconds(self, case: InstanceCase) -> float:
        """Run all; return how long that takes in simulated time."""
        with self.db.reader() as session:
            before = self.db.now(session)
        self.driver.run(case)
        with self.db.reader() as session:
            return float((self.db.now(session) - before).total_seconds())

    @staticmethod
    def lose_sight(case: InstanceCase) -> None:
        """Have the first removal of the volume find a server that came a moment before."""
        cloud, real = case.provider, case.provider.remove_volume

        def remove(tag: str) -> None:
            cloud.remove_volume = real  # type: ignore[method-assign]
            tags = {kind: ids.instance_tag(case.id, kind) for kind in ("server", "port", "volume")}
            shape = next(iter(cloud.resources()["server"].values()), None)
            assert shape is None  # it was removed by the step before
            spec = providers.ServerSpec(
                tags["server"], "i", providers.Shape(1, 512), tags["port"], tags["volume"], "postgresql"
            )
            cloud.ensure_server(spec)
            real(tag)

        cloud.remove_volume = remove  # type: ignore[method-assign]
