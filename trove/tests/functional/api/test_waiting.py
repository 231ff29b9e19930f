# SPDX-License-Identifier: Apache-2.0
# covers: trove/api/waiting.py
"""Requests that wait for the guest: they keep nobody else from being answered, and a project has so many."""

import http.client
import json
import threading
from typing import Any

import fixtures

from trove.api import server
from trove.common import clock
from trove.db import models
from trove.tests.functional.api import base, world


class WaitingTestCase(world.InstanceTestCase):
    """Options of the application under test, and a server that runs it with two threads."""

    options = {
        "auth_strategy": "noauth", "bind_host": "127.0.0.1", "bind_port": 0, "api_threads": 2,
        "api_waits_per_project": 4,
    }  # fmt: skip

    def setUp(self) -> None:
        super().setUp()
        self.instance_id = self.active()
        self.path = f"/instances/{self.instance_id}/root"
        self.served = server.ApiServer(self.conf, self.app.app)
        self.served.start()
        self.addCleanup(self.served.stop)

    def begin(self, method: str, path: str) -> http.client.HTTPConnection:
        """Send a request; the answer is for whoever asks the connection for it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=60)
        self.addCleanup(connection.close)
        connection.request(method, f"/v1.0/{base.PROJECT}{path}")
        return connection

    def wait_for_operations(self, count: int) -> None:
        """Wait until so many have been submitted."""
        give_up = clock.monotonic() + 60
        while len(self.submitted()) < count:
            self.assertLess(clock.monotonic(), give_up)
            clock.sleep(0.02)

    def submitted(self) -> list[Any]:
        """Return the operations that enable root."""
        return [row for row in self.rows(models.Workflow) if row["kind"] == "root.enable"]

    def answers(self, connections: list[http.client.HTTPConnection]) -> list[http.client.HTTPResponse]:
        """Let the guest go on, and return the answers."""
        over = threading.Event()
        found: list[http.client.HTTPResponse] = []

        def ask() -> None:
            found.extend(connection.getresponse() for connection in connections)
            over.set()

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        while not over.is_set():
            self.settle()
            clock.wait(over, 0.02)
        thread.join()
        return found


class ParkedTest(WaitingTestCase):
    """Under the server of ``trove-api``."""

    def test_nobody_waits_in_a_thread(self) -> None:
        waiting = [self.begin("POST", self.path) for _ in range(4)]
        self.wait_for_operations(4)
        for _ in range(5):
            response = self.begin("GET", "/instances").getresponse()
            self.assertEqual(200, response.status)
        for response in self.answers(waiting):
            self.assertEqual(200, response.status)
            self.assertTrue(json.loads(response.read())["user"]["password"])
            requested = response.headers["x-openstack-request-id"]
            self.assertIn(requested, {row["request_id"] for row in self.submitted()})

    def test_beyond_its_places_a_project_is_refused_and_nothing_begins(self) -> None:
        waiting = [self.begin("POST", self.path) for _ in range(4)]
        self.wait_for_operations(4)
        response = self.begin("POST", self.path).getresponse()
        fault = json.loads(response.read())["overLimit"]
        self.assertEqual((429, 429), (response.status, fault["code"]))
        self.assertEqual("1", response.headers["Retry-After"])
        self.assertEqual(4, len(self.submitted()))
        self.assertEqual([200] * 4, [response.status for response in self.answers(waiting)])
        (response,) = self.answers([self.begin("POST", self.path)])
        self.assertEqual(200, response.status)

    def test_who_goes_gives_the_place_back(self) -> None:
        waiting = [self.begin("POST", self.path) for _ in range(4)]
        self.wait_for_operations(4)
        for connection in waiting:
            connection.close()
        give_up = clock.monotonic() + 60
        status = 429
        while status == 429 and clock.monotonic() < give_up:
            (response,) = self.answers([self.begin("POST", self.path)])
            status = response.status
        self.assertEqual(200, status)

    def test_a_refusal_after_the_wait(self) -> None:
        self.guests.failures["enable_root"] = ("root.policy", "The engine refuses this password.")
        waiting = self.begin("POST", self.path)
        self.wait_for_operations(1)
        (response,) = self.answers([waiting])
        fault = json.loads(response.read())["unprocessableEntity"]
        self.assertEqual((422, "The engine refuses this password."), (response.status, fault["message"]))

    def test_a_refused_request_gives_its_place_back(self) -> None:
        for _ in range(5):
            self.assertEqual(404, self.begin("POST", "/instances/unknown/root").getresponse().status)

    def test_stopping_does_not_take_the_answer_from_who_waits(self) -> None:
        waiting = self.begin("POST", self.path)
        self.wait_for_operations(1)
        self.served.stop()
        response = waiting.getresponse()
        self.assertEqual(200, response.status)
        self.assertTrue(json.loads(response.read())["user"]["password"])


class InThreadsTest(WaitingTestCase):
    """Under another server, where a request that waits occupies a thread."""

    def test_few_wait(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.api.waiting.SECONDS", 30.0))
        statuses: list[int] = []
        first = threading.Thread(target=lambda: statuses.append(self.call("POST", self.path).status_int), daemon=True)
        first.start()
        self.wait_for_operations(1)
        response = self.call("POST", self.path, status=429)
        self.assertEqual("1", response.headers["Retry-After"])
        self.assertEqual(1, len(self.submitted()))
        while first.is_alive():
            self.settle()
            first.join(0.02)
        self.assertEqual([200], statuses)
