# SPDX-License-Identifier: Apache-2.0
"""What changes the fingerprint of a flow, and what does not."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import fixtures

from trove.domain import operations
from trove.tests import base
from trove.tests.unit.workflow import flows
from trove.workflow import fan_out, fingerprint, testing
from trove.workflow.model import FROM_START, Done, Flow, Parallel, Result, StepContext


class _Made:
    """A step with something of everything that steps are made with."""

    name = "made"

    def __init__(self, make: Callable[..., Any], *, inner: Any = None, timeout: float = 1.0, more: Any = None) -> None:
        self._make = make
        self._inner = inner
        self._timeout = timeout
        self._more = more

    def run(self, ctx: StepContext) -> Result:
        return Done()

    undo = run


def _maker(which: str) -> Callable[[], str]:
    return lambda: which


class TestFlow(base.UnitTestCase):
    def test_every_field_counts_but_the_hooks(self) -> None:
        flow = flows.create_flow()
        was = fingerprint.of(flow)
        self.assertEqual(was, fingerprint.of(flows.create_flow()))
        changes: dict[str, Any] = {
            "kind": "sample.other",
            "version": 2,
            "steps": flow.steps[::-1],
            "pivot": FROM_START,
            "timeout": 1.0,
            "undo_timeout": 1.0,
            "max_attempts": 2,
        }
        hooks = {"on_success", "on_reverted", "on_parked"}
        self.assertEqual({item.name for item in dataclasses.fields(Flow)}, changes.keys() | hooks)
        for name, value in changes.items():
            self.assertNotEqual(was, fingerprint.of(dataclasses.replace(flow, **{name: value})), name)
        for name in hooks:
            self.assertEqual(was, fingerprint.of(dataclasses.replace(flow, **{name: testing.no_hook})))

    def test_steps_and_their_grouping_count(self) -> None:
        flow = flows.grouped_flow()
        first, group, last = flow.steps
        assert isinstance(group, Parallel)
        for steps in (
            (first, *group.members, last),
            (first, group),
            (first, group, flows.Ensure("renamed")),
            (first, Parallel("members", group.members[::-1]), last),
        ):
            self.assertNotEqual(fingerprint.of(flow), fingerprint.of(dataclasses.replace(flow, steps=steps)))

    def test_inputs_of_the_kind_count(self) -> None:
        flow = dataclasses.replace(flows.create_flow(), kind=operations.INSTANCE_MIGRATE.name)
        was = fingerprint.of(flow)
        other = dataclasses.replace(operations.INSTANCE_MIGRATE, inputs={"host": "string"})
        self.useFixture(fixtures.MonkeyPatch("trove.domain.operations.KINDS", {other.name: other}))
        self.assertNotEqual(was, fingerprint.of(flow))


class TestSteps(base.UnitTestCase):
    @staticmethod
    def of(step: Any) -> str:
        return fingerprint.of(flows.flow(flows.KIND, step))

    def test_whatever_a_step_was_made_with_counts(self) -> None:
        inner = flows.Ask("q")
        made = [
            _Made(_maker("old")),
            _Made(_maker("new")),
            _Made(functools.partial(_maker, "old")),
            _Made(_maker("old"), timeout=2.0),
            _Made(_maker("old"), inner=inner),
            _Made(_maker("old"), inner=flows.Ask("q", timeout=61.0)),
            _Made(_maker("old"), inner=(inner, flows.Ensure("a"))),
            _Made(_maker("old"), inner=(flows.Ensure("a"), inner)),
            _Made(_maker("old"), more={"a": 1}),
            _Made(_maker("old"), more=frozenset({"a"})),
            _Made(_maker("old"), more=fan_out.Failures.FAIL),
            _Made(_maker("old"), more=fan_out.Failures.COLLECT),
        ]
        self.assertEqual(len(made), len({self.of(step) for step in made}))
        self.assertEqual(self.of(_Made(_maker("old"))), self.of(made[0]), "addresses do not count")

    def test_what_it_keeps_of_a_reply_counts(self) -> None:
        step = _Made(_maker("old"))
        was = self.of(step)
        step.reply = {"x": "string"}  # type: ignore[attr-defined]
        self.assertNotEqual(was, self.of(step))

    def test_a_parameter_that_is_left_out_does_not_count(self) -> None:
        older = _Made(_maker("old"))
        del older._more
        self.assertEqual(self.of(older), self.of(_Made(_maker("old"))))

    def test_how_wide_a_step_fans_out_counts(self) -> None:
        def fan(width: int) -> fan_out.FanOut:
            return fan_out.FanOut("fan", "names", flows.MEMBER, width=width)

        self.assertNotEqual(self.of(fan(1)), self.of(fan(2)))
