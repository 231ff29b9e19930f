# SPDX-License-Identifier: Apache-2.0
from trove.domain import instance_states
from trove.objects import errors
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.fixtures.rows import make_instance


class InstanceTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture()).db
        with self.db.writer() as session:
            self.instance = make_instance(session)

    def test_save_refuses_what_only_events_may_move(self) -> None:
        for column, value in (("status", "ACTIVE"), ("revision", 9), ("deleted", True)):
            with self.db.writer() as session:
                instance = Instance.get(session, Scope.ALL, self.instance.id)
                instance.assign({column: value})
                self.assertRaisesRegex(ValueError, column, instance.save, session)

    def test_every_line_of_the_table_can_be_walked_and_no_other(self) -> None:
        for state in sorted(instance_states.MACHINE.states):
            for event in sorted({t.event for t in instance_states.MACHINE.transitions}):
                self._check(state, event)

    def _check(self, state: str, event: str) -> None:
        with self.db.writer() as session:
            self.instance = Instance.get(session, Scope.ALL, self.instance.id)
            self.instance._compare_and_set(session, {"status": state})
            if instance_states.MACHINE.allows(state, event):
                self.instance.process_event(session, event)
                self.assertEqual(instance_states.MACHINE.next(state, event), self.instance.status)
            else:
                self.assertRaises(errors.InvalidInstanceState, self.instance.process_event, session, event)
                self.assertEqual(state, Instance.get(session, Scope.ALL, self.instance.id).status)

    def test_a_move_is_logged_with_its_event(self) -> None:
        with self.db.writer() as session:
            self.instance.process_event(session, "created")
        self.assertIn(f"Instance {self.instance.id}: BUILD -> ACTIVE on event 'created'", self.logs.text())

    def test_pending_assignments_go_with_the_event(self) -> None:
        with self.db.writer() as session:
            self.instance.server_id = "s"
            self.instance.process_event(session, "created", port=1)
            found = Instance.get(session, Scope.ALL, self.instance.id)
        self.assertEqual(("s", 1, "ACTIVE"), (found.server_id, found.port, found.status))
