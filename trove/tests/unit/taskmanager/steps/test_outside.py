# SPDX-License-Identifier: Apache-2.0
"""What a provider's error means to a step."""

from types import SimpleNamespace
from typing import Any

from trove.providers import base as providers
from trove.taskmanager.steps import outside
from trove.tests import base
from trove.workflow.model import Failed, Retry, Sleep


class TestErrors(base.UnitTestCase):
    @staticmethod
    def context(attempt: int) -> Any:
        return SimpleNamespace(attempt=attempt, workflow_id="w")

    def test_every_error_is_either_passing_or_permanent(self) -> None:
        for cls in providers.ProviderError.__subclasses__():
            answer = outside.refused(self.context(1), cls("text for the operator"), "data volume")
            if cls is providers.RetryableError:
                self.assertIsInstance(answer, Retry)
                continue
            if cls is providers.NotMineError:  # no attempt: another taskmanager can
                self.assertIsInstance(answer, Sleep)
                continue
            self.assertIsInstance(answer, Failed)
            self.assertEqual(cls.symbol, answer.symbol)
            self.assertIn("data volume could not be provided", answer.message)
            self.assertNotIn("text for the operator", answer.message)
            self.assertIn("text for the operator", answer.detail)
            self.assertLessEqual(len(answer.message), 255)

    def test_waits_grow_up_to_a_minute(self) -> None:
        waits = [outside.later(self.context(n), providers.FatalError("x"), "y").after for n in range(1, 60)]
        self.assertEqual([2, 4, 8, 16, 32, 60, 60], waits[:7])
        self.assertEqual(60, max(waits))
        self.assertGreater(sum(waits[:9]), 240)


class TestRemovalPause(base.UnitTestCase):
    def test_it_grows_with_the_time_waited(self) -> None:
        looks, waited = 0, 0.0
        while waited < 1800.0:
            pause = outside.removal_pause(waited, 0.1)
            self.assertTrue(0.1 <= pause <= 5.0, pause)
            self.assertLessEqual(pause, max(0.1, waited / 4), "the end would be noticed late")
            looks, waited = looks + 1, waited + pause
        self.assertEqual((0.1, 0.1, 5.0), tuple(outside.removal_pause(waited, 0.1) for waited in (0.0, 0.4, 1800.0)))
        self.assertLess(looks, 400)
