# SPDX-License-Identifier: Apache-2.0
"""Hints within a process: who hears them, and that the clients and servers of the control bus can use it."""

from typing import Any

from trove.rpc import conductor, inprocess, taskmanager
from trove.tests import base


class Told:
    """Writes down the hints that arrive, and may refuse them."""

    def __init__(self, error: Exception | None = None) -> None:
        self.heard: list[str] = []
        self.error = error

    def wake(self, workflow_id: str) -> None:
        if self.error is not None:
            raise self.error
        self.heard.append(workflow_id)

    deliver = wake


class TestBus(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.bus = inprocess.Bus()
        self.conf = self.new_conf()

    def workers(self, *told: Told) -> list[Any]:
        servers = [taskmanager.server(self.conf, self.bus, item, f"w{n}") for n, item in enumerate(told)]
        for server in servers:
            server.start()
        return servers

    def test_a_hint_has_arrived_when_it_was_sent(self) -> None:
        told = Told()
        self.workers(told)
        taskmanager.TaskManagerClient(self.conf, self.bus).wake("w")
        self.assertEqual(["w"], told.heard)

    def test_taskmanagers_take_turns_and_every_conductor_hears(self) -> None:
        first, second = Told(), Told()
        self.workers(first, second)
        for name in "abcd":
            taskmanager.TaskManagerClient(self.conf, self.bus).wake(name)
        self.assertEqual((2, 2), (len(first.heard), len(second.heard)))
        self.assertEqual(["a", "b", "c", "d"], sorted(first.heard + second.heard))
        ears = [Told(), Told()]
        for number, told in enumerate(ears):
            conductor.server(self.conf, self.bus, told, f"c{number}").start()
        conductor.ConductorClient(self.conf, self.bus).deliver("i")
        self.assertEqual([["i"], ["i"]], [told.heard for told in ears])

    def test_nobody_hears_before_the_start_or_after_the_stop(self) -> None:
        told = Told()
        server = taskmanager.server(self.conf, self.bus, told, "w")
        client = taskmanager.TaskManagerClient(self.conf, self.bus)
        client.wake("early")
        server.start()
        server.stop()
        server.stop()
        client.wake("late")
        self.assertEqual([], told.heard)

    def test_what_the_receiver_raises_harms_nobody(self) -> None:
        self.workers(Told(RuntimeError("password=hunter2")))
        taskmanager.TaskManagerClient(self.conf, self.bus).wake("w")
        self.assertIn("was lost (RuntimeError)", self.logs.text())
        self.assertNotIn("hunter2", self.logs.text())

    def test_only_what_an_endpoint_offers(self) -> None:
        self.workers(Told())
        client = self.bus.client(self.conf.taskmanager_queue, fanout=False)
        for name in ("deliver", "_worker", "target"):
            self.assertRaises(LookupError, client.cast, {}, name)
