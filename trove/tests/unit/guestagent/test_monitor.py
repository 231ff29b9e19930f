# SPDX-License-Identifier: Apache-2.0
"""Probes, supervision and the inventory."""

import threading

import msgspec

from trove.datastores import spi
from trove.guestagent import monitor as monitors
from trove.guestagent.heartbeat import Heartbeats
from trove.guestagent.journal import JournalError
from trove.guestagent.monitor import InventoryWatch, Monitor, compose_inventory
from trove.guestbus import envelope
from trove.tests.base import UnitTestCase
from trove.tests.fixtures.clock import ManualClock
from trove.tests.unit.guestagent.fakes import FakeHandler
from trove.wire import base, report


class TestMonitor(UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(ManualClock())
        self.handler = FakeHandler()
        self.beats = Heartbeats(10.0, agent_version="1", handler_version="1", measure=lambda: (None, None))
        self.lock = threading.Lock()
        self.submitted: list[report.Report] = []
        self.wakes = 0
        self.full = False
        self.monitor = Monitor(
            self.handler,
            self.beats,
            InventoryWatch(self.handler),
            engine_lock=self.lock,
            submit=self._submit,
            wake=self._wake,
        )

    def _submit(self, reports: object) -> None:
        if self.full:
            raise JournalError("disk full")
        self.submitted.extend(reports)  # type: ignore[arg-type]

    def _wake(self) -> None:
        self.wakes += 1

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.monitor.step()
            self.clock.advance(1.0)

    def test_first_step_probes_supervises_and_tells_the_inventory(self) -> None:
        self.monitor.step()
        self.assertEqual((1, 1, 1), (self.handler.supervised, self.wakes, len(self.submitted)))
        self.assertFalse(self.lock.locked())

    def test_does_not_touch_the_engine_while_a_command_is_at_work(self) -> None:
        with self.lock:
            self.monitor.step()
        self.assertEqual((0, []), (self.handler.supervised, self.submitted))
        self.assertEqual("healthy", self.beats.compose().service_status)  # but it still looks

    def test_change_of_status_wakes_the_sender(self) -> None:
        self.monitor.step()
        self.beats.compose()
        self.handler.status_word = "crashed"
        self.monitor.step()  # healthy a moment ago: not probed again yet
        self.assertEqual(1, self.wakes)
        self.clock.advance(monitors.HEALTHY_INTERVAL)
        self.monitor.step()
        self.assertEqual(2, self.wakes)
        self.handler.status_word = "healthy"
        self.beats.compose()
        self.monitor.step()  # anything but healthy is probed at each step
        self.assertEqual(3, self.wakes)

    def test_command_makes_it_look_at_once(self) -> None:
        self.monitor.step()
        self.beats.compose()
        self.handler.status_word = "shutdown"
        self.monitor.probe_soon()
        self.monitor.step()
        self.assertEqual(2, self.wakes)

    def test_defects_of_the_handler_do_not_end_it(self) -> None:
        def broken() -> None:
            raise spi.EngineError("engine.start", "It does not start, password=hunter2.")

        self.handler.supervise = broken  # type: ignore[method-assign]
        self.handler.status = broken  # type: ignore[method-assign, assignment]
        self.steps(5)
        self.assertEqual("blocked", self.beats.compose().service_status)
        self.assertNotIn("hunter2", self.logs.text())
        self.assertEqual(1, self.logs.text().count("supervision of the engine failed"))

    def test_where_things_are_is_not_for_the_owner(self) -> None:
        self.handler.reason = "It has no socket '/srv/instances/1/run/mysqld.sock'."
        self.monitor.step()
        self.assertEqual("It has no socket '…'.", self.beats.compose().reason)

    def test_inventory_is_told_when_changed_and_now_and_then(self) -> None:
        self.steps(int(monitors.INVENTORY_INTERVAL * 3))
        self.assertEqual(1, len(self.submitted))
        self.handler.databases.append("made_over_sql")
        self.steps(int(monitors.INVENTORY_INTERVAL) + 1)
        self.assertEqual(2, len(self.submitted))
        self.steps(int(monitors.INVENTORY_REFRESH + monitors.INVENTORY_INTERVAL))
        self.assertEqual(3, len(self.submitted))

    def test_inventory_that_could_not_be_journalled_is_told_later(self) -> None:
        self.full = True
        self.assertRaises(JournalError, self.monitor.step)
        self.assertFalse(self.lock.locked())
        self.full = False
        self.monitor.step()
        self.assertEqual(1, len(self.submitted))

    def test_no_inventory_of_an_engine_that_is_down(self) -> None:
        self.handler.status_word = "shutdown"
        self.steps(5)
        self.assertEqual([], self.submitted)


class TestInventory(UnitTestCase):
    def test_after_a_failed_command_only_changes_are_told(self) -> None:
        handler = FakeHandler()
        watch = InventoryWatch(handler)
        self.assertEqual(1, len(watch.after_command(False)))
        self.assertEqual(0, len(watch.after_command(False)))
        self.assertEqual(1, len(watch.after_command(True)))
        handler.databases.append("x")
        self.assertEqual(1, len(watch.after_command(False)))

    def test_anything_fits_into_an_envelope_and_can_be_read(self) -> None:
        names = [f"{number:06d}{'n' * 57}" for number in range(12000)]
        snapshot = spi.InventorySnapshot(
            databases=[report.InventoryDatabase(name=name) for name in names],
            users=[report.InventoryUser(name=name, databases=names[:1500]) for name in names[:50]],
        )
        inventory = compose_inventory(snapshot)
        self.assertLess(len(msgspec.json.encode(inventory)), envelope.MAX_BYTES - 4096)
        self.assertEqual(inventory, base.decode(report.TO_CONTROL, "inventory", 1, inventory.to_wire()))
        self.assertGreater(len(inventory.databases), 0)
        self.assertIn("too large", self.logs.text())
