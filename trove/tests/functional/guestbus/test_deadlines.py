# SPDX-License-Identifier: Apache-2.0
"""What is reported of a command is what became of it: real conductor, real workflows, a real agent's dispatcher and
journal; messages are lost, the guest sleeps, restarts and is silent for ever."""

import threading
from typing import Any

from trove.common import ids
from trove.domain import operations
from trove.guestagent.dispatcher import Dispatcher, Hooks
from trove.guestagent.journal import Journal, JournalError
from trove.guestbus.session import GuestSession
from trove.objects import guest_command
from trove.providers.registry import Providers
from trove.taskmanager import flows
from trove.taskmanager.environment import Environment
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock
from trove.tests.functional.taskmanager.scenarios import Hints
from trove.tests.unit.conductor import world
from trove.tests.unit.guestagent.fakes import FakeHandler
from trove.wire import command
from trove.workflow.engine import Engine
from trove.workflow.registry import Registry
from trove.workflow.testing import MovableClock

REGISTRY = flows.register_all(Registry())


class Agent:
    """A guest with the real journal and dispatcher, that talks when the test says so."""

    def __init__(self, place: world.World, guest: world.Guest, path: Any) -> None:
        self._world, self._guest, self._path = place, guest, path
        self.handler = FakeHandler()
        self.start()

    @property
    def session(self) -> GuestSession:
        return self._guest.session

    def start(self) -> None:
        self.journal = Journal.open(self._path, self._guest.id)
        hooks = Hooks(lambda _always: (), lambda: None, control_time=self.session.control_time)
        self.dispatcher = Dispatcher(self.journal, self.handler, engine_lock=threading.Lock(), hooks=hooks)

    def restart(self) -> None:
        """Be followed by a new process, which has heard nothing yet."""
        self.journal.close()
        self._guest.restart()
        self.start()

    def hello(self) -> None:
        """Say hello, and hear what time it is."""
        known = world.hello(commands={name: [1] for name in self.handler.commands()})
        self._guest.hear(self._world.intake.receive(self.session.seal_report(known)))

    def fetch(self, *, lose: bool = False) -> int:
        """Get what waits; ``lose`` it on the way."""
        envelopes = self._world.outbox.envelopes_for(self._guest.id)
        for message in self._guest.hear([] if lose else envelopes):
            if isinstance(message, command.CommandFrame):
                self.dispatcher.accept(message)
        return len(envelopes)

    def work(self, most: int = 1000) -> None:
        """Carry out what was accepted."""
        for _ in range(most):
            if not self.dispatcher.run_next():
                return

    def tell(self, *, heartbeat: bool = True) -> None:
        """Report everything that was not acknowledged, and be heard."""
        for message in self.journal.unacknowledged():
            for answer in self._guest.hear(self._world.intake.receive(self.session.seal_report(message))):
                if isinstance(answer, command.Acknowledge):
                    self.journal.forget(answer.report_ids)
        if heartbeat:
            self.beat()

    def beat(self) -> None:
        """Be heard, as also an agent is that is at work."""
        self._world.intake.receive(self.session.seal_report(world.heartbeat()))
        self._world.batcher.flush()


class DeadlinesTest(base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.hands = self.useFixture(ManualClock())
        self.world = self.useFixture(world.World())
        self.clock = MovableClock(self.world.db)
        self.guest = self.world.enrolled()
        self.agent = Agent(self.world, self.guest, self.tempdir() / "journal.sqlite")
        self.addCleanup(self.close)
        self.agent.hello()
        self.agent.tell()
        self.env = Environment(
            conf=self.new_conf(), db=self.world.db, providers=Providers("", {}), plugins={}, conductor=Hints(),
            gateway_url="",
        )  # fmt: skip
        self.engine = Engine(self.world.store, REGISTRY, self.env)
        self.made: dict[str, str] = {}

    def close(self) -> None:
        self.agent.journal.close()

    def pass_time(self, seconds: float, *, asleep: bool = False) -> None:
        """Let the time pass: here, and for the guest."""
        self.clock.advance(seconds)
        self.hands.advance(seconds)
        if not asleep:
            self.control()

    def control(self) -> None:
        """Let conductor and taskmanager do what is due."""
        self.world.outbox.expire()
        for workflow_id in self.made.values():
            run = self.world.store.claim(workflow_id, "me", 30.0, REGISTRY.keys())
            if run is not None:
                self.engine.run_one(run, threading.Event())

    def create(self, *names: str) -> None:
        """Accept creations of databases, each as the API does."""
        for name in names:
            workflow_id = ids.new_id()
            with self.world.db.writer() as session:
                order = command.CreateDatabases(databases=[command.DatabaseSpec(name=name)])
                command_id = guest_command.submit(
                    session, instance_id=self.guest.id, command=order, deadline_seconds=240,
                    now=self.world.db.now(session), workflow_id=workflow_id,
                )  # fmt: skip
                self.made[name] = self.world.store.submit(
                    session, kind=operations.DATABASE_CREATE, resource_type="instance", resource_id=self.guest.id,
                    project_id="p", request_id=None, inputs={"command_id": command_id}, workflow_id=workflow_id,
                )  # fmt: skip
        self.control()

    def reported(self) -> dict[str, tuple[str, str | None]]:
        """Return state and symbol of each creation."""
        found = {}
        with self.world.db.reader() as session:
            for name, workflow_id in self.made.items():
                row = self.world.store.describe(session, workflow_id)
                found[name] = (row["state"], row["error_symbol"])
        return found

    def check(self, **expected: tuple[str, str | None]) -> None:
        """Compare what is reported with what is expected, and what is in the engine with what is reported."""
        self.assertEqual(expected, self.reported())
        for name, (state, _symbol) in expected.items():
            if state in ("SUCCEEDED", "REVERTED"):
                self.assertEqual(state == "SUCCEEDED", name in self.agent.handler.databases, name)

    def meet(self) -> None:
        """Fetch, work, tell, until all is said."""
        while self.agent.fetch():
            self.agent.work()
            self.agent.tell()
        self.agent.work()
        self.agent.tell()
        self.pass_time(31)

    DONE = ("SUCCEEDED", None)
    UNKNOWN = ("PARKED", "guest.outcome_unknown")
    EXPIRED = ("REVERTED", "command.expired")

    def test_many_that_take_long(self) -> None:
        """The last of two hundred begins an hour and more after it was accepted."""

        def take_long(_name: str) -> None:
            self.agent.beat()
            self.pass_time(20)

        names = [f"d{number}" for number in range(200)]
        self.create(*names)
        self.agent.handler.during = take_long
        while self.agent.fetch():
            self.agent.tell()
            self.agent.work(7)
        while self.agent.journal.next_unfinished():
            self.agent.work(7)
            self.agent.tell()
        self.pass_time(31)
        self.check(**dict.fromkeys(names, self.DONE))

    def test_a_guest_that_sleeps_for_days_begins_nothing(self) -> None:
        self.create("a", "b", "c")
        self.agent.fetch()
        self.agent.work(1)
        self.pass_time(3 * 86400, asleep=True)
        self.agent.work()
        self.assertEqual(["a"], self.agent.handler.databases)
        self.agent.tell()
        self.control()
        self.check(a=self.DONE, b=self.EXPIRED, c=self.EXPIRED)

    def test_nobody_says_reverted_before_the_guest(self) -> None:
        self.create("a", "b", "c")
        self.agent.fetch()
        self.agent.work(1)
        for _ in range(12):
            self.pass_time(60)
        self.check(a=self.UNKNOWN, b=self.UNKNOWN, c=self.UNKNOWN)
        self.agent.restart()
        self.agent.hello()
        self.meet()
        self.check(a=self.DONE, b=self.EXPIRED, c=self.EXPIRED)

    def test_a_lost_message(self) -> None:
        self.create("a")
        self.agent.fetch(lose=True)
        for _ in range(12):
            self.pass_time(60)
        self.check(a=self.UNKNOWN)  # the guest may have got it
        self.agent.hello()
        self.meet()
        self.check(a=self.EXPIRED)

    def test_a_lost_message_is_sent_again_in_time(self) -> None:
        self.create("a")
        self.agent.fetch(lose=True)
        self.pass_time(30)
        self.meet()
        self.check(a=self.DONE)

    def test_a_guest_that_never_comes(self) -> None:
        """What it was never sent it cannot begin."""
        self.create("a", "b")
        for _ in range(12):
            self.pass_time(60)
        self.check(a=self.EXPIRED, b=self.EXPIRED)
        self.agent.hello()
        self.meet()
        self.check(a=self.EXPIRED, b=self.EXPIRED)

    def test_a_guest_that_is_silent_for_ever(self) -> None:
        self.create("a")
        self.agent.fetch()
        for _ in range(12):
            self.pass_time(86400)
        self.check(a=self.UNKNOWN)

    def test_an_agent_that_died_at_it(self) -> None:
        """What was begun is brought to its end, however late, and reported as what became of it."""
        self.create("a", "b")
        self.agent.fetch()

        def die(_name: str) -> None:
            raise KeyboardInterrupt

        self.agent.handler.during = die
        self.assertRaises(KeyboardInterrupt, self.agent.work)
        self.agent.handler.during = lambda _name: None
        for _ in range(12):
            self.pass_time(60)
        self.agent.restart()
        self.agent.hello()
        self.meet()
        self.check(a=self.DONE, b=self.EXPIRED)

    def test_a_result_that_could_not_be_journalled_for_long(self) -> None:
        self.create("a")
        self.agent.fetch()
        finish = self.agent.journal.finish

        def full(*_args: Any) -> None:
            raise JournalError("disk full")

        self.agent.journal.finish = full  # type: ignore[method-assign]
        self.assertRaises(JournalError, self.agent.work)
        for _ in range(12):
            self.pass_time(60)
        self.check(a=self.UNKNOWN)
        self.agent.journal.finish = finish  # type: ignore[method-assign]
        self.meet()
        self.check(a=self.DONE)

    def test_a_taskmanager_that_dies(self) -> None:
        """Whoever takes over looks at the same row."""
        self.create("a")
        self.agent.fetch()
        for _ in range(12):
            self.pass_time(60)
        run_before = self.reported()
        self.engine = Engine(self.world.store, REGISTRY, self.env)
        self.pass_time(60)
        self.assertEqual(run_before, self.reported())
        self.agent.work()
        self.agent.tell()
        self.control()
        self.check(a=self.EXPIRED)
