# SPDX-License-Identifier: Apache-2.0
from typing import Any

from trove.datastores import spi
from trove.datastores.enginelib import commands
from trove.tests import base


class DriverError(Exception):
    """What a driver raises."""


def told(err: Exception) -> spi.EngineError | None:
    return commands.refused(str(err)) if isinstance(err, DriverError) else None


class TranslatedTest(base.UnitTestCase):
    def run_it(self, error: Exception | None) -> Any:
        def act(asked: str) -> dict[str, str]:
            if error is not None:
                raise error
            return {"asked": asked}

        return commands.translated({"act": act}, told)["act"]("this")

    def test_answers_pass(self) -> None:
        self.assertEqual({"asked": "this"}, self.run_it(None))

    def test_what_a_driver_raises_becomes_the_one_error(self) -> None:
        cause = DriverError("no such user")
        error = self.assertRaises(spi.EngineError, self.run_it, cause)
        self.assertEqual("engine.refused", error.symbol)
        self.assertIn("refused: no such user", str(error))
        self.assertIs(cause, error.__cause__)

    def test_errors_of_the_interface_and_mistakes_of_ours_stay_what_they_are(self) -> None:
        for error in (spi.EngineError("engine.disk_full", "Full."), ZeroDivisionError("ours")):
            self.assertIs(error, self.assertRaises(type(error), self.run_it, error))
            self.assertIsNone(error.__cause__)
