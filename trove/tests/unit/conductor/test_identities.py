# SPDX-License-Identifier: Apache-2.0
"""What is remembered of guests may be out of date; nothing comes of that but an answer too kindly worded."""

import fixtures

from trove.common import ids
from trove.conductor import identities
from trove.conductor.heartbeats import HeartbeatBatcher, Outcome
from trove.conductor.intake import Intake
from trove.conductor.sealing import Refused
from trove.objects import heartbeat
from trove.objects.guest_identity import GuestIdentity
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock
from trove.tests.unit.conductor import world


class StaleCase(base.UnitTestCase):
    """Two conductors, of which :attr:`stale` remembers a guest as it was."""

    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())
        self.other = self.world.intake
        self.stale: Intake = self.world.make_intake(HeartbeatBatcher(self.world.db))
        self.guest = self.world.enrolled()
        self.stale.receive(self.guest.session.seal_report(world.heartbeat(service_status="building")))
        self.stale.batcher.flush()

    def status(self) -> str:
        with self.world.db.reader() as session:
            row = heartbeat.get(session, self.guest.id)
        return "" if row is None else row.service_status

    def outcome(self, data: bytes) -> Outcome:
        """What becomes of a poll that the stale memory lets pass."""
        item = self.stale.take(data).item
        assert item is not None
        self.assertIs(Outcome.WAITS, item.outcome)
        self.stale.batcher.flush()
        return item.outcome


class StaleMemoryTest(StaleCase):
    def test_no_query_for_what_is_remembered(self) -> None:
        def asked() -> None:
            raise AssertionError("the database was asked")

        self.useFixture(fixtures.MockPatchObject(self.world.db, "reader", asked))
        self.useFixture(fixtures.MockPatchObject(self.world.db, "writer", asked))
        for message in (world.heartbeat(), world.poll()):
            self.stale.receive(self.guest.session.seal_report(message))

    def test_removed(self) -> None:
        with self.world.db.writer() as session:
            GuestIdentity.remove(session, self.guest.id)
        self.assertEqual([], self.stale.receive(self.guest.session.seal_report(world.heartbeat())))
        self.stale.batcher.flush()
        self.assertEqual("building", self.status())
        self.assertIs(Outcome.REFUSED, self.outcome(self.guest.session.seal_report(world.poll())))
        self.assertRaises(Refused, self.stale.receive, self.guest.session.seal_report(world.hello()))

    def test_enrolled_again(self) -> None:
        """The former guest's heartbeats and polls count for nothing; the new one's are understood at once."""
        renewed = self.world.guest(self.guest.id)
        renewed.hear(self.other.receive(renewed.session.seal_enrol("1", "1")))
        renewed.hear(self.other.receive(renewed.session.seal_report(world.hello())))
        self.stale.receive(self.guest.session.seal_report(world.heartbeat(service_status="failed")))
        self.stale.batcher.flush()
        self.assertEqual("building", self.status())
        self.assertIs(Outcome.REFUSED, self.outcome(self.guest.session.seal_report(world.poll())))
        self.stale.receive(renewed.session.seal_report(world.heartbeat(service_status="healthy")))
        self.stale.batcher.flush()
        self.assertEqual("healthy", self.status())
        self.assertRaises(Refused, self.stale.receive, self.guest.session.seal_report(world.heartbeat()))

    def test_superseded_boot(self) -> None:
        heart = self.guest.session.seal_report(world.heartbeat(service_status="failed"))
        poll = self.guest.session.seal_report(world.poll())
        self.guest.restart()
        self.other.receive(self.guest.session.seal_report(world.hello()))
        self.stale.receive(heart)
        self.assertIs(Outcome.REFUSED, self.outcome(poll))
        self.assertEqual("building", self.status())
        self.stale.receive(self.guest.session.seal_report(world.heartbeat(service_status="healthy")))
        self.stale.batcher.flush()
        self.assertEqual("healthy", self.status(), "the new boot is looked up")

    def test_replay_across_two_conductors(self) -> None:
        for message in (world.heartbeat(service_status="crashed"), world.poll()):
            data = self.guest.session.seal_report(message)
            self.other.receive(data)
            self.other.batcher.flush()
            self.other.receive(self.guest.session.seal_report(world.heartbeat(service_status="healthy")))
            self.other.batcher.flush()
            item = self.stale.take(data).item
            assert item is not None
            self.stale.batcher.flush()
            self.assertIs(Outcome.REFUSED, item.outcome)
            self.assertEqual("healthy", self.status())
            self.assertRaises(Refused, self.stale.receive, data)
        self.assertRaises(Refused, self.other.receive, data)

    def test_effect_is_decided_by_the_row(self) -> None:
        data = self.guest.session.seal_report(world.result("c"))
        self.other.receive(data)
        self.assertRaises(Refused, self.stale.receive, data)

    def test_position_survives_reading_again(self) -> None:
        """What waits for its batch is not in the row yet, and must not pass once more."""
        data = self.guest.session.seal_report(world.poll())
        self.stale.receive(data)
        self.stale.identities.expire(self.guest.id)
        self.assertRaises(Refused, self.stale.receive, data)


class LooksTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(ManualClock())
        self.world = self.useFixture(world.World())
        self.guest = self.world.enrolled()
        self.looks = 0
        real = self.world.intake.identities.load

        def counted(instance_ids: list[str]) -> dict[str, identities.Known]:
            self.looks += 1
            return real(instance_ids)

        self.world.intake.identities.load = counted  # type: ignore[method-assign]

    def test_garbage_in_the_name_of_a_guest(self) -> None:
        data = bytearray(self.guest.session.seal_report(world.heartbeat()))
        data[-1] ^= 1
        for _ in range(50):
            self.assertRaises(Refused, self.world.intake.receive, bytes(data))
        self.assertLess(self.looks, 6)
        self.clock.advance(1.0)
        self.assertRaises(Refused, self.world.intake.receive, bytes(data))
        self.assertLess(self.looks, 7)
        self.world.intake.receive(self.guest.session.seal_report(world.heartbeat()))

    def test_garbage_in_the_name_of_nobody(self) -> None:
        data = self.guest.session.seal_report(world.heartbeat()).replace(self.guest.id.encode(), ids.new_id().encode())
        for _ in range(50):
            self.assertRaises(Refused, self.world.intake.receive, data)
        self.assertLess(self.looks, 6)

    def test_few_lines_in_the_log(self) -> None:
        for _ in range(500):
            self.assertRaises(Refused, self.world.intake.receive, b"garbage")
        self.assertEqual(50, self.logs.text().count("refused a message"))
        self.clock.advance(1.0)
        self.assertRaises(Refused, self.world.intake.receive, b"garbage")
        self.assertIn("refused 450 more messages", self.logs.text())

    def test_memory_is_bounded(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.conductor.identities._MAX_GUESTS", 4))
        memory = self.world.intake.identities
        memory.load([str(number) for number in range(10)])
        self.assertEqual(4, len(memory._guests))

    def test_names_that_somebody_has_made_up_displace_no_guest(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.conductor.identities._MAX_GUESTS", 4))
        memory = self.world.intake.identities
        memory.load([self.guest.id])
        for number in range(10):
            memory.load([str(number)])
            memory.recall(str(number))
        self.assertIsNotNone(memory.recall(self.guest.id))
        self.assertEqual(4, len(memory._guests))

    def test_nothing_is_remembered_for_long(self) -> None:
        memory = self.world.intake.identities
        absent = ids.new_id()
        memory.load([self.guest.id, absent])
        self.assertIsNotNone(memory.recall(absent))
        self.clock.advance(identities.ABSENT_LIFETIME)
        self.assertIsNone(memory.recall(absent))
        self.assertIsNotNone(memory.recall(self.guest.id))
        self.clock.advance(identities.LIFETIME)
        self.assertIsNone(memory.recall(self.guest.id))
