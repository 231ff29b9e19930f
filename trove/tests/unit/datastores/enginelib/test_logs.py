# SPDX-License-Identifier: Apache-2.0

from trove.datastores import spi
from trove.datastores.enginelib import logs, state
from trove.tests import base
from trove.wire import command

STATE = state.State(
    address="127.0.0.2", port=1, vcpus=1, ram_mib=512, volume_gib=1, admin_password="x", socket_dir="/s", prepared=True
)


class TestLogs(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.tempdir() / "error.log"

    def test_tail(self) -> None:
        self.assertEqual("", logs.tail(self.path))
        self.path.write_bytes(b"x" * 100 + b"\xffend")
        self.assertEqual("\ufffdend", logs.tail(self.path, 4))

    def test_a_writer_goes_on_after_a_rotation(self) -> None:
        with open(self.path, "a", encoding="utf-8") as server:
            for number in range(6):
                server.write(f"{number}" * 20)
                server.flush()
                self.assertTrue(logs.rotate(self.path, max_bytes=10, keep=2))
            server.write("last")
        self.assertEqual(
            ["4" * 20, "5" * 20, "last"], [path.read_text() for path in logs.with_rotated(self.path, keep=2)]
        )
        self.assertEqual(3, len(list(self.path.parent.iterdir())))

    def test_a_small_or_absent_log_is_left_alone(self) -> None:
        self.assertFalse(logs.rotate(self.path))
        self.path.write_text("short")
        self.assertFalse(logs.rotate(self.path))
        self.assertEqual([self.path], logs.with_rotated(self.path))

    def test_prune(self) -> None:
        paths = [self.path.with_name(str(number)) for number in range(5)]
        for path in paths[1:]:
            path.touch()
        logs.prune(paths, 2)
        self.assertEqual([False, False, False, True, True], [path.exists() for path in paths])
        logs.prune(paths[:2], 5)


class TestSwitches(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.states = state.StateFile(self.tempdir() / "state.json", state.State)
        self.states.put(STATE)
        self.written: list[set[str]] = []
        self.told: list[tuple[str, bool]] = []
        self.fails = False
        self.switches: logs.Switches[state.State] = logs.Switches(
            ("general", "slow"), self.states, known=self.known, write=self.write, tell=self.tell
        )

    def known(self) -> state.State:
        known = self.states.get()
        assert known is not None
        return known

    def write(self, known: state.State) -> None:
        self.written.append(set(known.logs))

    def tell(self, name: str, enabled: bool) -> None:
        if self.fails:
            raise spi.EngineError("engine.unavailable", "It is gone.")
        self.told.append((name, enabled))

    def test_on_and_off(self) -> None:
        for name, enabled in (("general", True), ("slow", True), ("general", False), ("general", False)):
            self.switches.set(command.SetLog(log=name, enabled=enabled))
            self.assertEqual((name, enabled), self.told[-1])
            self.assertEqual(enabled, self.switches.on(name))
        self.assertEqual([{"general"}, {"general", "slow"}, {"slow"}, {"slow"}], self.written)

    def test_what_cannot_be_switched(self) -> None:
        error = self.assertRaises(spi.EngineError, self.switches.set, command.SetLog(log="error", enabled=True))
        self.assertEqual("log.not_switchable", error.symbol)
        self.assertIn("these can: general, slow", error.message)

    def test_a_failure_changes_nothing(self) -> None:
        self.fails = True
        self.assertRaises(spi.EngineError, self.switches.set, command.SetLog(log="slow", enabled=True))
        self.assertEqual(([{"slow"}, set()], False), (self.written, self.switches.on("slow")))
