# SPDX-License-Identifier: Apache-2.0
"""Hints over a real bus within the process, and over a broker that is not there."""

import threading

from trove.common import clock
from trove.rpc import conductor, taskmanager
from trove.rpc.transport import control_transport
from trove.tests import base


class Told:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.event = threading.Event()

    def wake(self, workflow_id: str) -> None:
        self.heard.append(workflow_id)
        self.event.set()

    deliver = wake


class TestHints(base.FunctionalTestCase):
    def test_over_the_bus_in_the_process(self) -> None:
        conf = self.new_conf()
        bus = control_transport(conf, "fake://")
        told = Told()
        server = taskmanager.server(conf, bus, told, "one")
        server.start()
        self.addCleanup(server.stop)
        taskmanager.TaskManagerClient(conf, bus).wake("w")
        self.assertTrue(told.event.wait(60))
        self.assertEqual(["w"], told.heard)

    def test_every_conductor_is_told(self) -> None:
        conf = self.new_conf()
        bus = control_transport(conf, "fake://")
        all_told = [Told(), Told()]
        for number, told in enumerate(all_told):
            server = conductor.server(conf, bus, told, f"conductor-{number}")
            server.start()
            self.addCleanup(server.stop)
        conductor.ConductorClient(conf, bus).deliver("i")
        for told in all_told:
            self.assertTrue(told.event.wait(60))

    def test_a_broker_that_is_away_holds_nobody(self) -> None:
        conf = self.new_conf()
        bus = control_transport(conf, "rabbit://u:hunter2@127.0.0.1:1/")
        began = clock.monotonic()
        for _ in range(3):
            taskmanager.TaskManagerClient(conf, bus).wake("w")
        self.assertLess(clock.monotonic() - began, 30)
        self.assertIn("was lost", self.logs.text())
        self.assertNotIn("hunter2", self.logs.text())
