# SPDX-License-Identifier: Apache-2.0
# covers: trove/conductor/exchange.py
# covers: trove/guestbus/endpoint.py
# covers: trove/guestbus/gateway_client.py
"""Guests and a real gateway over real sockets, with and without TLS."""

import os
import pathlib
import socket
import threading

import fixtures

from trove.common import clock
from trove.conductor import exchange
from trove.guestbus import gateway_client
from trove.guestbus.gateway_client import GatewayClient
from trove.guestbus.transport import PeerRefused, TransportError
from trove.objects import heartbeat
from trove.tests.fixtures.certificates import Authority
from trove.tests.functional.guestbus import case
from trove.tests.unit.conductor import world
from trove.wire import command, report


class ConversationTest(case.GatewayCase):
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


class ClientTest(case.GatewayCase):
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

    def test_connection_that_was_idle_for_long_is_closed_when_another_is_used(self) -> None:
        self.conductor()
        guest = self.world.enrolled()
        client = self.client(guest)
        waiting = self.in_thread(self.poll, guest, client, 20)
        self.wait_for(self.held)
        client.exchange(guest.session.seal_report(world.heartbeat()), 0)
        (reporting, since) = client._idle[0]
        client._idle[0] = (reporting, since - gateway_client.IDLE_SECONDS)
        command_id = self.world.submit(guest.id, command.Restart())
        assert self.gateway is not None
        self.gateway.deliver(guest.id)
        self.assertEqual([command_id], [frame.id for frame in waiting.get(timeout=18)])
        self.poll(guest, client, 0.01)
        self.assertIsNone(reporting.sock)
        self.assertEqual(1, len(client._idle))

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


class LocalSocketTest(case.GatewayCase):
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


class TLSTest(case.GatewayCase):
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


class SecondAddressTest(case.GatewayCase):
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
