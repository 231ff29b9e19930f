# SPDX-License-Identifier: Apache-2.0
# covers: trove/objects/guest_command.py
"""Commands: order, resending, results that come late, twice or from somebody else, expiry."""

import datetime
from typing import Any

import sqlalchemy as sa

from trove.common import ids
from trove.objects import errors, guest, guest_command, heartbeat
from trove.objects.guest_identity import GuestIdentity
from trove.tests.functional.db import case
from trove.wire import command

NOW = datetime.datetime(2026, 5, 2, 8, 0, 0)
SECOND = datetime.timedelta(seconds=1)


class GuestCommands(case.EveryDatabase):
    def setUp(self) -> None:
        super().setUp()
        self.instance_id = self.make_guest()

    def _submit(self, message: command.Command | None = None, **origin: Any) -> str:
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

    def test_set_and_term_are_kept(self) -> None:
        set_id = ids.new_id()
        made, plain = self._get(self._submit(set_id=set_id, term=2**40)), self._get(self._submit())
        self.assertEqual([(set_id, 2**40), (None, None)], [(row.set_id, row.term) for row in (made, plain)])

    def test_pages_of_late_instances(self) -> None:
        guests = sorted([self.instance_id, *(self.make_guest() for _ in range(4))])
        for self.instance_id in guests:
            self._submit(), self._submit()
        found, after = [], ""
        with self.db.reader() as session:
            for expected in (2, 2, 1):
                page = guest_command.late_instances(session, NOW + 61 * SECOND, None, 2, after)
                self.assertEqual(expected, len(page.instance_ids))
                found, after = found + page.instance_ids, page.last or ""
        self.assertEqual((guests, ""), (found, after))

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

    def _give_up(self, seconds: float) -> list[tuple[str, str]]:
        with self.db.writer() as session:
            moment = NOW + seconds * SECOND
            silent_since = moment - 30 * SECOND
            late = guest_command.late_instances(session, moment, silent_since, 100)
            found = guest_command.give_up(session, self.instance_id, moment, silent_since, 100)
            self.assertEqual(bool(found), self.instance_id in late.instance_ids)
            return [(row.id, row.state) for row in found]

    def _sent(self, *made: str) -> None:
        with self.db.writer() as session:
            guest_command.mark_sent(session, made, NOW + SECOND)

    def test_past_the_deadline_what_was_never_sent_has_expired(self) -> None:
        done, late, later = self._submit(), self._submit(command.EnableRoot(password="x")), self._submit()
        self._record(done, "FAILED")
        self.assertEqual([], self._give_up(60))
        self.assertEqual([(late, "EXPIRED"), (later, "EXPIRED")], self._give_up(61))  # counted from the result
        self.assertEqual([], self._give_up(62))
        self.assertEqual((None, NOW + 61 * SECOND), (self._get(late).args, self._get(late).finished_at))

    def test_past_the_deadline_what_was_sent_is_unknown_until_the_guest_speaks(self) -> None:
        accepted, sent, never = self._submit(), self._submit(command.EnableRoot(password="x")), self._submit()
        self._sent(accepted, sent)
        self._record(accepted, "ACCEPTED")
        expected = [(accepted, "UNKNOWN"), (sent, "UNKNOWN"), (never, "EXPIRED")]
        self.assertEqual(expected, self._give_up(60))
        self.assertEqual((None, None), (self._get(sent).args, self._get(sent).finished_at))
        with self.db.writer() as session:
            self.assertEqual([], guest_command.pending(session, self.instance_id, NOW + 100 * SECOND, 5))
            guest_command.make_due(session, self.instance_id, NOW + 100 * SECOND)
            asked = guest_command.pending(session, self.instance_id, NOW + 100 * SECOND, 5)
        self.assertEqual([accepted, sent], [row.id for row in asked])
        self.assertEqual("DONE", self._record(accepted, "DONE").state)
        self.assertEqual("ACCEPTED", self._record(sent, "ACCEPTED").state)
        self.assertEqual("FAILED", self._record(sent, "FAILED").state)

    def test_a_result_corrects_what_was_called_expired(self) -> None:
        """A release before this one called so what a guest had begun."""
        made = self._submit()
        self._give_up(60)
        self.assertEqual("DONE", self._record(made, "DONE").state)
        self.assertIsNone(self._record(made, "FAILED"))

    def test_a_guest_that_is_heard_is_not_given_up(self) -> None:
        made = self._submit()
        self._sent(made)
        with self.db.writer() as session:
            record = heartbeat.HeartbeatRecord(self.instance_id, "healthy", NOW + 40 * SECOND)
            heartbeat.record(session, [record])
        self.assertEqual([], self._give_up(60))
        self.assertEqual([(made, "UNKNOWN")], self._give_up(71))

    def test_a_guest_that_has_fallen_silent_is_not_waited_for(self) -> None:
        sent, never = self._submit(), self._submit()
        self._sent(sent)
        with self.db.writer() as session:
            record = heartbeat.HeartbeatRecord(self.instance_id, "healthy", NOW + 5 * SECOND)
            heartbeat.record(session, [record])
            self.assertEqual(([], None), guest_command.late_instances(session, NOW + 40 * SECOND, None, 100))
        self.assertEqual([], self._give_up(34))
        self.assertEqual([(sent, "UNKNOWN"), (never, "EXPIRED")], self._give_up(36))
        self.assertEqual(NOW + 36 * SECOND, self._get(sent).deadline)  # so that the guest will not begin it

    def test_what_a_workflow_has_asked_for_is_called_off_unless_it_was_accepted(self) -> None:
        workflow_id = ids.new_id()
        never, sent, accepted = (self._submit(workflow_id=workflow_id) for _ in range(3))
        other = self._submit(workflow_id=ids.new_id())
        self._sent(sent)
        self._record(accepted, "ACCEPTED")
        with self.db.writer() as session:
            guest_command.call_off(session, workflow_id, NOW)
        states = [self._get(item).state for item in (never, sent, accepted, other)]
        self.assertEqual(["EXPIRED", "UNKNOWN", "ACCEPTED", "PENDING"], states)

    def test_what_was_never_sent_can_be_taken_back(self) -> None:
        sent, never = self._submit(), self._submit()
        self._sent(sent)
        with self.db.writer() as session:
            self.assertEqual([False, True], [guest_command.withdraw(session, item, NOW) for item in (sent, never)])
            self.assertEqual(1, guest_command.count_unfinished(session, self.instance_id))
        self.assertEqual("EXPIRED", self._get(never).state)

    def test_of_a_sender_and_one_who_gives_up_one_is_right(self) -> None:
        """What was sent is never called expired, whoever comes first."""
        for _ in range(5):
            made = self._submit()

            def send(made: str = made) -> bool:
                with self.db.writer() as session:
                    GuestIdentity.get(session, self.instance_id, for_update=True)
                    found = [row.id for row in guest_command.pending(session, self.instance_id, NOW, 50)]
                    guest_command.mark_sent(session, found, NOW + SECOND)
                    return made in found

            sent, given_up = self.at_once(send, lambda: self._give_up(60))
            self.assertNotIsInstance(given_up, Exception)
            state = self._get(made).state
            self.assertEqual("EXPIRED" if not sent else state, state)
            self.assertIn(state, ("PENDING", "UNKNOWN") if sent else ("EXPIRED",))

    def test_of_one_who_asks_and_one_who_forgets_the_guest_nobody_waits_in_vain(self) -> None:
        for _ in range(10):
            self.instance_id, workflow_id = self.make_guest(), ids.new_id()
            told: list[tuple[str, str]] = []

            def forget(told: list[tuple[str, str]] = told) -> bool:
                with self.db.writer() as session:
                    heard = heartbeat.get(session, self.instance_id)  # what the transaction sees begins here
                    del told[:]
                    return heard is None and guest.forget(session, self.instance_id, lambda *who: told.append(who))

            asked, forgotten = self.at_once(lambda: self._submit(workflow_id=workflow_id), forget)  # noqa: B023
            self.assertIs(True, forgotten)
            self.assertEqual([] if isinstance(asked, errors.GuestNotFound) else [(workflow_id, asked)], told)
            with self.db.reader() as session:
                self.assertEqual(0, guest_command.count_unfinished(session, self.instance_id))

    def test_without_a_guest_nothing_can_be_submitted(self) -> None:
        self.instance_id = self.make_instance().id
        self.assertRaises(errors.GuestNotFound, self._submit)
