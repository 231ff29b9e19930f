# SPDX-License-Identifier: Apache-2.0
# covers: trove/taskmanager/abandon.py
"""What users, operators, guests and clouds do to work in progress; at the end rows, quota, cloud and secrets agree."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

import sqlalchemy as sa

from trove.db import models
from trove.domain import instance_states, operations
from trove.objects import guest, guest_command, guest_identity
from trove.objects.guest_command import GuestCommand
from trove.objects.guest_identity import GuestIdentity
from trove.providers import base as providers
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.functional.taskmanager import scenarios
from trove.tests.functional.taskmanager.driver import Driver
from trove.tests.functional.taskmanager.scenarios import InstanceCase
from trove.wire.command import Restart
from trove.workflow.model import FINAL, State

_WORKFLOW = models.Workflow.__table__
_INTERRUPTED = ("create", "restart", "resize-larger", "resize-smaller", "resize-volume", "delete", "user-create")


class _Case(base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        self.driver = Driver(self.db)

    def moments(self, name: str) -> Iterator[InstanceCase]:
        """Yield a case of ``name`` for each of its steps, run so far."""
        whole = self.driver.run(self.driver.case(name))
        self.assertGreater(whole, 0)
        for steps in range(whole + 1):
            case = self.driver.case(name)
            self.driver.run(case, steps)
            yield case

    def assert_gone(self, case: InstanceCase) -> None:
        with self.db.reader() as session:
            instance = case.instance(session)
            self.assertEqual((True, "DELETED"), (instance.deleted, instance.status))
            self.assertEqual([], case.disagreements(session))
            for model, column in (
                (models.Secret, "resource_id"),
                (models.GuestIdentity, "instance_id"),
                (models.GuestCommand, "instance_id"),
                (models.Heartbeat, "instance_id"),
                (models.InstanceFault, "instance_id"),
            ):
                self.assertEqual(0, case.count(session, model, column), model.__name__)
            held = session.scalars(sa.select(models.Workflow.claim_key).where(models.Workflow.resource_id == case.id))
            self.assertEqual({None}, set(held))
        self.assertEqual({"port": {}, "volume": {}, "server": {}}, case.provider.resources())
        self.assertEqual([], self.driver.active(case))

    def status(self, case: InstanceCase) -> tuple[str, str | None]:
        with self.db.reader() as session:
            return case.instance(session).status, case.fault(session)

    def disagreements(self, case: InstanceCase) -> list[str]:
        with self.db.reader() as session:
            return case.disagreements(session)

    def secrets(self, case: InstanceCase) -> int:
        with self.db.reader() as session:
            return case.count(session, models.Secret, "resource_id")


class TestAtEveryMoment(_Case):
    def test_delete(self) -> None:
        for name in _INTERRUPTED:
            for case in self.moments(name):
                for _ in range(2):
                    if self.status(case)[0] != "DELETED":
                        self.driver.delete(case)
                self.driver.run(case)
                self.assert_gone(case)

    def test_reset_and_delete(self) -> None:
        for name in _INTERRUPTED:
            for case in self.moments(name):
                if self.status(case)[0] == "DELETED":
                    continue
                self.driver.reset(case)
                if name != "user-create":
                    self.assertEqual([], self.driver.active(case))
                self.assertEqual("ACTIVE", self.status(case)[0])
                self.assertEqual(0, self.secrets(case))
                self.driver.run(case)
                self.driver.delete(case)
                self.driver.run(case)
                self.assert_gone(case)

    def test_abort_by_force_and_delete(self) -> None:
        """Whatever kind it is: an operator can end it at every moment, and the instance can be deleted then."""
        explained = {kind.name for kind in operations.KINDS.values() if kind.exclusive or kind in operations.EDITS}
        for name, trial in scenarios.TRIALS.items():
            for case in self.moments(name):
                ended, again = self.driver.abort(case), self.driver.abort(case)
                self.assertFalse(again)
                self.assertIn(self.driver.state(case), FINAL)
                self.assertEqual(0, self.secrets(case))
                self.driver.run(case)  # what it has begun on its instances
                status, fault = self.status(case)
                self.assertEqual([], self.driver.active(case))
                if name != "delete":
                    self.assertNotIn(status, instance_states.IN_PROGRESS)
                if ended and trial.kind.name in explained:
                    self.assertEqual("workflow.aborted", fault)
                if status != "DELETED":
                    self.driver.delete(case)
                    self.driver.run(case)
                self.assert_gone(case)


class TestParked(_Case):
    @staticmethod
    def _stubborn(provider: Any) -> None:
        provider.fail_next("remove_server", providers.FatalError("no"), times=10)

    def test_an_undo_that_fails_is_kept_for_the_operator(self) -> None:
        case = self.driver.case("create", self._stubborn)
        case.guest.decide = lambda row: ("FAILED", "engine.broken")
        self.driver.run(case)
        self.assertEqual((State.PARKED, ("BUILD", "engine.broken")), (self.driver.state(case), self.status(case)))
        self.assertEqual(0, self.secrets(case))
        with self.db.writer() as session:
            self.assertTrue(self.driver.store.retry(session, case.workflow_id))
        self.driver.run(case)
        self.assertEqual((State.REVERTED, ("ERROR", "engine.broken")), (self.driver.state(case), self.status(case)))
        self.assertEqual([], self.disagreements(case))
        self.driver.delete(case)
        self.driver.run(case)
        self.assert_gone(case)

    def test_a_deletion_does_not_wait_for_the_operator(self) -> None:
        for late in (False, True):
            case = self.driver.case("create", self._stubborn)
            self.driver.run(case, 3)
            if not late:
                self.driver.delete(case)
            else:
                case.guest.decide = lambda row: ("FAILED", "engine.broken")
                self.driver.run(case)
                self.assertEqual(State.PARKED, self.driver.state(case))
                self.driver.delete(case)
            self.driver.run(case)
            self.assertEqual(State.REVERTED, self.driver.state(case))
            self.assert_gone(case)

    def test_a_server_that_is_never_gone_holds_nothing_up_for_ever(self) -> None:
        for waits in (False, True):
            case = self.driver.case("create")
            case.guest.decide = lambda row: ("FAILED", "engine.broken")
            case.provider.delay_until("remove_server", lambda case=case: self.driver.state(case) is State.REVERTED)
            if waits:
                self.driver.run(case, 3)
                self.driver.delete(case)
            self.driver.run(case)
            self.assertLess(sum(call.method == "remove_server" for call in case.provider.calls), 1000)
            self.assertEqual(State.REVERTED if waits else State.PARKED, self.driver.state(case))
            if not waits:
                self.assertEqual(("BUILD", "engine.broken"), self.status(case))
                self.driver.delete(case)
                self.driver.run(case)
            self.assert_gone(case)

    def test_a_resize_that_cannot_be_undone_gives_its_quota_back_when_deleted(self) -> None:
        for name in ("resize-larger", "resize-volume"):
            case = self.driver.case(name)
            case.guest.decide = lambda row: ("FAILED", "engine.broken")
            self.driver.run(case, 3)
            case.provider.fail_next("resize_server", providers.FatalError("no"), times=10)
            self.driver.run(case)
            self.assertEqual((State.PARKED, ("RESIZE", "engine.broken")), (self.driver.state(case), self.status(case)))
            self.driver.delete(case)
            self.driver.run(case)
            self.assert_gone(case)

    def test_a_deletion_that_the_cloud_refuses_is_parked_and_goes_on_when_repeated(self) -> None:
        case = self.driver.case(
            "delete", lambda p: p.fail_next("remove_volume", providers.ConflictError("in use"), times=60)
        )
        self.driver.run(case)
        self.assertEqual(State.PARKED, self.driver.state(case))
        self.assertEqual("SHUTDOWN", self.status(case)[0])
        self.driver.delete(case)
        self.driver.run(case)
        self.assert_gone(case)


class TestGuests(_Case):
    def test_a_guest_that_fails(self) -> None:
        for command in ("prepare", "create_databases", "create_users"):
            case = self.driver.case("create")
            case.guest.decide = lambda row, c=command: ("FAILED", "engine.broken") if row.name == c else ("DONE", None)
            self.driver.run(case)
            self.assertEqual(("ERROR", "engine.broken"), self.status(case))
            self.assertEqual([], self.disagreements(case))
            self.assertEqual(0, self.secrets(case))
            self.assertEqual({"port": {}, "volume": {}, "server": {}}, case.provider.resources())
            with self.db.reader() as session:
                fault = session.get_one(models.InstanceFault, case.id)
            self.assertNotIn("hunter2", f"{fault.message} {fault.details}")

    def test_a_silent_guest(self) -> None:
        for name, status, symbol in (
            ("create", "ERROR", "guest.timeout"),  # everything is removed, so nothing can be begun any more
            ("restart", "ACTIVE", "command.expired"),
            ("user-create", "ACTIVE", "command.expired"),
            ("resize-larger", "ACTIVE", "command.expired"),
        ):
            case = self.driver.case(name)
            case.guest.decide = lambda row: None
            self.driver.run(case)
            expected = (State.REVERTED, (status, symbol))
            self.assertEqual(expected, (self.driver.state(case), self.status(case)), name)

    def silent_for_ever(self, name: str) -> tuple[InstanceCase, GuestCommand]:
        """Run a case whose guest gets its command and says nothing; return that too."""
        case, got = self.driver.case(name), []
        case.guest.decide, case.guest.takes = got.append, True
        self.driver.run(case)
        return case, got[0]

    def test_what_a_silent_guest_was_sent_is_not_called_reverted(self) -> None:
        for answer, ended in (
            (("DONE", None), (State.SUCCEEDED, ("ACTIVE", None))),
            (("FAILED", "command.expired"), (State.REVERTED, ("ACTIVE", "command.expired"))),
        ):
            case, row = self.silent_for_ever("user-create")
            unknown = (State.PARKED, ("ACTIVE", "guest.outcome_unknown"))
            self.assertEqual(unknown, (self.driver.state(case), self.status(case)))
            case.guest.say(row, answer)
            self.driver.run(case)
            self.assertEqual(ended, (self.driver.state(case), self.status(case)))

    def test_an_exclusive_operation_of_a_silent_guest_says_so_and_is_corrected(self) -> None:
        for answer, symbol, fault in ((("DONE", None), "guest.finished_late", None),
                                      (("FAILED", "engine.broken"), "engine.broken", "engine.broken")):  # fmt: skip
            case, row = self.silent_for_ever("restart")
            unknown = (State.REVERTED, ("ACTIVE", "guest.outcome_unknown"))
            self.assertEqual(unknown, (self.driver.state(case), self.status(case)))
            case.guest.say(row, answer)
            self.assertEqual(("ACTIVE", fault), self.status(case))
            with self.db.reader() as session:
                self.assertEqual(symbol, self.driver.store.describe(session, case.workflow_id)["error_symbol"])

    def test_a_deletion_ends_what_nobody_knows(self) -> None:
        case, _row = self.silent_for_ever("user-create")
        self.driver.delete(case)
        self.driver.run(case)
        self.assert_gone(case)
        with self.db.reader() as session:
            self.assertEqual("guest.removed", self.driver.store.describe(session, case.workflow_id)["error_symbol"])

    def test_a_deletion_ends_at_once_what_waits_for_the_guest(self) -> None:
        """It had waited for commands that were erased, until they would have been late."""
        for name in ("user-create", "log-change", "log-publish", "module-apply", "module-remove"):
            for takes in (False, True):
                case = self.driver.case(name)
                case.guest.decide, case.guest.takes = lambda row: None, takes
                self.driver.run(case, 1)
                with self.db.reader() as session:
                    self.assertNotEqual([], case.commands(session), name)
                self.driver.delete(case)
                self.driver.run(case)
                self.assert_gone(case)
                with self.db.reader() as session:
                    waited, deletion = (
                        session.execute(sa.select(_WORKFLOW).where(column, _WORKFLOW.c.resource_id == case.id)).one()
                        for column in (_WORKFLOW.c.id == case.workflow_id, _WORKFLOW.c.kind == "instance.delete")
                    )
                self.assertLess((waited.finished_at - deletion.finished_at).total_seconds(), 1, (name, takes))
                self.assertEqual("guest.removed", waited.error_symbol, (name, takes))

    def test_many_commands_are_forgotten_some_at_a_time(self) -> None:
        case = self.driver.case("user-create")
        case.guest.decide = lambda row: None
        self.driver.run(case, 1)
        with self.db.writer() as session:
            for _ in range(2 * guest.BATCH + 10):
                guest_command.submit(
                    session, instance_id=case.id, command=Restart(), deadline_seconds=600,
                    now=self.db.now(session),
                )  # fmt: skip
        with mock.patch.object(guest, "forget", autospec=True, side_effect=guest.forget) as forget:
            self.driver.delete(case)
            self.driver.run(case)
        self.assertEqual(3, forget.call_count)
        self.assert_gone(case)

    def test_what_was_not_sent_is_taken_back_when_the_operation_ends(self) -> None:
        case = self.driver.case("restart")
        case.guest.decide = lambda row: None
        self.driver.run(case, 1)
        with self.db.writer() as session:
            self.driver.store.request_cancel(session, case.workflow_id)
        self.driver.run(case)
        with self.db.reader() as session:
            self.assertEqual(["EXPIRED"], [row.state for row in case.commands(session)])

    def test_a_guest_that_never_enrols(self) -> None:
        case = self.driver.case("create")
        case.answer = lambda: None  # type: ignore[method-assign]
        said = (
            "nothing was heard of the guest for {} seconds; it was told to dial http://127.0.0.1:1, where nobody "
            "answers"
        )
        while said.format(60) not in self.logs.text():
            self.assertGreater(self.driver.run(case, 1), 0)
        with self.db.reader() as session:
            found = self.driver.store.describe(session, case.workflow_id)
        (waiting,) = (step for step in found["steps"] if step["name"] == "await-guest")
        self.assertIn(said.format(60), waiting["error"])
        self.assertGreater((found["deadline"] - found["updated_at"]).total_seconds(), 500)
        self.driver.run(case)
        self.assertEqual(("ERROR", "guest.not_ready"), self.status(case))
        with self.db.reader() as session:
            self.assertIn(said.format(600), str(session.get_one(models.InstanceFault, case.id).details))

    def test_past_the_pivot_a_failed_command_is_given_again(self) -> None:
        case = self.driver.case("resize-volume")
        answers = iter([("FAILED", "engine.busy"), ("FAILED", "engine.busy"), ("DONE", None)])
        case.guest.decide = lambda row: next(answers)
        self.driver.run(case)
        self.assertEqual((State.SUCCEEDED, ("ACTIVE", None)), (self.driver.state(case), self.status(case)))
        self.assertEqual(["grow_volume"] * 3, case.guest.done)

    def test_after_an_operators_retry_the_command_is_given_again(self) -> None:
        case = self.driver.case("resize-volume")
        case.guest.decide = lambda row: ("FAILED", "engine.busy")
        self.driver.run(case)
        self.assertEqual(State.PARKED, self.driver.state(case))
        case.guest.decide = lambda row: ("DONE", None)
        with self.db.writer() as session:
            self.driver.store.retry(session, case.workflow_id)
        self.driver.run(case)
        self.assertEqual((State.SUCCEEDED, ("ACTIVE", None)), (self.driver.state(case), self.status(case)))
        self.assertEqual([], self.disagreements(case))

    def test_the_server_of_an_enrolled_guest_is_gone(self) -> None:
        case = self.driver.case("create", lambda p: p.delay_until("ensure_server", 3))
        self.driver.run(case, 3)
        with self.db.writer() as session:
            identity = GuestIdentity.get(session, case.id, for_update=True)
            identity.keys, identity.state = {"master": "00" * 32}, guest_identity.ENROLLED
            identity.save(session)
        (tag,) = case.provider.resources()["server"]
        while not case.provider.remove_server(tag):
            pass
        self.driver.run(case)
        self.assertEqual(("ACTIVE", None), self.status(case))


class TestClouds(_Case):
    def test_an_outage_of_minutes_is_survived(self) -> None:
        away = providers.RetryableError("the cloud is away")
        for name, method in (
            ("create", "ensure_port"),
            ("create", "ensure_volume"),
            ("create", "ensure_server"),
            ("delete", "remove_server"),
            ("resize-larger", "resize_server"),
            ("resize-volume", "ensure_volume"),
        ):
            case = self.driver.case(name)
            before = len(case.provider.calls)
            case.provider.fail_next(method, away, times=8)
            self.driver.run(case)
            self.assertEqual((State.SUCCEEDED, []), (self.driver.state(case), self.disagreements(case)), name)
            called = [call.method for call in case.provider.calls[before:]]
            self.assertGreater(called.count(method), 8, (name, method))

    def test_a_refusal_ends_a_creation_at_once(self) -> None:
        for method in ("ensure_port", "ensure_volume", "ensure_server"):
            case = self.driver.case("create")
            case.provider.fail_next(method, providers.QuotaError("no host has room"))
            self.driver.run(case)
            self.assertEqual(("ERROR", "provider.quota"), self.status(case))
            self.assertEqual([], self.disagreements(case))
            self.assertEqual({"port": {}, "volume": {}, "server": {}}, case.provider.resources())

    def test_a_missing_plugin_says_so(self) -> None:
        case = self.driver.case("create")
        case.env.plugins.clear()
        self.driver.run(case)
        self.assertEqual(("ERROR", "datastore.not_installed"), self.status(case))

    def test_an_instance_without_anything_can_be_reset_and_fails_cleanly(self) -> None:
        for name in ("restart", "resize-larger", "resize-volume"):
            case = self.driver.case(name)
            tag = next(iter(case.provider.resources()["server"]))
            while not case.provider.remove_server(tag):
                pass
            case.provider.remove_volume(next(iter(case.provider.resources()["volume"])))
            with self.db.writer() as session:
                GuestIdentity.remove(session, case.id)
            self.driver.run(case)
            symbol = "guest.not_found" if name == "restart" else "provider.not_found"
            self.assertEqual((State.REVERTED, ("ACTIVE", symbol)), (self.driver.state(case), self.status(case)))
            self.assertEqual({}, case.provider.resources()["volume"])

    def test_nothing_is_asked_of_a_guest_whose_keys_were_revoked(self) -> None:
        case = self.driver.case("restart")
        with self.db.writer() as session:
            GuestIdentity.get(session, case.id, for_update=True).revoke(session)
        self.driver.run(case)
        self.assertEqual((State.REVERTED, "guest.not_found"), (self.driver.state(case), self.status(case)[1]))

    def test_a_deletion_does_not_wait_for_a_guest_whose_keys_were_revoked(self) -> None:
        case = self.driver.case("resize-volume")
        with self.db.writer() as session:
            GuestIdentity.get(session, case.id, for_update=True).revoke(session)
        self.driver.run(case, 4)
        self.driver.delete(case)
        self.driver.run(case)
        self.assertEqual(State.SUCCEEDED, self.driver.state(case))
        self.assert_gone(case)

    def test_a_volume_that_has_grown_after_all_is_accounted_for(self) -> None:
        case = self.driver.case("resize-volume", lambda p: p.lose_response("ensure_volume", times=10))
        self.driver.run(case)
        self.assertEqual((State.REVERTED, "ACTIVE"), (self.driver.state(case), self.status(case)[0]))
        self.assertEqual([], self.disagreements(case))
        with self.db.reader() as session:
            self.assertEqual(5, case.instance(session).volume_gib)
