# SPDX-License-Identifier: Apache-2.0
"""Guests and a real gateway over real sockets, with and without TLS."""

import http.client
import os
import pathlib
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

import fixtures
import sqlalchemy as sa

from trove.common import clock
from trove.conductor import exchange
from trove.conductor.service import Conductor
from trove.guestbus.gateway_client import GatewayClient
from trove.guestbus.session import Phase
from trove.guestbus.transport import PeerRefused, TransportError
from trove.db import models
from trove.httpserver.limits import Limits
from trove.objects import heartbeat, instance_listing, inventory
from trove.objects.scope import Scope
from trove.tests import base
from trove.tests.fixtures.certificates import Authority
from trove.tests.unit.conductor import world
from trove.wire import base as wire
from trove.wire import command, report


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


class ConversationTest(GatewayCase):
    def test_from_enrolment_to_result(self) -> None:
        # Nothing but the hint wakes a poll: without it this one would end with nothing.
        self.useFixture(fixtures.MockPatchObject(exchange, "RECHECK", 60.0))
        conductor = self.conductor()
        guest = self.world.guest()
        client = self.client(guest)
        self.enrol(guest, client)
        client.exchange(guest.session.seal_report(world.heartbeat(volume_used_bytes=7)), 0)

        workflow_id = self.world.workflow(guest.id)
        waiting = self.in_thread(self.poll, guest, client, 20)
        self.wait_for(self.held)
        command_id = self.world.submit(guest.id, command.Restart(), workflow_id=workflow_id)
        conductor.deliver(guest.id)
        (frame,) = waiting.get(timeout=30)
        self.assertEqual(command_id, frame.id)

        for message in (world.result(command_id, "ACCEPTED"), world.result(command_id, result={"ok": True})):
            answers = guest.hear(client.exchange(guest.session.seal_report(message), 0))
            self.assertEqual([command.Acknowledge(report_ids=[message.report_id])], answers)
        self.assertEqual("DONE", self.world.command(command_id).state)
        self.assertEqual([workflow_id], self.world.woken)

        def reported() -> bool:
            with self.world.db.reader() as session:
                row = heartbeat.get(session, guest.id)
            return row is not None and row.volume_used_bytes == 7

        self.wait_for(reported)

    def test_lost_hint_costs_a_moment(self) -> None:
        self.conductor()
        guest = self.world.guest()
        client = self.client(guest)
        self.enrol(guest, client)
        waiting = self.in_thread(self.poll, guest, client, 20)
        self.wait_for(self.held)
        command_id = self.world.submit(guest.id, command.Restart())
        self.assertEqual([command_id], [frame.id for frame in waiting.get(timeout=18)])

    def test_lost_answer(self) -> None:
        """The guest's machine loses the answer: it sends the report again, and it takes effect once."""
        self.conductor()
        guest = self.world.guest()
        client = self.client(guest)
        self.enrol(guest, client)
        workflow_id = self.world.workflow(guest.id)
        command_id = self.world.submit(guest.id, command.Restart(), workflow_id=workflow_id)
        message = world.result(command_id)
        client.exchange(guest.session.seal_report(message), 0)  # the answer is dropped here
        answers = guest.hear(client.exchange(guest.session.seal_report(message), 0))
        self.assertEqual([command.Acknowledge(report_ids=[message.report_id])], answers)
        self.assertEqual([workflow_id], self.world.woken)

    def test_doubled_message(self) -> None:
        self.conductor()
        guest = self.world.guest()
        client = self.client(guest)
        self.enrol(guest, client)
        data = guest.session.seal_report(world.result("c"))
        client.exchange(data, 0)
        self.assertRaises(PeerRefused, client.exchange, data, 0)

    def test_lost_command(self) -> None:
        self.conductor(guest_bus__command_resend_interval=1.0)
        guest = self.world.guest()
        client = self.client(guest)
        self.enrol(guest, client)
        command_id = self.world.submit(guest.id, command.Restart())
        client.exchange(guest.session.seal_report(world.poll()), 0)  # what came is lost
        self.assertEqual([], self.poll(guest, client))
        self.assertEqual([command_id], [frame.id for frame in self.poll(guest, client, 10)])

    def test_expired_command(self) -> None:
        self.conductor()
        guest = self.world.enrolled()
        command_id = self.world.submit(guest.id, command.Restart(), deadline=0.2)
        self.wait_for(lambda: self.world.command(command_id).state == "EXPIRED")

    def test_many_guests_and_few_threads(self) -> None:
        """A held poll costs no thread: all are held, reports are answered meanwhile, and each guest gets its own."""
        self.useFixture(fixtures.MockPatchObject(exchange, "RECHECK", 600.0))
        conductor = self.conductor(guest_bus__gateway_threads=2, guest_bus__gateway_max_wait=60.0)
        guests = [self.world.enrolled() for _ in range(20)]
        clients = [self.client(guest) for guest in guests]
        waiting = [self.in_thread(self.poll, *pair, 60) for pair in zip(guests, clients, strict=True)]
        self.wait_for(lambda: self.held() == 20)
        for guest, client in zip(guests, clients, strict=True):
            client.exchange(guest.session.seal_report(world.heartbeat()), 0)
        chosen = self.world.submit(guests[7].id, command.Restart())
        conductor.deliver(guests[7].id)
        self.assertEqual([chosen], [frame.id for frame in waiting[7].get(timeout=30)])
        self.assertEqual(19, self.held())
        rest = [guest for guest in guests if guest is not guests[7]]
        commands = [self.world.submit(guest.id, command.Restart()) for guest in rest]
        for guest in rest:
            conductor.deliver(guest.id)
        del waiting[7]
        self.assertEqual(commands, [frame.id for results in waiting for frame in results.get(timeout=30)])

    def test_no_place_for_a_poll(self) -> None:
        """It is told to come back, and its reports are taken all the same."""
        self.conductor(guest_bus__gateway_max_guests=1)
        first, second = self.world.enrolled(), self.world.enrolled()
        self.in_thread(self.poll, first, self.client(first), 20)
        self.wait_for(self.held)
        client = self.client(second)
        error = self.assertRaises(TransportError, self.poll, second, client, 20)
        self.assertEqual(2.0, error.retry_after)
        client.exchange(second.session.seal_report(world.heartbeat()), 0)

    def test_lost_hints_cost_one_query_for_all(self) -> None:
        self.useFixture(fixtures.MockPatchObject(exchange, "RECHECK", 0.3))
        self.conductor()
        guests = [self.world.enrolled() for _ in range(5)]
        waiting = [self.in_thread(self.poll, guest, self.client(guest), 60) for guest in guests]
        self.wait_for(lambda: self.held() == 5)
        commands = [self.world.submit(guest.id, command.Restart()) for guest in guests]
        self.assertEqual(commands, [frame.id for results in waiting for frame in results.get(timeout=30)])

    def test_repeated_poll_takes_nothing_at_another_conductor(self) -> None:
        """That one remembers the guest as it was before the poll was taken, and holds it; what is recorded decides."""
        first = self.conductor()
        guest = self.world.enrolled()
        here = self.client(guest)
        here.exchange(guest.session.seal_report(world.heartbeat()), 0)
        self.conductor()
        there = self.client(guest)
        there.exchange(guest.session.seal_report(world.heartbeat()), 0)  # now both remember it
        data = guest.session.seal_report(world.poll())
        self.assertEqual([], here.exchange(data, 0))
        first._batcher.flush()
        command_id = self.world.submit(guest.id, command.Restart())
        self.assertRaises(PeerRefused, there.exchange, data, 0)
        self.assertEqual([command_id], [frame.id for frame in self.poll(guest, there)])

    def test_guest_that_dials_again_ends_its_old_poll(self) -> None:
        self.conductor()
        guest = self.world.enrolled()
        first, second = self.client(guest), self.client(guest)
        old = self.in_thread(self.poll, guest, first, 20)
        self.wait_for(self.held)
        new = self.in_thread(self.poll, guest, second, 20)
        self.assertEqual([], old.get(timeout=15))
        command_id = self.world.submit(guest.id, command.Restart())
        self.assertEqual([command_id], [frame.id for frame in new.get(timeout=18)])

    def test_change_of_the_service_is_known_at_once(self) -> None:
        conductor = self.conductor()
        conductor._batcher._interval = 3600.0
        guest = self.world.enrolled()
        client = self.client(guest)

        def status() -> str:
            with self.world.db.reader() as session:
                row = heartbeat.get(session, guest.id)
            return "" if row is None else row.service_status

        for word in ("building", "healthy", "blocked"):
            client.exchange(guest.session.seal_report(world.heartbeat(service_status=word)), 0)
            self.wait_for(lambda word=word: status() == word)

    def test_command_that_an_agent_took_before_it_died(self) -> None:
        """The next agent gets it with the answer to its hello, not when it would have been sent again."""
        self.conductor(guest_bus__command_resend_interval=60.0)
        guest = self.world.enrolled()
        dead, living = self.client(guest), self.client(guest)
        command_id = self.world.submit(guest.id, command.Restart())
        self.assertEqual([command_id], [frame.id for frame in self.poll(guest, dead)])
        guest.restart()
        acknowledged, frame = guest.hear(living.exchange(guest.session.seal_report(world.hello()), 0))
        self.assertIsInstance(acknowledged, command.Acknowledge)
        self.assertEqual(command_id, frame.id)
        self.assertEqual([], self.poll(guest, living))

    def test_poll_of_a_dead_agent_takes_nothing(self) -> None:
        """Its connection is open yet, as it is for a while after its machine has lost power."""
        conductor = self.conductor()
        guest = self.world.enrolled()
        old = self.in_thread(self.client(guest).exchange, guest.session.seal_report(world.poll(20)), 20)
        self.wait_for(self.held)
        guest.restart()
        client = self.client(guest)
        client.exchange(guest.session.seal_report(world.hello()), 0)
        self.assertEqual([], old.get(timeout=15))
        command_id = self.world.submit(guest.id, command.Restart())
        conductor.deliver(guest.id)
        self.assertEqual([command_id], [frame.id for frame in self.poll(guest, client, 20)])

    def test_dead_agent_polls_at_another_conductor(self) -> None:
        first = self.conductor()
        guest = self.world.enrolled()
        old = self.in_thread(self.client(guest).exchange, guest.session.seal_report(world.poll(20)), 20)
        self.wait_for(self.held)
        self.conductor()
        guest.restart()
        client = self.client(guest)
        client.exchange(guest.session.seal_report(world.hello()), 0)
        command_id = self.world.submit(guest.id, command.Restart())
        first.deliver(guest.id)
        self.assertEqual([], old.get(timeout=15))
        self.assertEqual([command_id], [frame.id for frame in self.poll(guest, client, 20)])

    def test_stopping_ends_held_polls(self) -> None:
        conductor = self.conductor()
        guest = self.world.enrolled()
        waiting = self.in_thread(self.poll, guest, self.client(guest), 20)
        self.wait_for(self.held)
        started = clock.monotonic()
        conductor.stop()
        self.assertEqual([], waiting.get(timeout=18))
        self.assertLess(clock.monotonic() - started, 18)
        self.assertRaises(TransportError, self.poll, guest, self.client(guest))


class ClientTest(GatewayCase):
    def test_connection_is_kept(self) -> None:
        self.conductor()
        guest = self.world.enrolled()
        client = self.client(guest)
        for _ in range(3):
            client.exchange(guest.session.seal_report(world.heartbeat()), 0)
        ((connection, _since),) = client._idle
        sock = connection.sock
        client.exchange(guest.session.seal_report(world.heartbeat()), 0)
        self.assertIs(sock, client._idle[0][0].sock)

    def test_gateway_that_restarts(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        conductor = self.conductor(guest_bus__gateway_bind_port=port)
        guest = self.world.enrolled()
        client = self.client(guest)
        client.exchange(guest.session.seal_report(world.heartbeat()), 0)
        conductor.stop()
        error = self.assertRaises(TransportError, client.exchange, guest.session.seal_report(world.heartbeat()), 0)
        self.assertIsNone(error.retry_after)
        self.conductor(guest_bus__gateway_bind_port=port)
        client.exchange(guest.session.seal_report(world.heartbeat()), 0)

    def test_close_ends_a_poll_in_another_thread(self) -> None:
        self.conductor()
        guest = self.world.enrolled()
        client = self.client(guest)
        waiting = self.in_thread(self.poll, guest, client, 20)
        self.wait_for(self.held)
        client.close()
        self.assertIsInstance(waiting.get(timeout=18), TransportError)
        self.assertRaises(TransportError, client.exchange, b"x", 0)

    def test_statuses(self) -> None:
        self.conductor()
        guest = self.world.enrolled()
        client = self.client(guest)
        error = self.assertRaises(TransportError, client.exchange, b"not an envelope", 0)
        self.assertNotIsInstance(error, PeerRefused)
        self.assertRaises(ValueError, client.exchange, None, 0)

    def test_endpoint(self) -> None:
        for endpoint in ("http://192.0.2.1:1", "ftp://127.0.0.1", "127.0.0.1:5", "http://example.org", "unix://"):
            self.assertRaises(ValueError, GatewayClient, endpoint, "i")

    def test_silent_server(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = GatewayClient(f"http://127.0.0.1:{listener.getsockname()[1]}", "i", timeout=0.3)
            self.assertRaises(TransportError, client.exchange, b"x", 0)


class LocalSocketTest(GatewayCase):
    """A gateway on a UNIX socket beside the one on loopback."""

    def setUp(self) -> None:
        super().setUp()
        # Longer than the 107 bytes that the system takes.
        self.path = self.tempdir() / ("d" * 120) / "socket"
        self.path.parent.mkdir()
        self.options = {"guest_bus__gateway_socket": str(self.path)}

    def local_client(self, guest: world.Guest) -> GatewayClient:
        client = GatewayClient(f"unix://{self.path}", guest.id, timeout=10.0)
        self.addCleanup(client.close)
        return client

    def test_enrol_poll_and_hint(self) -> None:
        conductor = self.conductor(**self.options)
        guest = self.world.guest()
        client = self.local_client(guest)
        self.enrol(guest, client)
        waiting = self.in_thread(self.poll, guest, client, 20)
        self.wait_for(self.held)
        command_id = self.world.submit(guest.id, command.Restart())
        conductor.deliver(guest.id)
        self.assertEqual([command_id], [frame.id for frame in waiting.get(timeout=10)])
        self.assertIs(conductor.gateway, self.gateway)
        other = self.world.guest()
        self.enrol(other, self.client(other))  # and the other address serves too

    def test_directory_says_who_may_connect(self) -> None:
        self.conductor(**self.options)
        self.assertEqual(0o666, self.path.stat().st_mode & 0o777)

    def test_socket_goes_with_its_gateway_and_one_that_was_left_is_replaced(self) -> None:
        with socket.socket(socket.AF_UNIX) as left:
            handle = os.open(self.path.parent, os.O_PATH)
            self.addCleanup(os.close, handle)
            left.bind(f"/proc/self/fd/{handle}/socket")
        conductor = self.conductor(**self.options)
        guest = self.world.guest()
        client = self.local_client(guest)
        self.enrol(guest, client)
        conductor.stop()
        self.assertFalse(self.path.exists())
        self.assertRaises(TransportError, self.poll, guest, client)
        self.conductor(**self.options)
        self.assertEqual([], self.poll(guest, client))

    def test_directory_that_is_not_there(self) -> None:
        before = {thread.name for thread in threading.enumerate()}
        self.assertRaises(FileNotFoundError, self.conductor, guest_bus__gateway_socket="/no/such/place/socket")
        self.wait_for(lambda: {thread.name for thread in threading.enumerate()} <= before)


class TLSTest(GatewayCase):
    def setUp(self) -> None:
        super().setUp()
        authority = Authority()
        cert_file, key_file = authority.issue(pathlib.Path(self.tempdir()))
        self.ca = authority.pem
        self.conductor(guest_bus__gateway_cert_file=cert_file, guest_bus__gateway_key_file=key_file)
        self.guest = self.world.guest()

    def test_enrol_and_poll(self) -> None:
        self.assertTrue(self.gateway.url.startswith("https://"))
        client = self.client(self.guest)
        self.enrol(self.guest, client)
        command_id = self.world.submit(self.guest.id, command.Restart())
        self.assertEqual([command_id], [frame.id for frame in self.poll(self.guest, client, 5)])

    def test_large_messages(self) -> None:
        client = self.client(self.guest)
        self.enrol(self.guest, client)
        databases = [report.InventoryDatabase(name=f"{n:0>100}") for n in range(5000)]
        message = report.Inventory(report_id="r", databases=databases, users=[], root_enabled=False)
        data = self.guest.session.seal_report(message)
        self.assertTrue(len(data) > 500_000)
        self.guest.hear(client.exchange(data, 0))
        specs = [command.DatabaseSpec(name=f"{n:0>200}") for n in range(1000)]
        for _ in range(5):
            self.world.submit(self.guest.id, command.CreateDatabases(databases=specs))
        self.assertEqual(5, len(self.poll(self.guest, client, 5)))

    def test_only_the_pinned_authority_is_trusted(self) -> None:
        client = self.client(self.guest, ca=Authority().pem)
        self.assertRaises(TransportError, client.exchange, self.guest.session.seal_enrol("1", "1"), 0)
        client = self.client(self.guest, ca=None)
        self.assertRaises(TransportError, client.exchange, self.guest.session.seal_enrol("1", "1"), 0)

    def test_plain_text_is_not_answered(self) -> None:
        client = GatewayClient(self.gateway.url.replace("https", "http"), self.guest.id, timeout=5)
        self.assertRaises(TransportError, client.exchange, self.guest.session.seal_enrol("1", "1"), 0)

    def test_silent_handshakes_do_not_stop_the_others(self) -> None:
        for _ in range(60):
            self.addCleanup(socket.create_connection(("127.0.0.1", self.gateway.port)).close)
        self.enrol(self.guest, self.client(self.guest))


class SlowPeersTest(GatewayCase):
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


class BudgetTest(GatewayCase):
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
        conductor = self.conductor(guest_bus__guest_message_rate=1.0)
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
        self.conductor(guest_bus__guest_rows_per_minute=1000)
        guest = self.world.enrolled()
        client = self.client(guest)
        message = self.inventory("d", 1400)
        self.assertEqual([], client.exchange(guest.session.seal_report(message), 0))
        client.exchange(guest.session.seal_report(world.heartbeat()), 0)

        def acknowledged() -> bool:
            clock.sleep(1.0)
            return bool(client.exchange(guest.session.seal_report(message), 0))

        self.wait_for(acknowledged)
        with self.world.db.reader() as session:
            self.assertEqual(1400, len(inventory.list_databases(session, guest.id, limit=2000)))


class SecondAddressTest(GatewayCase):
    def test_plain_on_loopback_and_tls_beside_it(self) -> None:
        authority = Authority()
        certificate, key = authority.issue(self.tempdir(), "127.0.0.2")
        self.conductor(
            guest_bus__gateway_tls_bind_host="127.0.0.2",
            guest_bus__gateway_cert_file=certificate,
            guest_bus__gateway_key_file=key,
        )
        self.assertTrue(self.gateway.url.startswith("http://127.0.0.1:"))
        plain, sealed = self.world.guest(), self.world.guest()
        self.enrol(plain, self.client(plain))
        client = GatewayClient(f"https://127.0.0.2:{self.gateway.port}", sealed.id, ca=authority.pem, timeout=30)
        self.addCleanup(client.close)
        self.enrol(sealed, client)
        waiting = self.in_thread(self.poll, sealed, client, 20)
        self.wait_for(lambda: self.held() == 1)
        self.world.submit(sealed.id, command.Restart())
        self.gateway.deliver(sealed.id)
        (received,) = waiting.get(timeout=30)
        self.assertIsInstance(received, command.CommandFrame)
        other = GatewayClient(f"https://127.0.0.2:{self.gateway.port}", sealed.id, ca=Authority().pem, timeout=30)
        self.addCleanup(other.close)
        self.assertRaises(TransportError, other.exchange, b"x", 0)
