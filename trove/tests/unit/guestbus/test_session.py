# SPDX-License-Identifier: Apache-2.0
"""The guest's side of the conversation, against a control plane played by hand."""

import os
import pathlib
from typing import Any

from trove.common import ids
from trove.guestbus import envelope, keys
from trove.guestbus.envelope import EnvelopeError, Header
from trove.guestbus.key_store import FileKeyStore
from trove.guestbus.session import GuestSession, NotEnrolled, Phase
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock
from trove.wire import base as wire
from trove.wire import bootstrap, command, report

INSTANCE = "7f1a2b3c-0000-4000-8000-000000000001"
NOW = 1_800_000_000_000


class Control:
    """The other side, without a database."""

    def __init__(self, one_time: bytes) -> None:
        self.one_time = one_time
        self.master = b""

    def answer_enrol(self, data: bytes) -> bytes:
        _header, body = envelope.open_envelope(data, self.one_time, instance_id=INSTANCE, direction=keys.TO_CONTROL)
        mine, guest = keys.ExchangeKey(), bytes.fromhex(body["public_key"])
        self.master = mine.agree(
            guest, one_time_key=self.one_time, guest=guest, control=mine.public, instance_id=INSTANCE
        )
        reply = command.Enrolled(public_key=guest.hex(), peer_public_key=mine.public.hex(), generation=1)
        return self.say(reply, generation=0)

    def say(self, message: wire.Message, **changes: Any) -> bytes:
        fields: dict[str, Any] = {
            "instance_id": INSTANCE, "direction": keys.TO_GUEST, "boot": 0, "sequence": 0, "message_id": ids.new_id(),
            "name": message.name, "version": message.version, "sent_at": NOW, "not_after": NOW + 60_000,
            "generation": 1,
        }  # fmt: skip
        header = Header(**{**fields, **changes})
        return envelope.seal(header, message.to_wire(), self.master if header.generation else self.one_time)

    def hear(self, data: bytes) -> Header:
        return envelope.open_envelope(data, self.master, instance_id=INSTANCE, direction=keys.TO_CONTROL)[0]


ACK = command.Acknowledge(report_ids=["r"])


class SessionTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path: pathlib.Path = self.tempdir() / "keys"
        self.control = Control(os.urandom(32))
        self.session = self.start()

    def start(self, one_time: bytes | None = None) -> GuestSession:
        key = self.control.one_time if one_time is None else one_time
        document = bootstrap.Bootstrap(
            instance_id=INSTANCE, datastore_manager="postgresql", datastore_version="17", transport="gateway",
            endpoint="http://127.0.0.1:1", one_time_key=key.hex() or None, data_dir="d", state_dir="s",
        )  # fmt: skip
        return GuestSession(document, FileKeyStore(self.path))

    def enrol(self) -> None:
        self.session.open_from_control(self.control.answer_enrol(self.session.seal_enrol("1", "1")))

    def hear(self, message: wire.Message = ACK, **changes: Any) -> wire.Message:
        fields = {"not_after": NOW + 200_000, **changes}
        return self.session.open_from_control(self.control.say(message, **fields))

    def test_the_control_planes_time(self) -> None:
        hands = self.useFixture(ManualClock())
        self.enrol()
        self.assertEqual(NOW, self.session.control_time())
        hands.advance(5)
        self.assertEqual(NOW + 5000, self.session.control_time())
        self.hear(sent_at=NOW + 1000)  # it was on its way for long
        self.assertEqual(NOW + 5000, self.session.control_time())
        self.hear(sent_at=NOW + 90_000)
        hands.advance(1)
        self.assertEqual(NOW + 91_000, self.session.control_time())
        self.session = self.start()
        self.assertIsNone(self.session.control_time(), "how long the process was away is not known")
        self.hear(sent_at=NOW + 95_000)
        self.assertEqual(NOW + 95_000, self.session.control_time())

    def test_a_machine_that_has_slept_must_hear_first(self) -> None:
        hands = self.useFixture(ManualClock())
        self.enrol()
        hands.advance(5, asleep=True)
        self.assertIsNone(self.session.control_time())
        self.hear(sent_at=NOW + 1000)  # it was on its way for long; what has passed since is known at least
        self.assertEqual(NOW + 5000, self.session.control_time())
        hands.advance(5)
        self.assertEqual(NOW + 10_000, self.session.control_time())

    def test_a_machine_that_was_paused_must_hear_first(self) -> None:
        """No clock of its own has counted it; its time of day is set right afterwards."""
        hands = self.useFixture(ManualClock())
        self.enrol()
        hands.advance(5)
        for days in (3, -3):
            hands.set_time_of_day(days * 86400.0)
            self.assertIsNone(self.session.control_time())
            self.hear(sent_at=NOW + 90_000)
            self.assertEqual(NOW + 90_000, self.session.control_time())
        hands.set_time_of_day(10.0)  # such a correction is usual
        self.assertEqual(NOW + 90_000, self.session.control_time())

    def test_a_long_conversation_does_not_add_up_corrections(self) -> None:
        hands = self.useFixture(ManualClock())
        self.enrol()
        for minute in range(1, 20):
            hands.advance(60)
            hands.set_time_of_day(5.0)
            self.hear(sent_at=NOW + minute * 60_000 - 10_000, not_after=NOW + 10**9)
            self.assertEqual(NOW + minute * 60_000, self.session.control_time())

    def test_a_command_that_says_until_when_is_heard_afterwards_too(self) -> None:
        self.enrol()
        self.hear(sent_at=NOW + 90_000, not_after=NOW + 100_000)
        fields: dict[str, Any] = {"id": "c", "command": "restart", "command_version": 1, "args": {}}
        late = {"sent_at": NOW + 91_000, "not_after": NOW + 80_000}
        frame = command.CommandFrame(**fields, deadline=NOW + 80_000)
        self.assertEqual(frame, self.hear(frame, **late))
        # To a guest of before, which has no deadlines, it is a message that has expired.
        self.assertRaises(EnvelopeError, self.hear, command.CommandFrame(**fields), **late)

    def poll(self) -> bytes:
        return self.session.seal_report(report.Poll(report_id=ids.new_id(), wait=1))

    def test_phases(self) -> None:
        self.assertIs(Phase.ENROL, self.session.phase)
        self.assertRaises(NotEnrolled, self.poll)
        self.enrol()
        self.assertIs(Phase.CONFIRM, self.session.phase)
        self.control.hear(self.poll())
        self.assertEqual(ACK, self.session.open_from_control(self.control.say(ACK)))
        self.assertIs(Phase.ENROLLED, self.session.phase)
        self.assertRaises(NotEnrolled, self.session.seal_enrol, "1", "1")

    def test_enrolled_guest_needs_no_one_time_key(self) -> None:
        self.enrol()
        self.session.open_from_control(self.control.say(ACK))
        self.session = self.start(b"")
        self.assertIs(Phase.ENROLLED, self.session.phase)
        self.assertEqual(2, self.control.hear(self.poll()).boot)

    def test_enrolled_guest_ignores_a_one_time_key(self) -> None:
        """Whoever finds an old bootstrap document cannot take the guest over with it."""
        self.enrol()
        self.session.open_from_control(self.control.say(ACK))
        self.session = self.start()
        self.assertRaises(NotEnrolled, self.session.seal_enrol, "1", "1")
        refusal = command.Refused(symbol="a", remedy="b")
        self.assertRaises(EnvelopeError, self.session.open_from_control, self.control.say(refusal, generation=0))

    def test_without_any_key(self) -> None:
        session = self.start(b"")
        self.assertRaises(NotEnrolled, session.seal_enrol, "1", "1")

    def test_restart_while_confirming(self) -> None:
        """The key is on disk before it is used, and the one-time key still works."""
        self.enrol()
        self.session = self.start()
        self.assertIs(Phase.CONFIRM, self.session.phase)
        self.control.hear(self.poll())
        self.enrol()
        self.control.hear(self.poll())

    def test_answer_to_an_earlier_enrolment(self) -> None:
        late = self.control.answer_enrol(self.session.seal_enrol("1", "1"))
        request = self.session.seal_enrol("1", "1")
        self.assertRaises(EnvelopeError, self.session.open_from_control, late)
        self.assertIs(Phase.ENROL, self.session.phase)
        self.session.open_from_control(self.control.answer_enrol(request))
        self.control.hear(self.poll())

    def test_doubled_answer(self) -> None:
        answer = self.control.answer_enrol(self.session.seal_enrol("1", "1"))
        self.session.open_from_control(answer)
        self.assertRaises(EnvelopeError, self.session.open_from_control, answer)
        self.control.hear(self.poll())

    def test_no_command_under_the_one_time_key(self) -> None:
        frame = command.CommandFrame(id="c", command="restart", command_version=1, args={})
        for message in (frame, ACK):
            data = self.control.say(message, generation=0)
            self.assertRaises(EnvelopeError, self.session.open_from_control, data)
        self.enrol()
        self.assertRaises(EnvelopeError, self.session.open_from_control, self.control.say(frame, generation=0))
        self.assertIs(Phase.CONFIRM, self.session.phase)

    def test_refusal_while_enrolling(self) -> None:
        refusal = command.Refused(symbol="guest.protocol", remedy="upgrade")
        self.assertEqual(refusal, self.session.open_from_control(self.control.say(refusal, generation=0)))
        self.assertIs(Phase.ENROL, self.session.phase)

    def test_useless_public_key_leaves_everything_as_it_was(self) -> None:
        body = envelope.open_envelope(
            self.session.seal_enrol("1", "1"), self.control.one_time, instance_id=INSTANCE, direction=keys.TO_CONTROL
        )[1]
        bad = command.Enrolled(public_key=body["public_key"], peer_public_key="00" * 32, generation=1)
        for changed in (bad, command.Enrolled(public_key=bad.public_key, peer_public_key="09" * 32, generation=0)):
            data = self.control.say(changed, generation=0)
            self.assertRaises(EnvelopeError, self.session.open_from_control, data)
        self.assertIs(Phase.ENROL, self.session.phase)

    def test_other_instance_other_direction_other_generation(self) -> None:
        self.enrol()
        for changes in ({"instance_id": INSTANCE[:-1] + "2"}, {"direction": keys.TO_CONTROL}, {"generation": 2}):
            data = self.control.say(ACK, **changes)
            self.assertRaises(EnvelopeError, self.session.open_from_control, data)
        own = self.poll()
        self.assertRaises(EnvelopeError, self.session.open_from_control, own)

    def test_unknown_or_malformed_message(self) -> None:
        self.enrol()
        for name, version in (("execute", 1), ("command", 2), ("command", 1)):
            data = self.control.say(ACK, name=name, version=version)
            self.assertRaises(EnvelopeError, self.session.open_from_control, data)

    def test_old_messages_are_refused_by_the_control_planes_time(self) -> None:
        self.enrol()
        self.session.open_from_control(self.control.say(ACK, sent_at=NOW + 500_000, not_after=NOW + 600_000))
        self.assertRaises(EnvelopeError, self.session.open_from_control, self.control.say(ACK))
        # another conductor's clock may be behind, within the lifetime
        self.session.open_from_control(self.control.say(ACK, sent_at=NOW, not_after=NOW + 500_000))
        # and the memory survives a restart
        self.session = self.start()
        self.assertRaises(EnvelopeError, self.session.open_from_control, self.control.say(ACK))

    def test_unauthenticated_time_is_not_believed(self) -> None:
        self.enrol()
        data = self.control.say(ACK, sent_at=2**60, not_after=2**61)
        self.assertRaises(EnvelopeError, self.session.open_from_control, data[:-1] + bytes([data[-1] ^ 1]))
        self.session.open_from_control(self.control.say(ACK))

    def test_sequences_and_boots(self) -> None:
        self.enrol()
        first, second = self.control.hear(self.poll()), self.control.hear(self.poll())
        self.assertEqual((1, first.sequence + 1), (second.boot, second.sequence))
        self.session.new_boot()
        again = self.control.hear(self.poll())
        self.assertEqual((2, 1), (again.boot, again.sequence))
        self.assertEqual(2, FileKeyStore(self.path).load().boot)

    def test_disk_full_is_not_an_enrolment(self) -> None:
        answer = self.control.answer_enrol(self.session.seal_enrol("1", "1"))
        self.path.with_name("keys.new").mkdir()
        self.assertRaises(OSError, self.session.open_from_control, answer)
        self.assertIs(Phase.ENROL, self.session.phase)
        self.path.with_name("keys.new").rmdir()
        self.session.open_from_control(answer)
        self.control.hear(self.poll())

    def test_repr_holds_no_key(self) -> None:
        self.assertEqual(f"<GuestSession {INSTANCE} enrol>", repr(self.session))
