# SPDX-License-Identifier: Apache-2.0
"""Commands on their way: order, repetition, deadlines, guests that are too old."""

import datetime
from unittest import mock

import fixtures
import sqlalchemy as sa

from trove.common import clock, ids
from trove.conductor import outbox
from trove.conductor.outbox import Superseded
from trove.db import models
from trove.domain import operations
from trove.guestbus import envelope
from trove.guestbus.session import Phase
from trove.objects import guest_command, guest_identity, heartbeat
from trove.tests import base
from trove.tests.unit.conductor import world
from trove.wire import base as wire
from trove.wire import command, report


class OutboxCase(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())
        self.guest = self.world.enrolled()

    def fetch(self, limit: int = 32) -> list[str]:
        messages = self.guest.hear(self.world.outbox.envelopes_for(self.guest.id, limit))
        return [message.id for message in messages if isinstance(message, command.CommandFrame)]

    def submit(self, message: command.Command | None = None, **options: float) -> str:
        return self.world.submit(self.guest.id, message or command.Restart(), **options)

    def say(self, *messages: report.Report) -> None:
        """Have the guest report."""
        for message in messages:
            self.guest.hear(self.world.intake.receive(self.guest.session.seal_report(message)))
        self.world.batcher.flush()

    def enrol(self, guest: world.Guest, commands: dict[str, list[int]]) -> list[str]:
        received = self.world.intake.take(guest.session.seal_enrol("1", "1", commands))
        guest.hear(received.replies)
        found = self.world.outbox.envelopes_for(guest.id, boot=received.boot, enrolled=received.enrolled)
        return [frame.id for frame in guest.hear(found)]


class OutboxTest(OutboxCase):
    def test_frame(self) -> None:
        workflow_id = self.world.workflow(self.guest.id)
        message = command.AlterUser(user=command.UserKey(name="u"), new_password="hunter2")
        command_id = self.world.submit(self.guest.id, message, workflow_id=workflow_id)
        (data,) = self.world.outbox.envelopes_for(self.guest.id)
        (frame,) = self.guest.hear([data])
        assert isinstance(frame, command.CommandFrame)
        self.assertEqual((command_id, "alter_user", 1), (frame.id, frame.command, frame.command_version))
        self.assertEqual((workflow_id, message.to_wire()), (frame.workflow_id, frame.args))
        header, row = envelope.peek(data), self.world.command(command_id)
        self.assertEqual((row.sequence, 0, 1), (header.sequence, header.boot, header.generation))
        self.assertGreater(header.not_after - header.sent_at, 590_000)
        self.assertNotIn(b"hunter2", data)

    def test_order_and_no_repetition_before_its_time(self) -> None:
        commands = [self.submit() for _ in range(3)]
        self.assertEqual(commands, self.fetch())
        self.assertEqual([], self.fetch())

    def test_unaccepted_ones_are_sent_again_and_not_overtaken(self) -> None:
        first = self.submit()
        self.assertEqual([first], self.fetch())
        second = self.submit()
        self.assertEqual([first, second], self.fetch())
        self.world.make_due(second)
        self.assertEqual([first, second], self.fetch())
        self.guest.hear(self.world.intake.receive(self.guest.session.seal_report(world.result(first, "ACCEPTED"))))
        self.world.make_due(second)
        self.assertEqual([second], self.fetch())

    def test_new_agent_gets_at_once_what_the_old_one_took(self) -> None:
        taken, accepted = self.submit(), self.submit()
        self.assertEqual([taken, accepted], self.fetch())
        self.guest.hear(self.world.intake.receive(self.guest.session.seal_report(world.result(accepted, "ACCEPTED"))))
        other = self.world.enrolled()
        theirs = self.world.submit(other.id, command.Restart())
        self.assertEqual(1, len(self.world.outbox.envelopes_for(other.id)))
        self.guest.restart()
        self.guest.hear(self.world.intake.receive(self.guest.session.seal_report(world.hello())))
        self.assertEqual([taken], self.fetch())
        self.assertEqual([], self.fetch())
        self.assertEqual([], self.world.outbox.envelopes_for(other.id), theirs)

    def test_nothing_for_an_agent_that_was_followed(self) -> None:
        command_id = self.submit()
        boot = self.guest.session.boot
        self.guest.restart()
        self.guest.hear(self.world.intake.receive(self.guest.session.seal_report(world.hello())))
        self.assertRaises(Superseded, self.world.outbox.envelopes_for, self.guest.id, boot=boot)
        # The look before the lock may have been too early; the one under it decides.
        self.assertRaises(Superseded, self.world.outbox._send, self.guest.id, 32, boot, ["ENROLLED"])
        self.assertEqual([command_id], self.fetch())

    def test_limit(self) -> None:
        commands = [self.submit() for _ in range(5)]
        self.assertEqual(commands[:2], self.fetch(2))

    def test_large_commands_are_spread(self) -> None:
        databases = [command.DatabaseSpec(name="d" * 250) for _ in range(1000)]
        commands = [self.submit(command.CreateDatabases(databases=databases)) for _ in range(20)]
        got = self.fetch()
        self.assertEqual(commands[: len(got)], got)
        self.assertTrue(1 < len(got) < 20)

    def test_only_its_own(self) -> None:
        other = self.world.enrolled()
        self.world.submit(other.id, command.Restart())
        self.assertEqual([], self.fetch())

    def test_not_before_enrolment(self) -> None:
        guest = self.world.guest()
        self.world.submit(guest.id, command.Restart())
        self.assertEqual([], self.world.outbox.envelopes_for(guest.id))
        guest.hear(self.world.intake.receive(guest.session.seal_enrol("1", "1")))
        self.assertEqual([], self.world.outbox.envelopes_for(guest.id))
        guest.hear(self.world.intake.receive(guest.session.seal_report(world.hello())))
        self.assertEqual(1, len(guest.hear(self.world.outbox.envelopes_for(guest.id))))

    def test_with_the_key(self) -> None:
        """What waits for a new guest goes with the answer that gives it the key, once."""
        guest = self.world.guest()
        commands = [self.world.submit(guest.id, command.Restart()) for _ in range(2)]
        self.assertEqual(commands, self.enrol(guest, {"restart": [1]}))
        self.assertIs(Phase.ENROLLED, guest.session.phase)
        self.assertEqual(guest_identity.EXCHANGING, self.world.identity(guest.id).state)
        guest.hear(self.world.intake.receive(guest.session.seal_report(world.hello())))
        self.assertEqual(guest_identity.ENROLLED, self.world.identity(guest.id).state)
        self.assertEqual([], self.world.outbox.envelopes_for(guest.id))

    def test_with_the_key_only_to_who_says_what_it_can_do(self) -> None:
        guest = self.world.guest()
        command_id = self.world.submit(guest.id, command.Restart())
        self.assertEqual([], self.enrol(guest, {}))
        self.assertIs(Phase.CONFIRM, guest.session.phase)
        guest.hear(self.world.intake.receive(guest.session.seal_report(world.hello())))
        found = self.world.outbox.envelopes_for(guest.id)
        self.assertEqual([command_id], [frame.id for frame in guest.hear(found)])

    def test_an_answer_to_an_enrolment_that_was_lost(self) -> None:
        """The guest enrols again, and gets under its new key what was sent under the one before."""
        guest = self.world.guest()
        command_id = self.world.submit(guest.id, command.Restart())
        lost = self.world.intake.take(guest.session.seal_enrol("1", "1", {"restart": [1]}))
        stale = self.world.outbox.envelopes_for(guest.id, boot=lost.boot, enrolled=True)
        self.assertEqual(1, len(stale))
        guest.restart()
        self.assertEqual([command_id], self.enrol(guest, {"restart": [1]}))
        self.assertRaises(envelope.EnvelopeError, guest.hear, stale)

    def test_a_restart_after_the_key(self) -> None:
        """The next agent asks at once for what the one before may not have kept."""
        guest = self.world.guest()
        command_id = self.world.submit(guest.id, command.Restart())
        self.assertEqual([command_id], self.enrol(guest, {"restart": [1]}))
        guest.restart()
        guest.hear(self.world.intake.receive(guest.session.seal_report(world.hello())))
        self.assertEqual([command_id], [frame.id for frame in guest.hear(self.world.outbox.envelopes_for(guest.id))])

    def test_unknown_instance(self) -> None:
        self.assertEqual([], self.world.outbox.envelopes_for(ids.new_id()))

    def test_command_that_fits_no_envelope(self) -> None:
        users = [command.UserSpec(name="u" * 250, password="p" * 1000) for _ in range(1000)]
        command_id = self.submit(command.CreateUsers(users=users))
        self.assertEqual([], self.fetch())
        self.assertEqual("command.too_large", self.world.command(command_id).error_symbol)

    def test_due_by_transport(self) -> None:
        other = self.world.enrolled(transport="messaging")
        waiting = self.world.guest(transport="messaging")
        for guest in (self.guest, other, waiting):
            self.world.submit(guest.id, command.Restart())
        self.assertEqual([other.id], self.world.outbox.due("messaging", 10))
        self.assertEqual([self.guest.id], self.world.outbox.due("gateway", 10))
        self.assertEqual("messaging", self.world.outbox.transport_of(other.id))
        self.assertIsNone(self.world.outbox.transport_of(ids.new_id()))


class SupportTest(OutboxCase):
    """A guest gets what it states that it understands."""

    def test_agent_too_old(self) -> None:
        self.guest.hear(self.world.intake.receive(self.guest.session.seal_report(world.hello(commands={"stop": [1]}))))
        workflow_id = self.world.workflow(self.guest.id)
        unknown = self.world.submit(self.guest.id, command.Restart(), workflow_id=workflow_id)
        known = self.submit(command.StopEngine())
        self.assertEqual([known], self.fetch())
        row = self.world.command(unknown)
        self.assertEqual(("FAILED", "guest.too_old", None), (row.state, row.error_symbol, row.args))
        payload = self.world.signals(workflow_id)[operations.command_signal(unknown)]
        self.assertEqual(("FAILED", "guest.too_old"), (payload["state"], payload["error_symbol"]))
        self.assertIn("too old", payload["error_message"])
        self.assertEqual([workflow_id], self.world.woken)

    def test_the_term_goes_along(self) -> None:
        self.world.submit(self.guest.id, command.Restart(), term=7)
        self.submit()
        frames = self.guest.hear(self.world.outbox.envelopes_for(self.guest.id))
        self.assertEqual(
            [(self.guest.id, 7), (None, 0)],
            [(frame.set_id, frame.term) for frame in frames if isinstance(frame, command.CommandFrame)],
        )

    def test_agent_that_would_not_heed_the_term(self) -> None:
        self.say(world.hello(protocol_max=wire.TERMS_PROTOCOL - 1))
        refused, plain = self.world.submit(self.guest.id, command.Restart(), term=7), self.submit()
        self.assertEqual([plain], self.fetch())
        self.assertEqual("guest.too_old", self.world.command(refused).error_symbol)

    def test_a_term_goes_along_with_the_key(self) -> None:
        guest = self.world.guest()
        command_id = self.world.submit(guest.id, command.Restart(), term=1)
        self.assertEqual([command_id], self.enrol(guest, {"restart": [1]}))

    def test_agent_of_another_protocol(self) -> None:
        self.say(world.hello(protocol_min=7, protocol_max=9))
        refused = self.submit()
        self.assertEqual([], self.fetch())
        self.assertEqual("guest.too_old", self.world.command(refused).error_symbol)

    def test_what_a_later_release_sends_is_sent_to_who_has_stated_it(self) -> None:
        """An agent that has said hello to an older conductor need not say it again."""
        self.say(world.hello(commands={"dance": [1]}))
        dance = type("Dance", (command.Command,), {"name": "dance"}, frozen=True, kw_only=True)
        self.assertEqual([self.submit(dance())], self.fetch())


class ExpiryTest(OutboxCase):
    def test_expiry(self) -> None:
        workflow_id = self.world.workflow(self.guest.id)
        late = self.world.submit(self.guest.id, command.Restart(), deadline=-1, workflow_id=workflow_id)
        good = self.submit()
        self.assertEqual((1, 0), (self.world.outbox.expire(), self.world.outbox.expire()))
        self.assertEqual([good], self.fetch())
        self.assertEqual("EXPIRED", self.world.command(late).state)
        payload = self.world.signals(workflow_id)[operations.command_signal(late)]
        self.assertEqual(("EXPIRED", "command.expired"), (payload["state"], payload["error_symbol"]))
        self.assertEqual([workflow_id], self.world.woken)

    def past(self) -> None:
        """Let every deadline pass, and the conductor know who is silent."""
        self.listen_since(world.SILENCE + 1)
        table = models.GuestCommand.__table__
        with self.world.db.writer() as session:
            session.execute(sa.update(table).values(deadline=table.c.created_at))

    def test_what_was_sent_to_a_silent_guest_is_not_called_expired(self) -> None:
        workflow_id = self.world.workflow(self.guest.id)
        secret = command.EnableRoot(password="hunter2")
        accepted = self.world.submit(self.guest.id, secret, workflow_id=workflow_id)
        taken, waits = self.submit(), self.submit()
        self.assertEqual([accepted, taken], self.fetch(2))
        self.say(world.result(accepted, "ACCEPTED"))
        self.past()
        self.assertEqual(3, self.world.outbox.expire())
        self.assertEqual(
            [("UNKNOWN", None), ("UNKNOWN", None), ("EXPIRED", None)],
            [(row.state, row.args) for row in map(self.world.command, (accepted, taken, waits))],
        )
        # A signal would stand in the way of the one that says more.
        self.assertEqual(({}, []), (self.world.signals(workflow_id), self.world.woken))

    def test_a_guest_that_is_heard_is_waited_for(self) -> None:
        first, second = self.submit(), self.submit()
        self.assertEqual([first], self.fetch(1))
        self.say(world.heartbeat(), world.result(first, "ACCEPTED"))
        self.past()
        self.assertEqual(0, self.world.outbox.expire())
        self.assertEqual([second], self.fetch())

    def test_a_guest_that_is_back_is_asked(self) -> None:
        """The question has no arguments and the deadline that has passed; the answer corrects the record."""
        workflow_id = self.world.workflow(self.guest.id)
        made = self.world.submit(self.guest.id, command.EnableRoot(password="hunter2"), workflow_id=workflow_id)
        self.assertEqual([made], self.fetch())
        self.past()
        self.world.outbox.expire()
        self.assertEqual([], self.fetch())
        self.guest.restart()
        self.say(world.hello())
        (frame,) = self.guest.hear(self.world.outbox.envelopes_for(self.guest.id))
        assert isinstance(frame, command.CommandFrame) and frame.deadline is not None
        now = self.guest.session.control_time()
        self.assertEqual((made, {}, True), (frame.id, frame.args, frame.deadline < (now or 0)))
        self.assertEqual([], self.fetch(), "not again at once")
        self.say(world.result(made, "DONE"))
        self.assertEqual("DONE", self.world.command(made).state)
        self.assertEqual("DONE", self.world.signals(workflow_id)[operations.command_signal(made)]["state"])

    def test_the_deadline_counts_from_the_sending(self) -> None:
        self.submit(deadline=60)
        (frame,) = self.guest.hear(self.world.outbox.envelopes_for(self.guest.id))
        assert isinstance(frame, command.CommandFrame) and frame.deadline is not None
        now = self.guest.session.control_time() or 0
        self.assertEqual(60_000, frame.allowance)
        self.assertTrue(now + 50_000 < frame.deadline <= now + 60_000, (now, frame.deadline))

    def test_a_silent_guest_is_not_waited_for(self) -> None:
        """Not for as long as a restart may take, when everybody knows that nobody carries it out."""
        workflow_id = self.world.workflow(self.guest.id)
        waits = self.world.submit(self.guest.id, command.Restart(), workflow_id=workflow_id)
        self.report(age=world.SILENCE + 1)
        self.assertEqual(0, self.world.outbox.expire())  # the conductor has not listened for so long itself
        self.listen_since(world.SILENCE + 1)
        self.assertEqual(0, self.world.outbox.expire())  # nor has the command waited
        self.age(waits, world.SILENCE + 1)
        self.report(age=world.SILENCE - 5)
        self.assertEqual(0, self.world.outbox.expire())
        self.report(age=world.SILENCE + 1)
        self.assertEqual(1, self.world.outbox.expire())
        payload = self.world.signals(workflow_id)[operations.command_signal(waits)]
        self.assertEqual(("EXPIRED", "command.expired"), (payload["state"], payload["error_symbol"]))
        self.assertIn("could not be reached", payload["error_message"])
        self.assertEqual([], self.fetch())

    def test_a_guest_that_has_never_reported_is_waited_for(self) -> None:
        waits = self.submit()
        self.age(waits, world.SILENCE + 1)
        self.listen_since(world.SILENCE + 1)
        self.assertEqual(0, self.world.outbox.expire())

    def test_nobody_is_silent_while_there_was_no_database(self) -> None:
        waits = self.submit()
        self.age(waits, world.SILENCE + 1)
        self.report(age=world.SILENCE + 1)
        self.listen_since(world.SILENCE + 1)
        with mock.patch.object(self.world.db, "reader", autospec=True, side_effect=OSError("away")):
            self.assertRaises(OSError, self.world.outbox.expire)
        self.assertEqual(0, self.world.outbox.expire())

    def test_many_late_instances_are_looked_at_in_turn(self) -> None:
        self.useFixture(fixtures.MockPatchObject(outbox, "LATE_INSTANCES", 2))
        guests = [self.world.enrolled() for _ in range(4)]
        self.world.submit(guests[0].id, command.Restart(), deadline=-1)
        late = [self.world.submit(guest.id, command.Restart(), deadline=-1) for guest in (self.guest, *guests[1:])]
        heard = guests[0]  # what it was sent it may still begin: it is looked at each time, and stops nobody
        heard.hear(self.world.outbox.envelopes_for(heard.id))
        heard.hear(self.world.intake.receive(heard.session.seal_report(world.heartbeat())))
        self.world.batcher.flush()
        counts = [self.world.outbox.expire() for _ in range(3)]
        self.assertEqual(4, sum(counts), counts)
        self.assertLessEqual(max(counts), 2)
        self.assertEqual({"EXPIRED"}, {self.world.command(item).state for item in late})

    def test_many_late_commands_are_given_up_some_at_a_time(self) -> None:
        self.useFixture(fixtures.MockPatchObject(outbox, "GIVEN_UP", 3))
        workflow_id = self.world.workflow(self.guest.id)
        late = [self.world.submit(self.guest.id, command.Restart(), deadline=-1, workflow_id=workflow_id)
                for _ in range(7)]  # fmt: skip
        with mock.patch.object(guest_command, "give_up", autospec=True, side_effect=guest_command.give_up) as give_up:
            self.assertEqual(7, self.world.outbox.expire())
        self.assertEqual(3, give_up.call_count)
        self.assertEqual(set(map(operations.command_signal, late)), set(self.world.signals(workflow_id)))
        self.assertEqual(0, self.world.outbox.expire())

    def report(self, *, age: float) -> None:
        """Have the guest's last report be so old."""
        with self.world.db.writer() as session:
            moment = self.world.db.now(session) - datetime.timedelta(seconds=age)
            session.execute(sa.update(models.Heartbeat).values(reported_at=None))
            heartbeat.record(session, [heartbeat.HeartbeatRecord(self.guest.id, "healthy", moment)])

    def age(self, command_id: str, seconds: float) -> None:
        """Have a command be submitted so long ago."""
        table = models.GuestCommand.__table__
        with self.world.db.writer() as session:
            moment = self.world.db.now(session) - datetime.timedelta(seconds=seconds)
            aged = {"created_at": moment, "send_at": moment}
            session.execute(sa.update(table).where(table.c.id == command_id).values(aged))

    def listen_since(self, seconds: float) -> None:
        self.world.outbox._listening_since = clock.monotonic() - seconds
