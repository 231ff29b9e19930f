# SPDX-License-Identifier: Apache-2.0
"""Commands: order, resending, results that come late, twice or from somebody else, expiry."""

import datetime

import sqlalchemy as sa

from trove.common import ids
from trove.objects import errors, guest_command, heartbeat
from trove.tests.functional.db import case
from trove.wire import command

NOW = datetime.datetime(2026, 5, 2, 8, 0, 0)
SECOND = datetime.timedelta(seconds=1)


class GuestCommands(case.EveryDatabase):
    def setUp(self) -> None:
        super().setUp()
        self.instance_id = self.make_guest()

    def _submit(self, message: command.Command | None = None, **origin: str) -> str:
        with self.db.writer() as session:
            return guest_command.submit(
                session,
                instance_id=self.instance_id,
                command=message or command.Restart(),
                deadline_seconds=60,
                now=NOW,
                **origin,
            )

    def _record(self, command_id: str, state: str, instance_id: str | None = None) -> guest_command.GuestCommand | None:
        with self.db.writer() as session:
            answer = guest_command.Answer(state, {"state": state}, "a.b" if state == "FAILED" else None)
            return guest_command.record_result(
                session, instance_id or self.instance_id, command_id, answer, NOW + SECOND
            )

    def _get(self, command_id: str) -> guest_command.GuestCommand:
        with self.db.reader() as session:
            return guest_command.get(session, command_id)

    def test_a_new_command_is_due_and_its_arguments_are_encrypted(self) -> None:
        made = self._submit(
            command.EnableRoot(password="very-secret"), workflow_id=ids.new_id(), step="enable", epoch=4
        )
        with self.db.reader() as session:
            self.assertEqual([self.instance_id], guest_command.due_instances(session, NOW, 5))
            found = guest_command.pending(session, self.instance_id, NOW, 5)
            self.assertNotIn("very-secret", str(session.execute(sa.text("SELECT * FROM guest_commands")).all()))
        self.assertEqual([made], [c.id for c in found])
        self.assertEqual(
            ("enable_root", 1, {"password": "very-secret"}, 4, "PENDING", NOW + 60 * SECOND),
            (found[0].name, found[0].version, found[0].args, found[0].epoch, found[0].state, found[0].deadline),
        )
        self.assertNotIn("very-secret", repr(found))

    def test_the_same_id_is_submitted_once(self) -> None:
        wanted = ids.new_id()
        self.assertEqual(wanted, self._submit(id=wanted))
        self._record(wanted, "DONE")
        self.assertEqual(wanted, self._submit(command.StopEngine(), id=wanted))
        self.assertEqual(("restart", "DONE"), (self._get(wanted).name, self._get(wanted).state))

    def test_the_same_id_from_two_workers_at_once(self) -> None:
        wanted = ids.new_id()
        self.assertEqual([wanted] * 3, self.at_once(*[lambda: self._submit(id=wanted)] * 3))

    def test_commands_stay_in_order(self) -> None:
        made = [self._submit() for _ in range(5)]
        with self.db.reader() as session:
            self.assertEqual(made[:3], [c.id for c in guest_command.pending(session, self.instance_id, NOW, 3)])

    def test_what_was_sent_waits_and_is_then_sent_again(self) -> None:
        one, two = self._submit(), self._submit()
        self._record(two, "ACCEPTED")
        with self.db.writer() as session:
            guest_command.mark_sent(session, [one, two], NOW + 10 * SECOND)
            guest_command.mark_sent(session, [], NOW)
            self.assertEqual([], guest_command.pending(session, self.instance_id, NOW + 9 * SECOND, 5))
            self.assertEqual([], guest_command.due_instances(session, NOW + 9 * SECOND, 5))
            self.assertEqual(
                [one], [c.id for c in guest_command.pending(session, self.instance_id, NOW + 10 * SECOND, 5)]
            )
            self.assertEqual([], guest_command.pending(session, self.instance_id, NOW + 60 * SECOND, 5))

    def test_a_result_is_recorded_and_arguments_erased(self) -> None:
        made = self._submit(command.EnableRoot(password="very-secret"))
        accepted = self._record(made, "ACCEPTED")
        self.assertEqual(
            ("ACCEPTED", None, {"password": "very-secret"}), (accepted.state, accepted.result, accepted.args)
        )
        done = self._record(made, "DONE")
        self.assertEqual(
            ("DONE", {"state": "DONE"}, None, NOW + SECOND), (done.state, done.result, done.args, done.finished_at)
        )
        with self.db.reader() as session:
            self.assertIsNone(session.execute(sa.text("SELECT args FROM guest_commands")).scalar_one())

    def test_late_and_doubled_results_change_nothing(self) -> None:
        made = self._submit()
        self.assertEqual("FAILED", self._record(made, "FAILED").state)
        for state in ("ACCEPTED", "DONE", "FAILED"):
            self.assertIsNone(self._record(made, state))
        self.assertEqual(("FAILED", "a.b"), (self._get(made).state, self._get(made).error_symbol))

    def test_a_doubled_acceptance_is_harmless(self) -> None:
        made = self._submit()
        self.assertEqual(["ACCEPTED", "ACCEPTED"], [self._record(made, "ACCEPTED").state for _ in range(2)])

    def test_another_instances_guest_cannot_answer(self) -> None:
        made = self._submit()
        self.assertIsNone(self._record(made, "DONE", instance_id=self.make_guest()))
        self.assertIsNone(self._record(ids.new_id(), "DONE"))
        self.assertEqual("PENDING", self._get(made).state)

    def test_of_two_different_results_at_once_one_counts(self) -> None:
        made = self._submit()
        results = self.at_once(lambda: self._record(made, "DONE"), lambda: self._record(made, "FAILED"))
        counted = [r for r in results if r is not None]
        self.assertEqual([self._get(made).state], [r.state for r in counted])

    def test_past_the_deadline_it_expires_once_and_stays_so(self) -> None:
        late, accepted, done = self._submit(command.EnableRoot(password="x")), self._submit(), self._submit()
        self._record(accepted, "ACCEPTED")
        self._record(done, "DONE")
        with self.db.writer() as session:
            self.assertEqual([], guest_command.expire(session, NOW + 59 * SECOND))
            expired = guest_command.expire(session, NOW + 60 * SECOND)
            self.assertEqual([], guest_command.expire(session, NOW + 61 * SECOND))
        self.assertEqual({late, accepted}, {c.id for c in expired})
        self.assertEqual({("EXPIRED", None)}, {(c.state, c.args) for c in expired})
        self.assertIsNone(self._record(late, "DONE"))

    def test_nobody_waits_for_a_guest_that_has_fallen_silent(self) -> None:
        made, done = self._submit(), self._submit()
        self._record(done, "DONE")
        now, silent_since = NOW + 40 * SECOND, NOW + 10 * SECOND
        with self.db.writer() as session:
            self.assertFalse(guest_command.any_late(session, now, silent_since))  # it has never reported
            heartbeat.record(session, [heartbeat.HeartbeatRecord(self.instance_id, "healthy", NOW + 5 * SECOND)])
            self.assertFalse(guest_command.any_late(session, now))
            self.assertFalse(guest_command.any_late(session, now, NOW - SECOND))
            self.assertTrue(guest_command.any_late(session, now, silent_since))
            self.assertEqual([made], [c.id for c in guest_command.expire(session, now, silent_since)])
            heartbeat.record(session, [heartbeat.HeartbeatRecord(self.instance_id, "healthy", NOW + 15 * SECOND)])
        again = self._submit()
        with self.db.writer() as session:
            self.assertEqual([], guest_command.expire(session, now, silent_since))
        self.assertEqual("PENDING", self._get(again).state)

    def test_what_a_workflow_has_asked_for_is_withdrawn_unless_it_was_accepted(self) -> None:
        workflow_id = ids.new_id()
        waits, accepted = (self._submit(workflow_id=workflow_id) for _ in range(2))
        other = self._submit(workflow_id=ids.new_id())
        self._record(accepted, "ACCEPTED")
        with self.db.writer() as session:
            guest_command.withdraw(session, workflow_id, NOW)
        states = [self._get(item).state for item in (waits, accepted, other)]
        self.assertEqual(["EXPIRED", "ACCEPTED", "PENDING"], states)
        self.assertIsNone(self._get(waits).args)

    def test_without_a_guest_nothing_can_be_submitted(self) -> None:
        self.instance_id = self.make_instance().id
        self.assertRaises(errors.GuestNotFound, self._submit)
