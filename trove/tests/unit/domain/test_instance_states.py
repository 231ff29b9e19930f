# SPDX-License-Identifier: Apache-2.0
"""The life of an instance: every state can be reached and left, and every status has a word."""

import datetime

import msgspec

from trove.domain import instance_states as states
from trove.tests import base
from trove.wire.base import Word

_NOW = datetime.datetime(2026, 1, 1)


class TestMachine(base.UnitTestCase):
    def test_the_named_states_are_those_of_the_table(self) -> None:
        self.assertEqual(states.MACHINE.states, states.IN_PROGRESS | states.STABLE)
        self.assertFalse(states.IN_PROGRESS & states.STABLE)

    def test_every_state_is_reachable(self) -> None:
        reached = {states.BUILD}
        for _ in states.MACHINE.transitions:
            reached |= {t.target for t in states.MACHINE.transitions if t.source in reached}
        self.assertEqual(states.MACHINE.states, reached)

    def test_every_state_but_the_last_can_be_left_and_deleted(self) -> None:
        for state in states.MACHINE.states - {states.DELETED}:
            targets = {t.target for t in states.MACHINE.transitions if t.source == state}
            self.assertTrue(targets - {state}, state)
            self.assertTrue(states.MACHINE.allows(state, "delete"), state)
            self.assertTrue(states.MACHINE.allows(state, "reset"), state)
        self.assertFalse([t for t in states.MACHINE.transitions if t.source == states.DELETED])

    def test_work_in_progress_can_end_well_and_badly(self) -> None:
        for state in states.IN_PROGRESS - {states.SHUTDOWN}:
            events = {t.event for t in states.MACHINE.transitions if t.source == state} - {"delete", "reset"}
            self.assertLessEqual(2, len(events), state)
            self.assertEqual(1, sum(event.endswith("_failed") for event in events), state)

    def test_only_a_deletion_ends_as_deleted(self) -> None:
        self.assertEqual(
            {states.SHUTDOWN}, {t.source for t in states.MACHINE.transitions if t.target == states.DELETED}
        )


class TestServiceStatus(base.UnitTestCase):
    def test_every_status_has_a_word(self) -> None:
        statuses = {value for name, value in vars(states).items() if name.startswith("SERVICE_") and type(value) is str}
        self.assertEqual(statuses, set(states.OPERATING_WORD))

    def test_a_heartbeat_accepts_what_guests_may_report(self) -> None:
        for word in states.REPORTABLE_SERVICE_STATUSES:
            self.assertEqual(word, msgspec.convert(word, Word))

    def operating(self, status: str, service: str, age: float | None) -> str:
        reported = None if age is None else _NOW - datetime.timedelta(seconds=age)
        return states.operating_status(status, service, reported, _NOW, 90.0)

    def test_operating_status(self) -> None:
        self.assertEqual("HEALTHY", self.operating("ACTIVE", "healthy", 1))
        self.assertEqual("HEALTHY", self.operating("ACTIVE", "healthy", 90))
        self.assertEqual("ERROR", self.operating("ACTIVE", "healthy", 90.1))
        self.assertEqual("NEW", self.operating("ACTIVE", "new", None))
        self.assertEqual("ERROR", self.operating("ACTIVE", "of a newer release", 1))

    def test_reason_of_a_slowed_guest(self) -> None:
        def reason(age: float) -> str | None:
            return states.slowed_reason(_NOW - datetime.timedelta(seconds=age), _NOW)

        self.assertIsNone(states.slowed_reason(None, _NOW))
        self.assertIsNone(reason(states.SLOWED_SECONDS + 1))
        self.assertIn("reports more than the service takes", reason(1) or "")

    def test_nothing_is_said_while_something_is_in_progress(self) -> None:
        for state in states.MACHINE.states - {states.ACTIVE}:
            self.assertEqual("", self.operating(state, "healthy", 1), state)
