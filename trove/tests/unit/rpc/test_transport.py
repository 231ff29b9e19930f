# SPDX-License-Identifier: Apache-2.0
"""Hints: what is sent, and that losing one harms nobody."""

from typing import Any

import oslo_messaging as messaging

from trove.rpc import conductor, taskmanager, transport
from trove.tests import base


class Told:
    """Writes down the hints that arrive."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def wake(self, workflow_id: str) -> None:
        self.heard.append(("wake", workflow_id))

    def deliver(self, instance_id: str) -> None:
        self.heard.append(("deliver", instance_id))


class Wire:
    """In place of the client's connection: remembers casts, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.casts: list[tuple[dict[str, Any], str, dict[str, Any]]] = []

    def cast(self, context: dict[str, Any], method: str, **arguments: Any) -> None:
        if self.error is not None:
            raise self.error
        self.casts.append((context, method, arguments))


class TestClients(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.conf = self.new_conf()
        self.bus = transport.control_transport(self.conf, "fake://")

    def clients(self) -> list[tuple[transport.HintClient, str]]:
        return [
            (taskmanager.TaskManagerClient(self.conf, self.bus), "wake"),
            (conductor.ConductorClient(self.conf, self.bus), "deliver"),
        ]

    def test_only_an_id_travels(self) -> None:
        for client, method in self.clients():
            client._client = wire = Wire()
            getattr(client, method)("some-id")
            ((context, name, arguments),) = wire.casts
            self.assertEqual(({}, method, ["some-id"]), (context, name, list(arguments.values())))

    def test_a_hint_that_cannot_be_sent_is_forgotten(self) -> None:
        for error in (messaging.MessageDeliveryFailure("x"), OSError("refused"), RuntimeError("password=hunter2")):
            for client, method in self.clients():
                client._client = Wire(error)
                getattr(client, method)("some-id")
        self.assertIn("was lost (OSError)", self.logs.text())
        self.assertNotIn("hunter2", self.logs.text())

    def test_a_broker_that_is_away_is_told_of_once_in_a_while(self) -> None:
        for client, method in self.clients():
            client._client = Wire(OSError("refused"))
            for _ in range(5):
                getattr(client, method)("some-id")
            self.assertEqual(1, self.logs.text().count(f"the hint {method} was lost"))

    def test_nobody_waits_for_a_broker_that_is_away(self) -> None:
        for client, _method in self.clients():
            self.assertEqual(0, client._client.retry)

    def test_every_conductor_hears_and_one_taskmanager_does(self) -> None:
        fanout = {type(client).__name__: client._client.target.fanout for client, _ in self.clients()}
        self.assertEqual({"TaskManagerClient": False, "ConductorClient": True}, fanout)


class TestEndpoints(base.UnitTestCase):
    def test_hints_are_passed_on(self) -> None:
        told = Told()
        taskmanager.TaskManagerEndpoint(told).wake({}, workflow_id="w")
        conductor.ConductorEndpoint(told).deliver({}, instance_id="i")
        self.assertEqual([("wake", "w"), ("deliver", "i")], told.heard)

    def test_what_a_client_speaks_its_endpoint_understands(self) -> None:
        for client, endpoint in (
            (taskmanager.TaskManagerClient, taskmanager.TaskManagerEndpoint),
            (conductor.ConductorClient, conductor.ConductorEndpoint),
        ):
            self.assertEqual(client.version, endpoint.target.version)
            methods = {name for name in vars(endpoint) if not name.startswith("_") and name != "target"}
            for method in methods:
                self.assertIn(f"``{method}(", str(client.__doc__), "the version history names every method")
                self.assertTrue(callable(getattr(client, method)))
