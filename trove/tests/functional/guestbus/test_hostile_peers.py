# SPDX-License-Identifier: Apache-2.0
# covers: trove/conductor/slowed.py
"""Peers that are slow, send garbage, or report without end, and those who must not notice."""

import http.client
import socket
import threading
import tracemalloc
import types
from typing import Any

import fixtures
import msgspec
import sqlalchemy as sa

from trove.common import clock
from trove.db import models
from trove.guestbus.gateway_client import GatewayClient
from trove.guestbus.transport import PeerRefused, TransportError
from trove.httpserver.limits import Limits
from trove.objects import instance_listing, inventory
from trove.objects.scope import Scope
from trove.tests.functional.guestbus import case
from trove.tests.unit.conductor import world
from trove.wire import report


class SlowPeersTest(case.GatewayCase):
    """What hostile peers send does not keep the others waiting."""

    def setUp(self) -> None:
        super().setUp()
        self.conductor(guest_bus__gateway_threads=2)
        self.guest = self.world.enrolled()

    def connect(self) -> socket.socket:
        assert self.gateway is not None
        sock = socket.create_connection(("127.0.0.1", self.gateway.port), timeout=60)
        self.addCleanup(sock.close)
        return sock

    def beat(self, client: GatewayClient, seconds: float = 1.0) -> None:
        """Exchange a heartbeat, in time."""
        started = clock.monotonic()
        client.exchange(self.guest.session.seal_report(world.heartbeat()), 0)
        self.assertLess(clock.monotonic() - started, seconds)

    def test_slow_bodies_that_dial_again(self) -> None:
        head = (
            f"POST /v1/guests/{self.guest.id}/exchange HTTP/1.1\r\nHost: x\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: 500000\r\n\r\n"
        )
        client = self.client(self.guest)
        for _round in range(3):
            slow = [self.connect() for _ in range(40)]
            for sock in slow:
                sock.sendall(head.encode() + b"abc")
            self.beat(client, 5.0)
            for sock in slow:
                sock.close()
        self.beat(client, 5.0)

    def test_silent_connections(self) -> None:
        for _ in range(50):
            self.connect()
        self.beat(self.client(self.guest), 5.0)

    def test_flood_of_garbage(self) -> None:
        """What opens under no key costs the database next to nothing, and the log a few lines."""
        looks: list[int] = []
        load = self.world.db  # the memory of the gateway asks this one
        real = load.reader

        def counted() -> Any:
            looks.append(1)
            return real()

        self.useFixture(fixtures.MockPatchObject(load, "reader", counted))
        client = self.client(self.guest, timeout=60.0)
        self.beat(client, 5.0)
        stranger = self.world.guest()
        data = bytearray(self.guest.session.seal_report(world.heartbeat()))
        data[-1] ^= 1
        unknown = bytes(data).replace(self.guest.id.encode(), stranger.id.encode())
        before = len(looks)
        for _ in range(150):
            self.assertRaises(PeerRefused, client.exchange, bytes(data), 0)
            self.assertRaises(PeerRefused, self.client(stranger).exchange, unknown, 0)
        self.assertLess(len(looks) - before, 60)
        self.assertLess(self.logs.text().count("refused a message"), 120)
        self.beat(client, 5.0)

    def test_limits_of_the_server(self) -> None:
        assert self.gateway is not None
        for headers, expected in (
            ({"X": "y" * 50_000}, 431),
            ({"Content-Length": str(2**21)}, 413),
            ({"Content-Length": "x"}, 400),
            ({"Content-Length": "0"}, 400),
            ({"Transfer-Encoding": "chunked"}, 400),
        ):
            connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=30)
            self.addCleanup(connection.close)
            connection.request("POST", f"/v1/guests/{self.guest.id}/exchange", headers={
                "Content-Type": "application/octet-stream", **headers
            })  # fmt: skip
            self.assertEqual(expected, connection.getresponse().status, headers)
        self.client(self.guest).exchange(self.guest.session.seal_report(world.heartbeat()), 0)

    def test_held_poll_is_not_slow(self) -> None:
        started = clock.monotonic()
        self.assertEqual([], self.poll(self.guest, self.client(self.guest), 5.0))
        self.assertTrue(clock.monotonic() - started > 4.9)

    def test_idle_connections_outlive_those_of_clients(self) -> None:
        from trove.guestbus import gateway_client

        self.assertGreater(Limits().idle_seconds, gateway_client.IDLE_SECONDS)


#: Messages: name, beginning of the body, what is repeated, end. As plain types, a body takes 15 to 30 times its size.
_BLOWN_UP = (
    ("inventory", '{"report_id":"r","root_enabled":false,"users":[],"databases":[', '{"name":"a","x":{}}', "]}"),
    ("inventory", '{"report_id":"r","root_enabled":false,"users":[],"databases":[],"x":[', '{"a":{}}', "]}"),
    ("command_result", '{"report_id":"r","command_id":"c","state":"DONE","result":{"x":[', '{"a":{}}', "]}}"),
    ("poll", '{"report_id":"r","wait":20,"heartbeat":{"x":[', '{"a":{}}', "]}}"),
    ("heartbeat", '{"report_id":"r","x":[', "[[]]", "]}"),
)


class MemoryTest(case.GatewayCase):
    def test_messages_of_many_small_objects(self) -> None:
        self.conductor()
        guest = self.world.enrolled()
        client = self.client(guest)
        client.exchange(guest.session.seal_report(world.heartbeat()), 0)
        for name, beginning, repeated, end in _BLOWN_UP:
            body = f"{beginning}{','.join([repeated] * (1_000_000 // (len(repeated) + 1)))}{end}".encode()
            message: Any = types.SimpleNamespace(name=name, version=1, to_wire=lambda body=body: msgspec.Raw(body))
            data = guest.session.seal_report(message)
            del body, message
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            self.assertEqual(1, len(client.exchange(data, 0)))
            _now, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            # Some copies of it are needed to receive and to open it.
            self.assertLess(peak, 12 * len(data), (name, repeated))


class BudgetTest(case.GatewayCase):
    """One guest cannot occupy the database."""

    def inventory(self, prefix: str, count: int = 10_000) -> report.Inventory:
        databases = [report.InventoryDatabase(name=f"{prefix}{number:05}") for number in range(count)]
        return report.Inventory(report_id=prefix, databases=databases, users=[], root_enabled=False)

    def test_alternating_inventories(self) -> None:
        """Others write within a second meanwhile, and what the guest said comes true as far as its budget goes."""
        self.conductor()
        hostile, honest = self.world.enrolled(), self.world.enrolled()
        stop = threading.Event()

        def flood() -> int:
            client, sent = self.client(hostile, timeout=60.0), 0
            while not stop.is_set():
                try:
                    client.exchange(hostile.session.seal_report(self.inventory("ab"[sent % 2])), 0)
                except TransportError:
                    clock.sleep(0.1)
                sent += 1
            return sent

        flooding = self.in_thread(flood)
        longest, until = 0.0, clock.monotonic() + 8.0
        while clock.monotonic() < until:
            started = clock.monotonic()
            with self.world.db.writer() as session:
                session.execute(
                    sa.update(models.Instance).where(models.Instance.id == honest.id).values(name=f"n{started}")
                )
            longest = max(longest, clock.monotonic() - started)
            clock.sleep(0.02)
        stop.set()
        self.assertGreater(flooding.get(timeout=60), 5)
        self.assertLess(longest, 1.0)

    def test_guest_beyond_its_budget_is_slowed_alone_and_shown(self) -> None:
        conductor = self.conductor(
            guest_bus__guest_message_rate=1.0, oslo_messaging_notifications__driver=["messagingv2"]
        )
        hostile, honest = self.world.enrolled(), self.world.enrolled()
        client = self.client(hostile)
        for _ in range(10):
            client.exchange(hostile.session.seal_report(world.heartbeat()), 0)
        error = self.assertRaises(TransportError, self.flood, hostile, client)
        self.assertTrue(1 <= (error.retry_after or 0) <= 30)
        for _ in range(5):
            self.client(honest).exchange(honest.session.seal_report(world.heartbeat()), 0)
        conductor._slowed.look()
        self.assertIn(f"The guest of instance {hostile.id} reports more", self.logs.text())
        self.assertNotIn(f"The guest of instance {honest.id}", self.logs.text())
        with self.world.db.reader() as session:
            rows = {i: instance_listing.get_row(session, Scope.ALL, i) for i in (hostile.id, honest.id)}
            (told,) = session.execute(sa.select(models.Notification.event_type, models.Notification.payload)).all()
        self.assertEqual([True, False], [rows[g.id].guest_slowed_at is not None for g in (hostile, honest)])
        self.assertEqual(("dbaas.guest.slowed", hostile.id), (told[0], told[1]["instance_id"]))

    def flood(self, guest: world.Guest, client: GatewayClient) -> None:
        for _ in range(100):
            client.exchange(guest.session.seal_report(world.heartbeat()), 0)

    def test_inventory_beyond_the_budget_comes_true_later(self) -> None:
        """It is not acknowledged until the whole of it is stored; the agent sends it again until then."""
        self.conductor(guest_bus__guest_rows_per_minute=6000)
        guest = self.world.enrolled()
        client = self.client(guest)
        message = self.inventory("d", 6200)
        self.assertEqual([], client.exchange(guest.session.seal_report(message), 0))
        client.exchange(guest.session.seal_report(world.heartbeat()), 0)

        def acknowledged() -> bool:
            clock.sleep(1.0)
            return bool(client.exchange(guest.session.seal_report(message), 0))

        self.wait_for(acknowledged)
        with self.world.db.reader() as session:
            self.assertEqual(6200, len(inventory.list_databases(session, guest.id, limit=9000)))
