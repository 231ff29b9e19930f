# SPDX-License-Identifier: Apache-2.0
"""What a guest says of modules is taken only when it is what we know."""

from typing import Any

from trove.objects.instance_module import ModuleReport
from trove.taskmanager.steps import modules
from trove.tests import base

GOOD = {"id": "a", "status": "OK", "message": "m", "md5": "0" * 32}


class SaidTest(base.UnitTestCase):
    def test_results(self) -> None:
        told = {"modules": [GOOD, {**GOOD, "id": "b", "status": "ERROR", "message": None}]}
        self.assertEqual(
            [ModuleReport("a", "0" * 32, "OK", "m"), ModuleReport("b", "0" * 32, "ERROR", None)],
            modules.reports_of(told),
        )

    def test_nonsense(self) -> None:
        strange: list[Any] = [None, 7, [], {}, {**GOOD, "id": 7}, {**GOOD, "status": "FINE"}, {**GOOD, "md5": "x"}]
        for told in (None, {}, {"modules": None}, {"modules": "ab"}, {"modules": strange}):
            self.assertEqual([], modules.reports_of(told))
        self.assertEqual(
            [ModuleReport("a", "0" * 32, "OK", None)], modules.reports_of({"modules": [{**GOOD, "message": 7}]})
        )
