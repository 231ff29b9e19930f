# SPDX-License-Identifier: Apache-2.0
"""State machines as data."""

from trove.domain.fsm import InvalidTransition, Machine, Transition
from trove.tests import base


class TestMachine(base.UnitTestCase):
    machine = Machine("light", [Transition("off", "press", "on"), Transition("on", "press", "off")])

    def test_next(self) -> None:
        self.assertEqual("on", self.machine.next("off", "press"))
        self.assertEqual(frozenset({"on", "off"}), self.machine.states)
        self.assertEqual(frozenset({"on", "off"}), self.machine.sources("press"))
        self.assertEqual(frozenset(), self.machine.sources("kick"))

    def test_what_the_table_does_not_name_is_refused(self) -> None:
        for state, event in (("off", "kick"), ("broken", "press")):
            self.assertFalse(self.machine.allows(state, event))
            err = self.assertRaises(InvalidTransition, self.machine.next, state, event)
            self.assertEqual((state, event), (err.state, err.event))

    def test_two_lines_for_one_event(self) -> None:
        lines = [Transition("off", "press", "on"), Transition("off", "press", "off")]
        self.assertIn("light", str(self.assertRaises(ValueError, Machine, "light", lines)))
