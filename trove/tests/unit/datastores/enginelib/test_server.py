# SPDX-License-Identifier: Apache-2.0
"""The process's life with an in-memory process table: what a real server cannot be made to do on time."""

import itertools
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from trove.datastores import spi
from trove.datastores.enginelib import server
from trove.tests import base
from trove.tests.fixtures import clock


class ProcessTable:
    """An :class:`EngineProcess` whose processes do what ``on_start`` and ``on_signal`` say."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.alive: dict[int, str] = {}
        self.started: list[Mapping[str, str]] = []
        self.signals: list[int] = []
        self.deaf_to: set[int] = set()
        self.dies_at_once = False
        self.cannot_start = False
        self.noted: tuple[int, str] | None = None

    def start(self, argv: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path) -> int:
        if self.cannot_start:
            raise spi.EngineError("engine.program", "The program 'postgres' cannot be executed.")
        pid = 100 + len(self.started)
        self.started.append(env)
        if not self.dies_at_once:
            self.alive[pid] = " ".join(argv)
            self.write(pid)
        return pid

    def write(self, pid: int, word: str = "ready") -> None:
        """What an engine notes of itself: its pid, and whether it takes connections."""
        self.noted = (pid, word)

    def is_alive(self, pid: int, marker: str) -> bool:
        return marker in self.alive.get(pid, "")

    def signal(self, pid: int, number: int) -> None:
        self.signals.append(number)
        if number not in self.deaf_to:
            self.alive.pop(pid, None)

    def run(self, argv: Sequence[str], **_: Any) -> bytes:
        raise AssertionError("not used")


class TestServer(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(clock.ManualClock())
        self.data = self.tempdir()
        self.table = ProcessTable(self.data)
        self.server = self.new()

    def new(self) -> server.EngineServer:
        marker = f"-D {self.data}"
        program = server.Program(
            argv=("/engine", "-D", str(self.data)),
            marker=marker,
            log=self.data / "log",
            cwd=self.data,
            pid=lambda: self.table.noted[0] if self.table.noted else None,
            ready=lambda pid: self.table.noted == (pid, "ready"),
            environment=lambda: {"LC_ALL": "C.UTF-8"},
            stop_stages=((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)),
        )
        return server.EngineServer(self.table, program)

    def test_start_and_stop(self) -> None:
        self.server.start()
        self.server.start()
        self.assertEqual(1, len(self.table.started))
        self.assertTrue(self.server.accepting())
        self.server.stop()
        self.server.stop()
        self.assertEqual([signal.SIGINT], self.table.signals)
        self.assertIsNone(self.server.pid())

    def test_what_it_is_started_with(self) -> None:
        self.server.start()
        self.assertEqual([f"/engine -D {self.data}"], list(self.table.alive.values()))
        self.assertEqual([{"LC_ALL": "C.UTF-8"}], self.table.started)

    def test_a_stop_waits_for_the_process_not_for_its_pid_file(self) -> None:
        self.server.start()
        adopted = self.new()
        self.table.deaf_to.add(signal.SIGINT)
        with mock.patch.object(self.table, "signal", autospec=True) as sent:

            def send(pid: int, number: int) -> None:
                self.table.noted = None
                ProcessTable.signal(self.table, pid, number)

            sent.side_effect = send
            adopted.stop()
        self.assertEqual({}, self.table.alive)
        self.assertEqual([signal.SIGINT, signal.SIGQUIT], self.table.signals)

    def test_a_stop_that_takes_too_long_gets_harder(self) -> None:
        self.server.start()
        self.table.deaf_to = {signal.SIGINT, signal.SIGQUIT}
        self.server.stop()
        self.assertEqual([signal.SIGINT, signal.SIGQUIT, signal.SIGKILL], self.table.signals)

    def test_an_unstoppable_server_is_said(self) -> None:
        self.server.start()
        self.table.deaf_to = {signal.SIGINT, signal.SIGQUIT, signal.SIGKILL}
        self.assertEqual("engine.stop_failed", self.assertRaises(spi.EngineError, self.server.stop).symbol)

    def test_a_server_that_ends_while_starting(self) -> None:
        self.table.dies_at_once = True
        self.assertEqual("engine.start_failed", self.assertRaises(spi.EngineError, self.server.start).symbol)
        self.assertEqual(server.START_ATTEMPTS, len(self.table.started))
        self.table.dies_at_once = False
        self.server.start()

    def test_a_server_that_is_killed_while_starting_is_started_once_more(self) -> None:
        self.server.launch()
        self.table.write(100, "starting")
        self.table.alive.clear()
        self.server.start()
        self.assertEqual((101, True), (self.server.pid(), self.server.accepting()))

    def test_a_recovery_that_takes_too_long(self) -> None:
        self.server.launch()
        self.table.write(100, "starting")
        error = self.assertRaises(spi.EngineError, self.server.start, 30.0)
        self.assertEqual("engine.start_timeout", error.symbol)
        self.table.write(100)
        self.server.start()

    def test_a_new_agent_adopts(self) -> None:
        self.server.start()
        after = self.new()
        after.supervise()
        after.start()
        self.assertEqual((100, 1), (after.pid(), len(self.table.started)))

    def test_a_pid_that_was_given_to_a_stranger(self) -> None:
        """Not ours by its command line: neither adopted nor signalled."""
        self.table.alive[4711] = "/engine -D /another/instance"
        self.table.write(4711)
        self.assertIsNone(self.server.pid())
        self.server.stop()
        self.assertEqual([], self.table.signals)
        self.server.start()
        self.assertEqual(100, self.server.pid())

    def test_a_wrapper_that_ends_after_the_engine(self) -> None:
        """What was launched may only hold the engine; its own end is waited for, not signalled."""
        self.server.launch()
        self.table.alive[555] = self.table.alive[100]
        self.table.write(555)
        wrapper = mock.patch.object(
            self.clock, "sleep", autospec=True, side_effect=lambda _seconds: self.table.alive.pop(100, None)
        )
        with wrapper as slept, mock.patch("trove.common.clock.sleep", slept):
            self.server.stop()
        self.assertEqual([signal.SIGINT], self.table.signals)

    def _crash(self) -> None:
        self.table.alive.clear()

    def test_a_crashed_server_is_back_at_the_next_look(self) -> None:
        self.server.start()
        self._crash()
        self.server.supervise()
        self.assertTrue(self.server.accepting())
        self.assertIsNone(self.server.crash_reason)

    def test_pauses_grow_and_the_fifth_crash_is_a_failure(self) -> None:
        self.server.start()
        self.table.dies_at_once = True
        self._crash()
        starts = []
        for second in range(200):
            before = len(self.table.started)
            self.server.supervise()
            if len(self.table.started) > before:
                starts.append(second)
            self.clock.advance(1)
        self.assertEqual([0, 2, 5, 10], starts[:4])
        self.assertIsNotNone(self.server.crash_reason)
        gaps = [after - before for before, after in itertools.pairwise(starts[4:])]
        self.assertTrue(gaps and all(gap >= server.MAX_PAUSE for gap in gaps), starts)

    def test_a_server_that_cannot_even_be_executed(self) -> None:
        self.server.start()
        self._crash()
        self.table.cannot_start = True
        for _ in range(30):
            self.server.supervise()
            self.clock.advance(1)
        self.assertIsNotNone(self.server.crash_reason)
        self.table.cannot_start = False
        self.clock.advance(server.MAX_PAUSE)
        self.server.supervise()
        self.assertTrue(self.server.accepting())

    def test_a_quiet_while_is_forgiven(self) -> None:
        self.server.start()
        for _ in range(10):
            self.clock.advance(server.CRASH_WINDOW + 1)
            self._crash()
            self.server.supervise()
            self.assertTrue(self.server.accepting())
        self.assertIsNone(self.server.crash_reason)

    def test_a_start_on_purpose_is_forgiven(self) -> None:
        self.test_pauses_grow_and_the_fifth_crash_is_a_failure()
        self.table.dies_at_once = False
        self.server.start()
        self.assertIsNone(self.server.crash_reason)

    def test_supervise_never_waits(self) -> None:
        self.server.start()
        self._crash()
        self.clock.pauses.clear()
        self.server.supervise()
        self.table.write(101, "starting")
        self.server.supervise()
        self.assertEqual([], self.clock.pauses)

    def test_hurry_ends_a_pause(self) -> None:
        self.test_pauses_grow_and_the_fifth_crash_is_a_failure()
        self.table.dies_at_once = False
        self.server.supervise()
        self.assertIsNone(self.server.pid())
        self.server.hurry()
        self.server.supervise()
        self.assertTrue(self.server.accepting())
