# SPDX-License-Identifier: Apache-2.0
"""Commands that find the engine away, or lose it, with an engine that is brought back after some looks at it."""

from collections.abc import Callable
from typing import Any

from trove.common import ids
from trove.datastores import spi
from trove.guestagent import dispatcher as dispatchers
from trove.guestagent import persistence
from trove.tests import base
from trove.tests.fixtures import clock
from trove.tests.unit.guestagent.fakes import FakeHandler, frame_of
from trove.tests.unit.guestagent.test_dispatcher import DispatcherCase, create
from trove.wire import command, report

#: What drivers say of an engine that is away.
GONE = 'connection to server on socket "/srv/i-1/state/run/.s.PGSQL.5432" failed: Connection refused'


class Engine(FakeHandler):
    """Is away ``lost`` times, each until :meth:`supervise` has been called ``looks`` times; ``None``: for ever."""

    def __init__(self, lost: int | None, looks: int = 1, away: str = "crashed") -> None:
        super().__init__()
        self.lost, self.looks, self.away = lost, looks, away
        self.attempts = 0

    def attempt(self) -> str:
        """Carry a command out."""
        self.attempts += 1
        if self.lost is None or self.lost:
            self.lost = self.lost and self.lost - 1
            self.status_word, self.supervised = self.away, 0
            raise spi.EngineAway(GONE)
        return "done"

    def supervise(self) -> None:
        super().supervise()
        if self.supervised >= self.looks:
            self.status_word = "healthy"


class PersistenceTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(clock.ManualClock())

    def carry_out(self, engine: Engine, seconds: float | None = 240.0) -> str:
        return persistence.carry_out(engine.attempt, engine, seconds)

    def refused(self, engine: Engine, seconds: float | None = 240.0) -> spi.EngineError:
        error = self.assertRaises(spi.EngineError, self.carry_out, engine, seconds)
        self.assertEqual(("engine.unavailable", GONE), (error.symbol, error.detail))
        for word in ("/", "socket", "psycopg2", "Error", "127."):
            self.assertNotIn(word, error.message)
        return error

    def test_an_engine_that_is_there_is_asked_once(self) -> None:
        engine = Engine(lost=0)
        self.assertEqual(("done", 1, 0), (self.carry_out(engine), engine.attempts, engine.supervised))
        self.assertEqual([], self.clock.pauses)

    def test_an_engine_that_comes_back_is_asked_again(self) -> None:
        for lost, looks in ((1, 1), (1, 30), (persistence.MAX_RETURNS, 3)):
            engine = Engine(lost, looks)
            self.assertEqual(("done", lost + 1), (self.carry_out(engine), engine.attempts))

    def test_what_the_engine_refuses_ends_the_command_at_once(self) -> None:
        for error in (spi.EngineError("engine.refused", "No."), ValueError("a defect")):
            engine = Engine(lost=0)

            def attempt(error: Exception = error) -> None:
                raise error

            self.assertIs(error, self.assertRaises(type(error), persistence.carry_out, attempt, engine, 240.0))
            self.assertEqual(0, engine.supervised)

    def test_one_that_does_not_come_back_is_waited_for_as_long_as_somebody_waits(self) -> None:
        for seconds, waited in (
            (240.0, 240.0 - persistence.TELLING),
            (None, persistence.WITHOUT_DEADLINE),
            (1.0, persistence.LEAST),
            (-500.0, persistence.LEAST),
        ):
            engine, began = Engine(lost=1, looks=10**6), self.clock.monotonic()
            error = self.refused(engine, seconds)
            self.assertIn("did not answer in time", error.message)
            self.assertEqual(1, engine.attempts)
            self.assertAlmostEqual(waited, self.clock.monotonic() - began, delta=2 * persistence.POLL)

    def test_why_it_does_not_come_back_is_told(self) -> None:
        engine = Engine(lost=1, looks=10**6)
        engine.reason = "The data volume is full. Resize it."
        self.assertIn("in time; The data volume is full. Resize it.", self.refused(engine).message)

    def test_one_that_runs_and_does_not_answer_is_asked_again_with_pauses(self) -> None:
        engine = Engine(lost=20, looks=10**6, away="blocked")
        self.assertEqual(("done", 21), (self.carry_out(engine), engine.attempts))
        self.assertEqual([persistence.BLOCKED_PAUSE] * 20, self.clock.pauses)
        self.refused(Engine(lost=None, looks=10**6, away="blocked"))

    def test_one_that_is_being_made_is_made_again(self) -> None:
        engine = Engine(lost=1, looks=10**6, away="building")
        self.assertEqual(("done", 2), (self.carry_out(engine), engine.attempts))

    def test_one_that_its_owner_stopped_is_not_waited_for(self) -> None:
        engine = Engine(lost=1, looks=10**6, away="shutdown")
        self.assertIn("is stopped; start it", self.refused(engine).message)
        self.assertEqual([], self.clock.pauses)

    def test_a_command_that_ends_it_each_time_is_given_up(self) -> None:
        engine = Engine(lost=None)
        self.assertIn("ended each time", self.refused(engine).message)
        self.assertEqual(persistence.MAX_RETURNS + 1, engine.attempts)

    def test_a_supervision_or_a_probe_that_breaks_is_tried_again(self) -> None:
        engine = Engine(lost=1)
        engine.supervise = self._broken_at_first(engine.supervise)  # type: ignore[method-assign]
        self.assertEqual("done", self.carry_out(engine))
        engine = Engine(lost=1)
        engine.status = self._broken_at_first(engine.status)  # type: ignore[method-assign]
        self.assertEqual("done", self.carry_out(engine))

    def _broken_at_first(self, method: Callable[[], Any]) -> Callable[[], Any]:
        calls = []

        def call() -> Any:
            calls.append(1)
            if len(calls) < 3:
                raise OSError("a defect")
            return method()

        return call


class DispatcherTest(DispatcherCase):
    """A command waits for an engine that is away for as long as its owner waits for the command."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(clock.ManualClock())
        self.control_time = 1_000_000
        self.handler.status_word = "crashed"
        self.handler.during = self.lose

    def lose(self, _name: str) -> None:
        if self.handler.status_word == "crashed":
            raise spi.EngineAway("connection refused")

    def test_until_it_is_back(self) -> None:
        self.handler.supervise = self.bring_back  # type: ignore[method-assign]
        self.dispatcher.accept(frame_of(create("a"), deadline=1_240_000, allowance=240_000))
        self.run_all()
        self.assertEqual(([("ACCEPTED", None), ("DONE", None)], ["a"]), (self.told(), self.handler.databases))

    def bring_back(self) -> None:
        self.assertTrue(self.lock.locked())  # else the monitor would bring it back, too
        self.handler.status_word = "healthy"

    def test_until_its_deadline(self) -> None:
        for deadline, patience in ((1_240_000, 240), (1_030_000, 30)):
            began = self.clock.monotonic()
            self.dispatcher.accept(frame_of(create("a"), deadline=deadline))
            self.run_all()
            self.assertEqual(("FAILED", "engine.unavailable"), self.told()[-1])
            waited = self.clock.monotonic() - began
            self.assertAlmostEqual(patience - persistence.TELLING, waited, delta=1)

    def test_until_its_allowance_after_the_command_before(self) -> None:
        self.journal.finish(
            report.CommandResult(report_id=ids.new_id(), command_id=ids.new_id(), state="DONE"),
            (),
            {dispatchers.ENDED_AT: 1_000_000},
        )
        self.dispatcher.accept(frame_of(create("a"), deadline=1_000_001, allowance=100_000))
        self.run_all()
        self.assertAlmostEqual(1000 + 100 - persistence.TELLING, self.clock.monotonic(), delta=1)

    def test_what_the_agent_does_itself_needs_no_engine(self) -> None:
        def own(_order: object) -> None:
            raise spi.EngineAway("no engine of ours")

        self.dispatcher._own["restart"] = dispatchers.OwnCommand(own, lambda: ())
        self.dispatcher._methods["restart"] = own
        self.assertEqual("engine.unavailable", self.carry_out(command.Restart()).error_symbol)
        self.assertEqual(([], 0), (self.clock.pauses, self.handler.supervised))

    def test_what_operators_read_has_a_bound_and_no_secret(self) -> None:
        log = self.tempdir() / "engine.log"
        log.write_text("x" * dispatchers.TAIL_BYTES)
        self.handler.logs = [log]

        def refuse(_name: str) -> None:
            raise spi.EngineError("a.b", "No.", detail="password=hunter2 " + "ü" * 9000)

        self.handler.during = refuse
        last = self.carry_out(command.Restart())
        self.assertTrue(last.log_tail.startswith("password=*** ü"))
        self.assertTrue(last.log_tail.endswith("x"))
        self.assertLessEqual(len(last.log_tail.encode()), dispatchers.TAIL_BYTES)
