# SPDX-License-Identifier: Apache-2.0
"""After a revocation nothing that the guest says counts, whatever a conductor remembers of it."""

from trove.conductor import revocation
from trove.conductor.sealing import Refused
from trove.domain import operations
from trove.objects import errors, guest_command
from trove.objects.guest_identity import REVOKED, GuestIdentity
from trove.tests import base
from trove.tests.unit.conductor import world
from trove.wire import command


class RevocationTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())
        self.guest = self.world.enrolled()

    def revoke(self) -> list[str]:
        with self.world.db.writer() as session:
            return revocation.revoke(session, self.world.store, self.guest.id, self.world.db.now(session))

    def test_nothing_is_heard_any_more(self) -> None:
        other = self.world.make_intake()
        for intake in (self.world.intake, other):  # both remember the guest
            intake.receive(self.guest.session.seal_report(world.heartbeat()))
        self.world.batcher.flush()
        self.revoke()
        before = self.world.identity(self.guest.id)
        self.assertEqual((REVOKED, {}, None), (before.state, before.keys, before.enrolled_at))
        for intake in (self.world.intake, other):
            self.assertRaises(Refused, intake.receive, self.guest.session.seal_report(world.hello()))
        other = self.world.make_intake()
        self.assertRaises(Refused, other.receive, self.guest.session.seal_report(world.heartbeat()))
        self.assertEqual(before.sequence, self.world.identity(self.guest.id).sequence)

    def test_what_is_remembered_lets_a_heartbeat_pass_and_it_changes_nothing(self) -> None:
        self.world.intake.receive(self.guest.session.seal_report(world.poll()))
        self.world.batcher.flush()
        self.revoke()
        received = self.world.intake.take(self.guest.session.seal_report(world.poll()))
        self.world.batcher.flush()
        assert received.item is not None
        self.assertEqual("REFUSED", received.item.outcome.name)
        waiting = self.world.outbox.waiting([self.guest.id])[self.guest.id]
        self.assertNotEqual(received.boot, waiting.boot, "its poll would be held")
        self.assertEqual([], self.world.outbox.envelopes_for(self.guest.id))

    def test_who_waits_is_told_the_truth(self) -> None:
        workflow = self.world.workflow(self.guest.id)
        sent = self.world.submit(self.guest.id, command.Restart(), workflow_id=workflow)
        self.guest.hear(self.world.outbox.envelopes_for(self.guest.id))
        fresh = self.world.submit(self.guest.id, command.StopEngine(), workflow_id=workflow)
        self.assertEqual({workflow}, set(self.revoke()))
        self.assertEqual(
            [(guest_command.FAILED, "guest.revoked"), (guest_command.EXPIRED, None)],
            [(row.state, row.error_symbol) for row in map(self.world.command, (sent, fresh))],
        )
        told = self.world.signals(workflow)
        self.assertIn("may have been done", told[operations.command_signal(sent)]["error_message"])
        self.assertIn("nothing was changed", told[operations.command_signal(fresh)]["error_message"])
        self.assertIsNone(self.world.command(sent).args)

    def test_it_may_be_repeated_and_needs_a_guest(self) -> None:
        self.revoke()
        self.assertEqual([], self.revoke())
        with self.world.db.writer() as session:
            now = self.world.db.now(session)
            self.assertRaises(errors.GuestNotFound, revocation.revoke, session, self.world.store, "no-such", now)

    def test_a_new_server_of_the_instance_starts_afresh(self) -> None:
        self.revoke()
        with self.world.db.writer() as session:
            key = GuestIdentity.issue(session, self.guest.id, "gateway")
        self.assertEqual({"one_time": key}, self.world.identity(self.guest.id).keys)
        again = self.world.guest(self.guest.id)
        again.hear(self.world.intake.receive(again.session.seal_enrol("1", "1")))
        again.hear(self.world.intake.receive(again.session.seal_report(world.hello())))
        self.assertRaises(Refused, self.world.intake.receive, self.guest.session.seal_report(world.hello()))

    def test_nothing_more_can_be_asked_of_it(self) -> None:
        self.revoke()
        self.assertRaises(errors.GuestNotFound, self.world.submit, self.guest.id, command.Restart())
