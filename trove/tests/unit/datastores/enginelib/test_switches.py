# SPDX-License-Identifier: Apache-2.0

from trove.datastores import spi
from trove.datastores.enginelib import state, switches
from trove.tests import base
from trove.wire import command

STATE = state.State(
    address="127.0.0.2", port=1, vcpus=1, ram_mib=512, volume_gib=1, admin_password="x", socket_dir="/s", prepared=True
)


class TestSwitches(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.states = state.StateFile(self.tempdir() / "state.json", state.State)
        self.states.put(STATE)
        self.written: list[set[str]] = []
        self.told: list[tuple[str, bool]] = []
        self.fails = False
        self.switches: switches.Switches[state.State] = switches.Switches(
            self,  # type: ignore[arg-type]  # what it needs of a lifecycle is below
            ("general", "slow"),
            self.tell,
        )
        self.up = True

    def running(self) -> bool:
        return self.up

    def note(self, known: state.State) -> state.State:
        return self.states.put(known)

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
            self.assertEqual(enabled, name in self.known().logs)
        self.assertEqual([{"general"}, {"general", "slow"}, {"slow"}, {"slow"}], self.written)

    def test_what_cannot_be_switched(self) -> None:
        error = self.assertRaises(spi.EngineError, self.switches.set, command.SetLog(log="error", enabled=True))
        self.assertEqual("log.not_switchable", error.symbol)
        self.assertIn("these can: general, slow", error.message)

    def test_a_failure_changes_nothing(self) -> None:
        self.fails = True
        self.assertRaises(spi.EngineError, self.switches.set, command.SetLog(log="slow", enabled=True))
        self.assertEqual(([{"slow"}, set()], False), (self.written, "slow" in self.known().logs))

    def test_a_server_that_took_the_switch_and_failed_is_told_again(self) -> None:
        def tell(name: str, enabled: bool) -> None:
            self.told.append((name, enabled))
            if enabled:
                raise spi.EngineError("engine.busy", "It does not say that it has.")

        switched: switches.Switches[state.State] = switches.Switches(self, ("slow",), tell)  # type: ignore[arg-type]
        self.assertRaises(spi.EngineError, switched.set, command.SetLog(log="slow", enabled=True))
        self.assertEqual([("slow", True), ("slow", False)], self.told)

    def test_a_stopped_engine_is_told_nothing(self) -> None:
        self.up = False
        self.switches.set(command.SetLog(log="slow", enabled=True))
        self.assertEqual(({"slow"}, []), (self.known().logs, self.told))
