# SPDX-License-Identifier: Apache-2.0
"""Rotation of a guest's key: both real halves, with every message lost and either side restarted at every point."""

import itertools

from trove.conductor import renewal
from trove.conductor.sealing import Refused
from trove.guestbus import envelope, keys
from trove.guestbus.session import NotEnrolled
from trove.objects import guest_command
from trove.tests import base
from trove.tests.unit.conductor import world
from trove.wire import command


class RenewalTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())
        self.guest = self.world.enrolled()

    def begin(self) -> str | None:
        with self.world.db.writer() as session:
            return renewal.begin(session, self.guest.id, self.world.db.now(session), 600)

    def fetch(self) -> list[command.RotateKeys]:
        """Let the guest take what waits for it."""
        frames = self.guest.hear(self.world.outbox.envelopes_for(self.guest.id))
        return [command.RotateKeys(**frame.args) for frame in frames if isinstance(frame, command.CommandFrame)]

    def tell(self, command_id: str, answer: dict[str, str]) -> list[bytes]:
        return self.world.intake.receive(self.guest.session.seal_report(world.result(command_id, result=answer)))

    def hello(self) -> list[bytes]:
        return self.world.intake.receive(self.guest.session.seal_report(world.hello()))

    def generation(self) -> int:
        """Return the generation that the guest seals under."""
        return envelope.peek(self.guest.session.seal_report(world.poll())).generation

    def rotate(self) -> None:
        command_id = self.begin()
        assert command_id is not None
        (order,) = self.fetch()
        self.guest.hear(self.tell(command_id, self.guest.session.renew(order)))
        self.guest.hear(self.hello())

    def test_both_sides_go_over_and_erase_the_old_key(self) -> None:
        before = self.world.identity(self.guest.id)
        for generation in (2, 3, 4):
            self.rotate()
            after = self.world.identity(self.guest.id)
            self.assertEqual((generation, generation), (after.generation, self.generation()))
            self.assertEqual({"master"}, set(after.keys))
            self.assertNotEqual(before.keys["master"], after.keys["master"])
            self.assertIsNotNone(after.keys_changed_at)
            self.assertNotIn(before.keys["master"], self.guest._path.read_text())
            before = after

    def test_the_old_key_counts_until_the_new_one_was_used(self) -> None:
        old = self.guest.session.seal_report(world.hello())
        command_id = self.begin()
        assert command_id is not None
        (order,) = self.fetch()
        replies = self.tell(command_id, self.guest.session.renew(order))
        self.assertEqual({2}, {envelope.peek(item).generation for item in replies})
        self.assertEqual({"master", "next"}, set(self.world.identity(self.guest.id).keys))
        self.assertEqual(1, self.generation())
        self.assertEqual({2}, {envelope.peek(item).generation for item in self.hello()})
        self.guest.hear(self.hello())
        self.assertEqual(2, self.generation())
        self.hello()
        late = self.guest.session.seal_report(world.hello())
        self.assertEqual(2, envelope.peek(late).generation)
        self.assertRaises(Refused, self.world.intake.receive, old)

    def test_heartbeats_and_polls_go_on_under_either_key(self) -> None:
        command_id = self.begin()
        assert command_id is not None
        (order,) = self.fetch()
        self.world.intake.receive(self.guest.session.seal_report(world.heartbeat()))
        replies = self.tell(command_id, self.guest.session.renew(order))
        self.world.intake.receive(self.guest.session.seal_report(world.heartbeat()))
        self.guest.hear(replies)
        received = self.world.intake.take(self.guest.session.seal_report(world.heartbeat()))
        self.world.batcher.flush()
        self.assertEqual(self.guest.id, received.instance_id)
        self.assertEqual(2, self.generation())
        position = self.world.identity(self.guest.id)
        self.assertEqual((2, {"master"}), (position.generation, set(position.keys)), "a heartbeat was enough")
        self.world.intake.receive(self.guest.session.seal_report(world.heartbeat()))
        self.world.batcher.flush()
        self.assertLess(position.sequence, self.world.identity(self.guest.id).sequence)

    def test_whatever_is_lost_and_whoever_restarts_they_still_understand_one_another(self) -> None:
        for lost in itertools.product((False, True), repeat=5):
            with self.subTest(lost=lost):
                frame_lost, result_lost, answer_lost, restart_before, restart_after = lost
                command_id = self.begin()
                assert command_id is not None
                sent = self.world.outbox.envelopes_for(self.guest.id)
                if frame_lost:
                    self.world.make_due(command_id)
                    sent = self.world.outbox.envelopes_for(self.guest.id)
                (frame,) = self.guest.hear(sent)
                assert isinstance(frame, command.CommandFrame)
                order = command.RotateKeys(**frame.args)
                answer = self.guest.session.renew(order)
                if restart_before:  # saved, and not journalled: the command is carried out again
                    self.guest.restart()
                    self.hello()
                    self.assertEqual(answer, self.guest.session.renew(order))
                if result_lost:
                    self.guest.session.seal_report(world.result(command_id, result=answer))
                    self.guest.hear(self.hello())
                replies = self.tell(command_id, answer)
                self.world.intake = self.world.make_intake()  # another conductor takes over
                if answer_lost:
                    replies = self.tell(command_id, answer)
                if restart_after:
                    self.guest.restart()
                    replies = self.hello()
                self.guest.hear(replies)
                self.guest.hear(self.hello())
                self.guest.restart()
                self.guest.hear(self.hello())
                self.assertEqual(self.world.identity(self.guest.id).generation, self.generation())
                self.assertEqual({"master"}, set(self.world.identity(self.guest.id).keys))

    def test_an_exchange_that_was_given_up_is_begun_anew_and_its_late_answer_changes_nothing(self) -> None:
        first = self.begin()
        assert first is not None
        (order,) = self.fetch()
        late = self.guest.session.renew(order)
        second = self.begin()
        assert second is not None
        self.tell(first, late)
        self.assertEqual({"master", "exchange"}, set(self.world.identity(self.guest.id).keys))
        (order,) = self.fetch()
        self.guest.hear(self.tell(second, self.guest.session.renew(order)))
        self.guest.hear(self.hello())
        self.assertEqual(2, self.generation())

    def test_answers_that_are_no_keys_change_nothing(self) -> None:
        for answer in ({}, {"public_key": "x", "peer_public_key": "y"}, {"public_key": "00" * 32}, None):
            command_id = self.begin()
            assert command_id is not None
            (order,) = self.fetch()
            if answer is not None and "public_key" in answer:
                answer = {"peer_public_key": order.public_key, **answer}
            self.tell(command_id, answer)  # type: ignore[arg-type]
            self.assertNotIn("next", self.world.identity(self.guest.id).keys)
            self.assertEqual(guest_command.DONE, self.world.command(command_id).state)
        self.rotate()

    def test_the_next_key_does_not_follow_from_the_old_one_and_what_was_sent(self) -> None:
        master = bytes.fromhex(self.world.identity(self.guest.id).keys["master"])
        command_id = self.begin()
        assert command_id is not None
        (order,) = self.fetch()
        answer = self.guest.session.renew(order)
        self.tell(command_id, answer)
        fresh = self.world.identity(self.guest.id).keys["next"]
        # Who reads along has both public halves and the old key, and an exchange key of his own.
        reader = keys.ExchangeKey()
        for peer in (order.public_key, answer["public_key"]):
            guess = reader.agree(
                bytes.fromhex(peer), one_time_key=master, guest=bytes.fromhex(answer["public_key"]),
                control=bytes.fromhex(order.public_key), instance_id=self.guest.id, generation=2,
            )  # fmt: skip
            self.assertNotEqual(fresh, guess.hex())

    def test_who_cannot_rotate_is_told_why(self) -> None:
        fresh = self.world.guest()
        with self.world.db.writer() as session:
            now = self.world.db.now(session)
            self.assertRaisesRegex(renewal.NotReady, "no keys of its own", renewal.begin, session, fresh.id, now, 60)
        self.world.intake.receive(self.guest.session.seal_report(world.hello(commands={"restart": [1]})))
        self.assertRaisesRegex(renewal.NotReady, "too old", self.begin)

    def test_the_guest_refuses_another_generation_than_the_next(self) -> None:
        for generation in (3, 99):
            order = command.RotateKeys(public_key=keys.ExchangeKey().public.hex(), generation=generation)
            self.assertRaises(NotEnrolled, self.guest.session.renew, order)
        order = command.RotateKeys(public_key="00" * 32, generation=2)
        self.assertRaises(keys.KeyAgreementError, self.guest.session.renew, order)
        self.assertEqual(1, self.generation())

    def test_a_key_that_is_to_be_used_is_not_replaced(self) -> None:
        command_id = self.begin()
        assert command_id is not None
        (order,) = self.fetch()
        self.tell(command_id, self.guest.session.renew(order))
        self.assertIsNone(self.begin())
