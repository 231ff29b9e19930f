# SPDX-License-Identifier: Apache-2.0
"""Malformed flows are refused when they are registered, not when they run."""

import dataclasses

from trove.tests import base
from trove.tests.unit.workflow import flows
from trove.tests.unit.workflow.flows import KIND, Ensure
from trove.workflow.model import FROM_START, Parallel
from trove.workflow.registry import Plan, Registry


class TestRegistry(base.UnitTestCase):
    def test_versions(self) -> None:
        old = flows.flow(KIND, Ensure("a"))
        new = dataclasses.replace(old, version=2)
        registry = Registry([new, old])
        self.assertIs(new, registry.latest(KIND.name))
        self.assertIs(old, registry.get(KIND.name, 1))
        self.assertEqual((old, new), registry.all_flows())
        self.assertEqual(((KIND.name, 1), (KIND.name, 2)), registry.keys())
        self.assertRaises(KeyError, registry.get, KIND.name, 3)
        self.assertRaises(KeyError, registry.latest, "other")
        self.assertRaises(ValueError, registry.register, old)

    def test_pivot(self) -> None:
        steps = (Ensure("a"), Parallel("g", (Ensure("b"), Ensure("c"))), Ensure("d"))
        for pivot, index in ((None, 3), (FROM_START, -1), ("a", 0), ("g", 1), ("d", 2)):
            self.assertEqual(index, Plan(flows.flow(KIND, *steps, pivot=pivot)).pivot)
        for pivot in ("b", "other"):
            self.assertRaises(ValueError, Plan, flows.flow(KIND, *steps, pivot=pivot))

    def test_refused(self) -> None:
        for steps in (
            (),
            (Parallel("g", ()),),
            (Ensure("a"), Ensure("a")),
            (Ensure("a"), Parallel("g", (Ensure("a"),))),
            (Parallel("g", (Ensure("a"),)), Parallel("g", (Ensure("b"),))),
            (Ensure("x" * 65),),
            (Ensure(""),),
        ):
            self.assertRaises(ValueError, Registry, [flows.flow(KIND, *steps)])
