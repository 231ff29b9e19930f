# SPDX-License-Identifier: Apache-2.0
# covers: trove/conductor/service.py
# covers: trove/guestbus/messaging_casts.py
# covers: trove/guestbus/messaging_control.py
# covers: trove/guestbus/messaging_guest.py
"""Guests and conductors over a real RabbitMQ."""

import base64
import contextlib
import re
from collections.abc import Callable
from typing import Any

import oslo_messaging

from trove.common import clock
from trove.conductor.service import Conductor, GuestBusMisconfigured
from trove.guestbus import messaging_casts, topics
from trove.guestbus.messaging_guest import MessagingGuest
from trove.guestbus.session import Phase
from trove.guestbus.transport import TransportError
from trove.tests import base
from trove.tests.fixtures.rabbitmq import RabbitFixture
from trove.tests.unit.conductor import world
from trove.wire import base as wire
from trove.wire import command


class MessagingCase(base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())
        self.broker = self.useFixture(RabbitFixture())
        self.conductors = 0

    def conductor(self, **options: Any) -> Conductor:
        self.conductors += 1
        values = {
            "guest_bus__transport": "messaging", "guest_bus__transport_url": self.broker.url,
            "guest_bus__gateway_threads": 4, "guest_bus__command_resend_interval": 1.0, **options,
        }  # fmt: skip
        conductor = Conductor(
            self.new_conf(**values), self.world.db, self.world.store, self.world.woken.append,
            server=f"test-{self.conductors}",
        )  # fmt: skip
        conductor.start()
        self.addCleanup(conductor.stop)
        return conductor

    def guest(self) -> world.Guest:
        return self.world.guest(transport="messaging", endpoint=self.broker.url)

    def connect(self, guest: world.Guest, url: str | None = None) -> MessagingGuest:
        transport = MessagingGuest(url or guest.document.endpoint, guest.id)
        self.addCleanup(transport.close)
        return transport

    def hear(self, guest: world.Guest, transport: MessagingGuest, kind: type[wire.Message], wait: float = 60) -> Any:
        """Listen until a message of ``kind`` has come."""
        until = clock.monotonic() + wait
        while clock.monotonic() < until:
            for message in guest.hear(transport.exchange(None, 0.5)):
                if isinstance(message, kind):
                    return message
        raise AssertionError(f"no {kind.name} has come")

    def enrol(self, guest: world.Guest, transport: MessagingGuest) -> None:
        transport.exchange(guest.session.seal_enrol("1", "1"), 0)
        self.hear(guest, transport, command.Enrolled)
        transport.exchange(guest.session.seal_report(world.hello()), 0)
        self.hear(guest, transport, command.Acknowledge)
        self.assertIs(Phase.ENROLLED, guest.session.phase)

    def wait_for(self, condition: Callable[[], Any]) -> None:
        until = clock.monotonic() + 60
        while not condition():
            self.assertTrue(clock.monotonic() < until, "it did not happen in time")
            clock.sleep(0.02)


class ConversationTest(MessagingCase):
    def test_from_enrolment_to_result(self) -> None:
        conductor = self.conductor(guest_bus__command_resend_interval=60.0)
        guest = self.guest()
        transport = self.connect(guest)
        self.enrol(guest, transport)
        workflow_id = self.world.workflow(guest.id)
        commands = [self.world.submit(guest.id, command.Restart(), workflow_id=workflow_id) for _ in range(3)]
        conductor.deliver(guest.id)
        got: list[wire.Message] = []
        self.wait_for(lambda: got.extend(guest.hear(transport.exchange(None, 0.5))) or len(got) >= 3)
        self.assertEqual(commands, [frame.id for frame in got])
        transport.exchange(guest.session.seal_report(message := world.result(commands[0])), 0)
        self.assertEqual([message.report_id], self.hear(guest, transport, command.Acknowledge).report_ids)
        self.assertEqual([workflow_id], self.world.woken)

    def test_lost_hint_and_lost_command(self) -> None:
        """Without a hint, and with the first sending lost, the command arrives all the same."""
        self.conductor()
        guest = self.guest()
        transport = self.connect(guest)
        self.enrol(guest, transport)
        command_id = self.world.submit(guest.id, command.Restart())
        lost = transport.exchange(None, 10)
        self.assertEqual(1, len(lost))
        self.assertEqual(command_id, self.hear(guest, transport, command.CommandFrame).id)

    def test_lost_answer_and_doubled_message(self) -> None:
        self.conductor()
        guest = self.guest()
        transport = self.connect(guest)
        self.enrol(guest, transport)
        workflow_id = self.world.workflow(guest.id)
        command_id = self.world.submit(guest.id, command.Restart(), workflow_id=workflow_id)
        message = world.result(command_id)
        data = guest.session.seal_report(message)
        transport.exchange(data, 0)
        self.wait_for(lambda: self.world.command(command_id).state == "DONE")
        transport.exchange(data, 0)  # the broker doubles it
        self.wait_for(lambda: "seen before" in self.logs.text())
        transport.exchange(guest.session.seal_report(message), 0)  # the guest never got an answer
        self.hear(guest, transport, command.Acknowledge)
        self.assertEqual([workflow_id], self.world.woken)

    def test_two_conductors(self) -> None:
        conductors = [self.conductor(guest_bus__command_resend_interval=60.0) for _ in range(2)]
        guest = self.guest()
        transport = self.connect(guest)
        self.enrol(guest, transport)
        command_id = self.world.submit(guest.id, command.Restart())
        for conductor in conductors:  # the hint goes to all of them
            conductor.deliver(guest.id)
        self.assertEqual(command_id, self.hear(guest, transport, command.CommandFrame).id)
        self.assertEqual([], transport.exchange(None, 1.5))

    def test_gateway_and_messaging_side_by_side(self) -> None:
        conductor = self.conductor(
            guest_bus__transport="gateway", guest_bus__gateway_bind_port=0, guest_bus__command_resend_interval=60.0
        )
        other = self.world.enrolled()
        other_command = self.world.submit(other.id, command.Restart())
        guest = self.guest()
        transport = self.connect(guest)
        self.enrol(guest, transport)
        conductor.deliver(other.id)
        self.assertEqual([other_command], [m.id for m in other.hear(conductor.outbox.envelopes_for(other.id))])


class HostileTest(MessagingCase):
    def test_garbage(self) -> None:
        """Nothing that arrives makes the listener answer or stop."""
        self.conductor()
        guest = self.guest()
        transport = self.connect(guest)
        target = oslo_messaging.Target(exchange=topics.EXCHANGE, topic=topics.REPORTS)
        client = oslo_messaging.get_rpc_client(transport._transport, target)
        for method, arguments in (
            ("carry", {}), ("carry", {"envelope": 5}), ("carry", {"envelope": "%%"}), ("carry", {"envelope":
            "aGVsbG8="}), ("carry", {"envelope": "A" * 2_000_000}), ("execute", {"command": "rm"}), ("dispatch", {}),
        ):  # fmt: skip
            client.cast({}, method, **arguments)
        self.enrol(guest, transport)

    def test_no_answer_to_who_asks_for_one(self) -> None:
        """oslo.messaging would write its answer into any queue that the message names."""
        self.conductor()
        guest = self.guest()
        transport = self.connect(guest)
        target = oslo_messaging.Target(exchange=topics.EXCHANGE, topic=topics.REPORTS)
        client = oslo_messaging.get_rpc_client(transport._transport, target, timeout=3)
        data = base64.b64encode(guest.session.seal_enrol("1", "1")).decode()
        self.assertRaises(oslo_messaging.MessagingTimeout, client.call, {}, topics.METHOD, envelope=data)
        self.hear(guest, transport, command.Enrolled)

    def test_account_of_one_guest(self) -> None:
        """With the permissions that topics.py names a guest can talk, and can neither read nor write another's
        queue."""
        conductor = self.conductor()
        guest, victim = self.guest(), self.guest()
        victim_transport = self.connect(victim)
        own = topics.permissions(guest.id)
        user, password = self.broker.add_user(
            self.broker.vhost, configure=own.configure, write=own.write, read=own.read
        )
        for exchange, write, read in own.topics:
            self.broker.manage("PUT", f"/topic-permissions/{self.broker.vhost}/{user}", {
                "exchange": exchange, "write": write, "read": read
            })  # fmt: skip
        url = self.broker.url_for(user, password)
        transport = self.connect(guest, url)
        self.enrol(guest, transport)
        command_id = self.world.submit(guest.id, command.Restart())
        conductor.deliver(guest.id)
        self.assertEqual(command_id, self.hear(guest, transport, command.CommandFrame).id)

        self.assertRaises(TransportError, self.connect, victim, url)
        sender = messaging_casts.CastSender(transport._transport)
        with contextlib.suppress(messaging_casts.CastError):  # refused at once, or else dropped by the broker
            sender.send(topics.guest_topic(victim.id), [b"x"])
        self.assertEqual([], victim_transport.exchange(None, 2))
        for name in (topics.REPORTS, topics.guest_topic(guest.id[:-1]), f"x{topics.guest_topic(guest.id)}"):
            self.assertIsNone(re.match(own.read, name))


class StartTest(base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())

    def make(self, **options: Any) -> Conductor:
        conf = self.new_conf(**options)
        oslo_messaging.set_transport_defaults("trove")
        oslo_messaging.get_rpc_transport(conf, url="fake://")  # registers the control bus's own options
        conf.set_override("transport_url", "rabbit://trove:secret@127.0.0.1:5672/control")
        return Conductor(conf, self.world.db, self.world.store, print, server="s")

    def test_guests_need_a_virtual_host_of_their_own(self) -> None:
        for url in ("rabbit://trove:secret@127.0.0.1:5672/control", "rabbit://guest:x@127.0.0.1/control"):
            error = self.assertRaises(GuestBusMisconfigured, self.make, guest_bus__transport_url=url)
            self.assertNotIn("secret", str(error))
        self.make(guest_bus__transport_url="rabbit://trove:secret@127.0.0.1:5672/guests").stop()

    def test_messaging_needs_a_url(self) -> None:
        self.assertRaises(GuestBusMisconfigured, self.make, guest_bus__transport="messaging")

    def test_a_broker_that_is_away_is_one_error_without_its_password(self) -> None:
        url = "rabbit://trove:hunter2@127.0.0.1:1/guests"
        sender = messaging_casts.CastSender(messaging_casts.open_transport(self.new_conf(), url), retries=0)
        error = self.assertRaises(messaging_casts.CastError, sender.send, "t", [b"x"])
        self.assertNotIn("hunter2", str(error))
