# SPDX-License-Identifier: Apache-2.0
"""When a step that did not succeed is tried again."""

import datetime

from trove.common.backoff import EXACT, Backoff
from trove.tests import base
from trove.tests.unit.workflow import flows
from trove.workflow import transitions
from trove.workflow.model import Retry, State, StepState
from trove.workflow.records import Run, StepRecord
from trove.workflow.registry import Plan

_NOW = datetime.datetime(2030, 1, 1)


class TestAgain(base.UnitTestCase):
    def wait(self, result: Retry | transitions.Raised, attempt: int) -> float:
        """Return the seconds until a step is tried again whose ``attempt`` ended with ``result``."""
        run = Run(
            id="w", kind=flows.KIND.name, version=1, resource_type="instance", resource_id="i", project_id="p",
            request_id=None, inputs={}, state=State.RUNNING, cursor=0, wake_at=_NOW, deadline=None,
            cancel_requested=False, owner="me", epoch=1, ttl=30.0, now=_NOW,
            steps={"a": StepRecord("a", 0, "token", attempt=attempt)},
        )  # fmt: skip
        plan = Plan(flows.flow(flows.KIND, flows.Ensure("a"), max_attempts=9))
        backoff = Backoff(first=2.0, cap=10.0, jitter=EXACT)
        transitions.apply(run, plan, "a", result, began=_NOW, backoff=backoff)
        row = run.steps["a"]
        self.assertEqual((StepState.PENDING, attempt + 1), (row.state, row.attempt))
        assert row.deadline is not None
        return (row.deadline - _NOW).total_seconds()

    def test_after_an_error_each_wait_is_twice_as_long(self) -> None:
        self.assertEqual([2.0, 4.0, 8.0, 10.0], [self.wait(transitions.Raised("x"), n) for n in (1, 2, 3, 4)])

    def test_what_a_step_asked_for_is_never_shortened(self) -> None:
        waits = {self.wait(Retry(8.0, "x"), 3) for _ in range(50)}
        self.assertTrue(all(8.0 <= wait <= 10.0 for wait in waits), waits)
        self.assertGreater(len(waits), 25)
