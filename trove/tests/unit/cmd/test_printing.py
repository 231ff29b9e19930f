# SPDX-License-Identifier: Apache-2.0
import datetime
import json

from trove.cmd import printing
from trove.tests import base

MOMENT = datetime.datetime(2026, 1, 15, 10, 30)


class PrintingTest(base.UnitTestCase):
    def test_values(self) -> None:
        for value, shown in ((None, "-"), (MOMENT, "2026-01-15T10:30:00"), ({"a": 1}, '{"a": 1}'), (0, "0"), ("", "")):
            self.assertEqual(shown, printing.text(value))

    def test_json(self) -> None:
        shown = printing.as_json([{"at": MOMENT, "no": None}])
        self.assertEqual([{"at": "2026-01-15T10:30:00", "no": None}], json.loads(shown))

    def test_a_table_is_aligned_and_its_lines_are_whole(self) -> None:
        shown = printing.table(["id", "said"], [{"id": 1, "said": None}, {"id": 22222, "said": "a\nb\x1b[31m"}])
        heading, first, second = shown.split("\n")
        self.assertEqual(("id     said", "1      -"), (heading, first))
        self.assertTrue(second.startswith("22222  a"))
        self.assertNotIn("\x1b", second)
        self.assertEqual("id", printing.table(["id"], []))
