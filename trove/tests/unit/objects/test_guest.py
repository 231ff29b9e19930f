# SPDX-License-Identifier: Apache-2.0
"""Forgetting a guest: who waits is told, in batches."""

import fixtures

from trove.common import ids
from trove.objects import errors, guest, guest_command, heartbeat
from trove.tests import base
from trove.tests.unit.conductor import world
from trove.wire import command


class ForgetTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())
        self.useFixture(fixtures.MockPatchObject(guest, "BATCH", 3))
        self.guest = self.world.enrolled()
        self.told: list[tuple[str, str]] = []

    def forget(self) -> bool:
        with self.world.db.writer() as session:
            return guest.forget(session, self.guest.id, lambda workflow, item: self.told.append((workflow, item)))

    def is_left(self) -> bool:
        with self.world.db.reader() as session:
            return guest.is_left(session, self.guest.id)

    def left(self) -> int:
        with self.world.db.reader() as session:
            return guest_command.count_unfinished(session, self.guest.id)

    def test_who_waits_is_told_once_and_in_order(self) -> None:
        other = self.world.enrolled()
        foreign = self.world.submit(other.id, command.Restart(), workflow_id=ids.new_id())
        workflows = [ids.new_id() for _ in range(7)]
        waits = [self.world.submit(self.guest.id, command.Restart(), workflow_id=item) for item in workflows]
        self.world.submit(self.guest.id, command.Restart())  # for which nobody waits
        ended = self.world.submit(self.guest.id, command.Restart(), workflow_id=ids.new_id())
        self.guest.hear(self.world.intake.receive(self.guest.session.seal_report(world.result(ended))))
        answers = []
        while self.left():
            answers.append((self.is_left(), self.forget(), len(self.told)))
        self.assertEqual([(True, False, 3), (True, False, 6), (True, False, 7)], answers)
        self.assertTrue(self.forget())
        self.assertEqual(list(zip(workflows, waits, strict=True)), self.told)
        self.assertEqual("PENDING", self.world.command(foreign).state)

    def test_nothing_can_be_added_once_it_has_begun(self) -> None:
        for _ in range(4):
            self.world.submit(self.guest.id, command.Restart())
        self.assertFalse(self.forget())
        self.assertRaises(errors.GuestNotFound, self.world.submit, self.guest.id, command.Restart())
        self.assertTrue(self.forget())
        self.assertEqual(0, self.left())
        with self.world.db.reader() as session:
            self.assertIsNone(heartbeat.get(session, self.guest.id))

    def test_absence_is_success(self) -> None:
        for _ in range(2):
            self.assertFalse(self.is_left())
            self.assertTrue(self.forget())
        self.assertEqual([], self.told)
