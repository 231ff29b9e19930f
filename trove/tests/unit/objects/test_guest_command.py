# SPDX-License-Identifier: Apache-2.0
"""The states of a command, and giving up many of them; the rows are in ``tests/functional/db``."""

import datetime

import sqlalchemy as sa

from trove.common import ids
from trove.db import models
from trove.objects import base as objects
from trove.objects import errors, guest_command
from trove.tests import base
from trove.tests.unit.conductor import world
from trove.wire import command

SECOND = datetime.timedelta(seconds=1)


class StatesTest(base.UnitTestCase):
    def test_every_state_is_final_or_waited_for_or_unknown(self) -> None:
        states = {guest_command.PENDING, guest_command.ACCEPTED, guest_command.UNKNOWN, *guest_command.FINAL}
        self.assertEqual(states, guest_command.FINAL | {*guest_command.UNFINISHED, guest_command.UNKNOWN})
        self.assertFalse(guest_command.FINAL & {*guest_command.UNFINISHED, guest_command.UNKNOWN})

    def test_a_guest_says_how_far_it_has_come_and_never_that_it_was_not_asked(self) -> None:
        self.assertEqual({"ACCEPTED", "DONE", "FAILED"}, guest_command.REPORTED)


class GuestCommandCase(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())
        self.guest = self.world.guest()

    def submit(self, **origin: object) -> str:
        with self.world.db.writer() as session:
            now = self.world.db.now(session)
            return guest_command.submit(
                session, instance_id=self.guest.id, command=command.Restart(), deadline_seconds=60, now=now, **origin
            )


class SubmitTest(GuestCommandCase):
    def test_set_and_term_belong_together(self) -> None:
        set_id = ids.new_id()
        row = self.world.command(self.submit(set_id=set_id, term=2**40))
        self.assertEqual((set_id, 2**40), (row.set_id, row.term))
        row = self.world.command(self.submit())
        self.assertEqual((None, None), (row.set_id, row.term))
        for origin in ({"set_id": set_id}, {"term": 1}):
            self.assertRaises(ValueError, self.submit, **origin)
        with self.world.db.reader() as session:
            self.assertEqual(2, guest_command.count_unfinished(session, self.guest.id))

    def test_no_term_while_somebody_would_leave_it_out(self) -> None:
        self.addCleanup(objects.pin, {})
        objects.pin({"GuestCommand": "1.0"})
        self.assertRaises(errors.TermsNotYet, self.submit, set_id=ids.new_id(), term=1)
        self.submit()
        objects.pin({"GuestCommand": "1.1"})
        self.submit(set_id=ids.new_id(), term=1)

    def test_a_repeated_id_keeps_the_term_of_the_first(self) -> None:
        command_id, set_id = ids.new_id(), ids.new_id()
        for term in (3, 4):
            self.submit(id=command_id, set_id=set_id, term=term)
        self.assertEqual(3, self.world.command(command_id).term)


class GiveUpTest(GuestCommandCase):
    def test_some_at_a_time_is_what_all_at_once_would_be(self) -> None:
        outcomes = []
        for limit in (1, 2, 3, 100):
            self.guest = self.world.guest()
            made = [self.submit() for _ in range(7)]
            with self.world.db.writer() as session:
                guest_command.mark_sent(session, made[:3], self.world.db.now(session) + SECOND)
                accepted = guest_command.Answer(guest_command.ACCEPTED)
                guest_command.record_result(session, self.guest.id, made[0], accepted, self.world.db.now(session))
                done = guest_command.Answer(guest_command.DONE)
                moment = self.world.db.now(session)
                guest_command.record_result(session, self.guest.id, made[1], done, moment)
                late = moment + 200 * SECOND
                # The last one is far from its deadline.
                table = models.GuestCommand.__table__
                session.execute(sa.update(table).where(table.c.id == made[6]).values(deadline=late + 200 * SECOND))
                counts = []
                while not counts or counts[-1] == limit:
                    counts.append(len(guest_command.give_up(session, self.guest.id, late, late, limit)))
            self.assertEqual(5, sum(counts), counts)
            outcomes.append([self.world.command(item).state for item in made])
        expected = ["UNKNOWN", "DONE", "UNKNOWN", "EXPIRED", "EXPIRED", "EXPIRED", "PENDING"]
        self.assertEqual([expected] * 4, outcomes)

    def test_late_instances_by_pages(self) -> None:
        guests = sorted(self.world.guest().id for _ in range(5))
        for instance_id in guests:
            self.world.submit(instance_id, command.Restart(), deadline=-1)
        found, after, pages = [], "", 0
        while True:
            with self.world.db.reader() as session:
                page = guest_command.late_instances(session, self.world.db.now(session), None, 2, after)
            found += page.instance_ids
            pages += 1
            if page.last is None:
                break
            after = page.last
        self.assertEqual((guests, 3), (found, pages))
