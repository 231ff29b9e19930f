# SPDX-License-Identifier: Apache-2.0
"""What tests with guests and a real gateway start from."""

import queue
import threading
from collections.abc import Callable
from typing import Any

from trove.common import clock
from trove.conductor.service import Conductor
from trove.guestbus.gateway_client import GatewayClient
from trove.guestbus.session import Phase
from trove.tests import base
from trove.tests.unit.conductor import world
from trove.wire import base as wire


class GatewayCase(base.FunctionalTestCase):
    timeout = 120

    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())
        self.ca: str | None = None

    def conductor(self, **options: Any) -> Conductor:
        values = {"guest_bus__gateway_bind_port": 0, "guest_bus__gateway_threads": 8, **options}
        conductor = Conductor(
            self.new_conf(**values), self.world.db, self.world.store, self.world.woken.append, server="test"
        )
        conductor.start()
        self.addCleanup(conductor.stop)
        self.gateway = conductor.gateway
        assert self.gateway is not None
        return conductor

    def client(self, guest: world.Guest, **options: Any) -> GatewayClient:
        assert self.gateway is not None
        client = GatewayClient(self.gateway.url, guest.id, **{"ca": self.ca, "timeout": 30.0, **options})
        self.addCleanup(client.close)
        return client

    def enrol(self, guest: world.Guest, client: GatewayClient) -> None:
        guest.hear(client.exchange(guest.session.seal_enrol("1", "1"), 0))
        guest.hear(client.exchange(guest.session.seal_report(world.hello()), 0))
        self.assertIs(Phase.ENROLLED, guest.session.phase)

    def poll(self, guest: world.Guest, client: GatewayClient, wait: float = 0) -> list[wire.Message]:
        return guest.hear(client.exchange(guest.session.seal_report(world.poll(wait)), wait))

    def in_thread(self, function: Callable[..., Any], *arguments: Any) -> "queue.Queue[Any]":
        """Run ``function`` aside; its result or exception arrives in the queue."""
        results: queue.Queue[Any] = queue.Queue()

        def run() -> None:
            try:
                results.put(function(*arguments))
            except Exception as err:  # boundary: the test looks at it
                results.put(err)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 30)
        return results

    def wait_for(self, condition: Callable[[], Any]) -> None:
        until = clock.monotonic() + 60
        while not condition():
            self.assertTrue(clock.monotonic() < until, "it did not happen in time")
            clock.sleep(0.02)

    def held(self) -> int:
        assert self.gateway is not None
        return self.gateway.held
