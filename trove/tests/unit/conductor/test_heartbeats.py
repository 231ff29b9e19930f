# SPDX-License-Identifier: Apache-2.0
# covers: trove/objects/guest_position.py
"""Batches of heartbeats: many guests per transaction, each on its own risk."""

import fixtures
from oslo_db import exception as db_exc

from trove.common import ids
from trove.conductor import heartbeats
from trove.conductor.intake import Throttled
from trove.conductor.sealing import Refused
from trove.guestbus.replay import Position
from trove.objects import guest_position, heartbeat
from trove.objects.guest_identity import GuestIdentity
from trove.tests import base
from trove.tests.unit.conductor import world


class HeartbeatBatcherTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())

    def row(self, guest: world.Guest) -> heartbeat.HeartbeatRecord:
        with self.world.db.reader() as session:
            found = heartbeat.get(session, guest.id)
        assert found is not None
        return found

    def say(self, guest: world.Guest, **fields: object) -> None:
        self.assertEqual([], self.world.intake.receive(guest.session.seal_report(world.heartbeat(**fields))))

    def test_many_guests_in_one_batch(self) -> None:
        guests = [self.world.enrolled() for _ in range(5)]
        for number, guest in enumerate(guests):
            self.say(guest, volume_used_bytes=number, wal_bytes=2**40)
        self.world.batcher.flush()
        for number, guest in enumerate(guests):
            row = self.row(guest)
            self.assertEqual(("healthy", number, 2**40), (row.service_status, row.volume_used_bytes, row.wal_bytes))
            self.assertIsNotNone(row.reported_at)

    def test_the_latest_counts(self) -> None:
        guest = self.world.enrolled()
        sealed = [
            guest.session.seal_report(world.heartbeat(service_status=s)) for s in ("blocked", "healthy", "crashed")
        ]
        for data in (sealed[0], sealed[2], sealed[1]):
            self.world.intake.receive(data)
        self.world.batcher.flush()
        self.assertEqual("crashed", self.row(guest).service_status)
        for data in sealed:
            self.assertRaises(Refused, self.world.intake.receive, data)

    def test_replay_to_another_conductor(self) -> None:
        """Two conductors that both took a message do not both let it count."""
        guest = self.world.enrolled()
        self.say(guest, service_status="crashed")
        item = next(iter(self.world.batcher._pending.values()))
        self.world.batcher.flush()
        self.say(guest, service_status="healthy")
        self.world.batcher.flush()
        other = heartbeats.HeartbeatBatcher(self.world.db)
        other.add(item.header, item.message, item.enrolled_at)
        other.flush()
        self.assertEqual("healthy", self.row(guest).service_status)
        self.assertIn("replayed", self.logs.text())

    def test_identity_that_changed_since_it_was_opened(self) -> None:
        gone, renewed = self.world.enrolled(), self.world.enrolled()
        self.say(gone)
        self.say(renewed, service_status="failed")
        with self.world.db.writer() as session:
            GuestIdentity.remove(session, gone.id)
            GuestIdentity.issue(session, renewed.id, "gateway")
        self.world.batcher.flush()
        self.assertEqual("new", self.row(renewed).service_status)
        self.assertEqual(0, self.world.identity(renewed.id).sequence)

    def test_identity_that_was_replaced_and_enrolled_again(self) -> None:
        """What the former guest said counts for nothing, although the numbers of its key and boot are in use again."""
        former = self.world.enrolled()
        self.say(former, service_status="failed")
        item = next(iter(self.world.batcher._pending.values()))
        with self.world.db.writer() as session:
            GuestIdentity.issue(session, former.id, "gateway")
        self.world.enrolled(instance_id=former.id)
        identity = self.world.identity(former.id)
        self.assertEqual((item.header.generation, item.header.boot), (identity.generation, identity.boot))
        self.world.batcher.flush()
        row = self.row(former)
        self.assertEqual(("new", None), (row.service_status, row.reported_at))
        self.assertEqual(identity.sequence, self.world.identity(former.id).sequence)

    def test_news_do_not_wait(self) -> None:
        guest, other = self.world.enrolled(), self.world.enrolled()
        batcher = self.world.batcher
        for speaker, status, urgent in (
            (guest, "building", True),
            (guest, "building", False),
            (other, "building", True),
            (guest, "healthy", True),
            (guest, "healthy", False),
        ):
            batcher._urgent.clear()
            self.say(speaker, service_status=status)
            self.assertEqual(urgent, batcher._urgent.is_set(), status)
        batcher._urgent.clear()
        self.world.intake.take(guest.session.seal_report(world.poll()))
        self.assertFalse(batcher._urgent.is_set())

    def test_statuses_are_remembered_of_so_many(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.conductor.heartbeats._MAX_STATUSES", 3))
        for guest in [self.world.enrolled() for _ in range(5)]:
            self.say(guest)
        self.assertEqual(2, len(self.world.batcher._statuses))

    def test_hostile_values_fit_the_columns(self) -> None:
        guest = self.world.enrolled()
        self.say(guest, agent_version="v" * 255, reason="a\x00b" * 50, protocol_max=2**62, wal_bytes=2**62)
        self.world.batcher.flush()
        row = self.row(guest)
        self.assertEqual((64, 2**31 - 1, 2**62), (len(row.agent_version or ""), row.protocol_max, row.wal_bytes))
        self.assertNotIn("\x00", row.reason or "")

    def test_one_bad_row_does_not_spoil_the_others(self) -> None:
        good, bad = self.world.enrolled(), self.world.enrolled()
        self.say(bad)
        self.say(good)
        write = self.world.batcher._write

        def picky(items: list[heartbeats.Item]) -> None:
            if any(item.header.instance_id == bad.id for item in items):
                raise ValueError("a column is too small")
            write(items)

        self.world.batcher._write = picky
        self.world.batcher.flush()
        self.assertEqual(("healthy", "new"), (self.row(good).service_status, self.row(bad).service_status))

    def test_silent_database_costs_the_batch_only(self) -> None:
        guest = self.world.enrolled()
        self.say(guest)
        write = self.world.batcher._write

        def gone(_items: object) -> None:
            raise db_exc.DBConnectionError()

        self.world.batcher._write = gone
        self.world.batcher.flush()
        self.world.batcher._write = write
        self.say(guest, service_status="blocked")
        self.world.batcher.flush()
        self.assertEqual("blocked", self.row(guest).service_status)

    def test_memory_is_bounded(self) -> None:
        guest = self.world.enrolled()
        self.say(guest)
        item = next(iter(self.world.batcher._pending.values()))
        for number in range(heartbeats._MAX_PENDING + 10):
            self.world.batcher.add(item.header.__replace__(instance_id=str(number)), None, None)
        self.assertEqual(heartbeats._MAX_PENDING, len(self.world.batcher._pending))
        self.assertRaises(Throttled, self.world.intake.receive, guest.session.seal_report(world.heartbeat()))

    def test_thread_flushes_what_is_left_when_it_stops(self) -> None:
        guest = self.world.enrolled()
        batcher = self.world.batcher
        batcher._interval = 3600.0
        batcher.start()
        self.say(guest)
        batcher.stop()
        self.assertEqual("healthy", self.row(guest).service_status)


class GuestPositionTest(base.UnitTestCase):
    def test_hold_and_advance(self) -> None:
        w = self.useFixture(world.World())
        guests = [w.enrolled(), w.enrolled()]
        issued = w.guest()
        with w.db.writer() as session:
            held = guest_position.hold(session, [*(g.id for g in guests), issued.id, ids.new_id()])
            self.assertEqual({g.id for g in guests}, set(held))
            guest_position.advance(session, [held[guests[0].id]._replace(sequence=77, window="f")])
            guest_position.advance(session, [])
        first, second = (w.identity(g.id) for g in guests)
        self.assertEqual(Position(1, 77, 15), Position.load(first.boot, first.sequence, first.window))
        self.assertEqual(2, second.sequence)
