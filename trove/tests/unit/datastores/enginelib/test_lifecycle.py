# SPDX-License-Identifier: Apache-2.0
"""Status words, causes and the way back of a size, with a server that is a switch."""

import dataclasses
import errno
from pathlib import Path
from typing import Any

import fixtures
import msgspec

from trove.datastores import spi
from trove.datastores.enginelib import conditions, lifecycle, server, state
from trove.tests import base
from trove.tests.fixtures import clock
from trove.wire import command

STATE = state.State(
    address="127.0.0.2", port=1, vcpus=1, ram_mib=512, volume_gib=1, admin_password="x", socket_dir="/s", prepared=True
)


class Switch(server.EngineServer):
    """A server that is up or down as a test says."""

    def __init__(self) -> None:
        self.up = True
        self.refuses: Any = None
        self.crashed = False
        self.hurried = 0

    def pid(self) -> int | None:
        return 7 if self.up else None

    @property
    def crash_reason(self) -> str | None:
        return "The database server ended 5 times." if self.crashed else None

    def start(self, timeout: float = 0) -> None:
        if self.refuses:
            raise self.refuses
        self.up = True

    def stop(self) -> None:
        self.up = False

    def supervise(self) -> None:
        self.up = True

    def hurry(self) -> None:
        self.hurried += 1


class TestLife(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(clock.ManualClock())
        self.directory = self.tempdir()
        self.space: tuple[int, int] = (2**29, 2**30)
        self.useFixture(fixtures.MockPatchObject(conditions, "free_bytes", new=lambda _directory: self.space))
        self.states = state.StateFile(self.directory / "state.json", state.State)
        self.server = Switch()
        self.written: list[int] = []
        self.text = "old"
        self.answer: Exception | None = None
        self.ends_when_asked = False
        self.log = self.directory / "log"
        engine = lifecycle.Engine(
            title="Engine",
            min_ram_mib=256,
            data_dir=self.directory,
            refresh=lambda known: msgspec.structs.replace(known, socket_dir="/fresh"),
            configure=self.configure,
            read_config=lambda: self.text,
            restore_config=self.restore,
            probe=self.probe,
            log_files=lambda: [self.log],
            log_bytes=lambda: 5,
        )
        self.lifecycle = lifecycle.Lifecycle(engine, self.server, self.states)

    def configure(self, known: state.State) -> None:
        self.text = f"{known.ram_mib} {known.socket_dir}"

    def restore(self, text: str) -> None:
        self.text = text
        self.server.refuses = None

    def probe(self, _known: state.State) -> None:
        self.server.up = not self.ends_when_asked
        if self.answer:
            raise self.answer

    def status(self) -> tuple[str, str]:
        found = self.lifecycle.status()
        return found.status, found.reason or ""

    def test_unprepared(self) -> None:
        self.assertEqual(spi.EngineStatus("building"), self.lifecycle.status())
        self.states.put(msgspec.structs.replace(STATE, prepared=False))
        self.assertEqual("building", self.lifecycle.status().status)
        self.lifecycle.supervise()
        self.assertRaises(spi.EngineError, self.lifecycle.start)

    def test_words(self) -> None:
        self.states.put(STATE)
        self.assertEqual(spi.EngineStatus("healthy", None, 5), self.lifecycle.status())
        self.answer = lifecycle.NoAnswer("It sleeps.")
        self.assertEqual(("blocked", "It sleeps."), self.status())
        self.server.up = False
        self.assertEqual("crashed", self.status()[0])
        with self.lifecycle.deliberately():
            self.assertEqual("blocked", self.status()[0])
        self.server.crashed = True
        self.assertEqual(("failed", "The database server ended 5 times."), self.status())
        self.lifecycle.stop()
        self.assertEqual("shutdown", self.status()[0])

    def test_a_server_that_ends_while_it_is_asked_is_not_blocked(self) -> None:
        self.states.put(STATE)
        self.answer = lifecycle.NoAnswer("The database server takes no queries: it closed the connection.")
        self.ends_when_asked = True
        self.assertEqual("crashed", self.status()[0])

    def test_a_full_volume_is_the_cause_whatever_else_is_wrong(self) -> None:
        self.states.put(STATE)
        self.space = (0, 2**30)
        self.assertEqual(("blocked", str(conditions.DISK_FULL)), self.status())
        self.answer = lifecycle.NoAnswer("It sleeps.")
        self.assertEqual(("blocked", str(conditions.DISK_FULL)), self.status())
        self.server.up = False
        self.assertIn(str(conditions.DISK_FULL), self.status()[1])
        self.server.crashed = True
        self.assertIn(str(conditions.DISK_FULL), self.status()[1])

    def test_a_cause_from_the_log(self) -> None:
        self.states.put(STATE)
        self.server.up = False
        self.log.write_text("FATAL: Cannot allocate memory\n")
        self.assertIn(str(conditions.OUT_OF_MEMORY), self.status()[1])

    def test_the_next_attempt_is_at_once_when_there_is_space_again(self) -> None:
        self.states.put(STATE)
        self.space = (0, 2**30)
        self.lifecycle.supervise()
        self.assertEqual(0, self.server.hurried)
        self.space = (2**29, 2**30)
        self.lifecycle.supervise()
        self.lifecycle.supervise()
        self.assertEqual(1, self.server.hurried)

    def test_supervision_writes_only_what_has_changed(self) -> None:
        self.states.put(STATE)
        self.server.up = False
        self.lifecycle.supervise()
        self.assertEqual("512 /fresh", self.text)
        self.text = "untouched"
        self.server.up = False
        self.lifecycle.supervise()
        self.assertEqual("untouched", self.text)
        self.lifecycle.stop()
        self.lifecycle.supervise()
        self.assertFalse(self.server.up)

    def test_a_start_that_fails_for_a_known_cause(self) -> None:
        self.states.put(STATE)
        self.server.up = False
        self.server.refuses = spi.EngineError("engine.start_failed", "It ended.")
        self.assertEqual("engine.start_failed", self.assertRaises(spi.EngineError, self.lifecycle.start).symbol)
        self.space = (0, 2**30)
        self.assertEqual("engine.disk_full", self.assertRaises(spi.EngineError, self.lifecycle.start).symbol)
        self.server.refuses = OSError(errno.ENOSPC, "no")
        self.assertEqual("engine.disk_full", self.assertRaises(spi.EngineError, self.lifecycle.restart).symbol)
        self.server.refuses = OSError(errno.EIO, "no")
        self.assertRaises(OSError, self.lifecycle.restart)

    def test_another_size(self) -> None:
        self.states.put(STATE)
        shape = command.ShapeSpec(vcpus=2, ram_mib=1024, volume_gib=2)
        self.lifecycle.reconfigure(command.Reconfigure(shape=shape))
        self.assertEqual(("1024 /fresh", 1024, True), (self.text, self.lifecycle.known().ram_mib, self.server.up))
        tiny = command.ShapeSpec(vcpus=2, ram_mib=128, volume_gib=2)
        error = self.assertRaises(spi.EngineError, self.lifecycle.reconfigure, command.Reconfigure(shape=tiny))
        self.assertEqual("engine.no_memory", error.symbol)

    def test_a_size_that_is_refused_is_undone(self) -> None:
        self.states.put(STATE)
        self.server.refuses = spi.EngineError("engine.start_failed", "It ended.")
        shape = command.ShapeSpec(vcpus=2, ram_mib=1024, volume_gib=2)
        error = self.assertRaises(spi.EngineError, self.lifecycle.reconfigure, command.Reconfigure(shape=shape))
        self.assertEqual("engine.configuration_refused", error.symbol)
        self.assertEqual(("old", 512, True), (self.text, self.lifecycle.known().ram_mib, self.server.up))

    def test_a_larger_volume(self) -> None:
        self.states.put(STATE)
        self.lifecycle.set_volume(9)
        self.assertEqual(9, self.lifecycle.known().volume_gib)
        self.assertEqual(9, state.StateFile(Path(self.directory / "state.json"), state.State).get().volume_gib)  # type: ignore[union-attr]

    def waiting(self) -> None:
        values: dict[str, command.ConfigValue] = {"a": 2, "b": 1}
        self.states.put(msgspec.structs.replace(STATE, configuration=values, in_force={"a": 1, "b": 1}))

    def test_values_that_waited_count_from_a_start_that_is_asked_for(self) -> None:
        for begin in (self.lifecycle.restart, self.lifecycle.stop):
            self.waiting()
            begin()
            self.lifecycle.start()
            self.assertEqual({"a": 2, "b": 1}, self.lifecycle.known().in_force)
        self.waiting()
        shape = command.ShapeSpec(vcpus=2, ram_mib=1024, volume_gib=2)
        self.lifecycle.reconfigure(command.Reconfigure(shape=shape))
        self.assertEqual({"a": 2, "b": 1}, self.lifecycle.known().in_force)

    def test_values_wait_while_nobody_asks_for_a_start(self) -> None:
        self.waiting()
        self.server.up = False
        self.lifecycle.supervise()
        self.assertEqual({"a": 1, "b": 1}, self.lifecycle.known().in_force)

    def test_values_with_which_it_does_not_start(self) -> None:
        self.waiting()
        written: list[object] = []

        def configure(known: state.State) -> None:
            written.append(dict(known.in_force))
            wrong = known.in_force == known.configuration
            self.server.refuses = spi.EngineError("engine.start_failed", "It ended.") if wrong else None

        self.lifecycle._engine = dataclasses.replace(self.lifecycle._engine, configure=configure)
        error = self.assertRaises(spi.EngineError, self.lifecycle.restart)
        self.assertEqual("configuration.refused", error.symbol)
        self.assertIn("change a.", error.message)
        self.assertEqual([{"a": 2, "b": 1}, {"a": 1, "b": 1}], written)
        self.assertEqual(({"a": 1, "b": 1}, True), (self.lifecycle.known().in_force, self.server.up))
