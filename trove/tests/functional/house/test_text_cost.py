# SPDX-License-Identifier: Apache-2.0
"""Text from outside costs time in proportion to its length.

A heartbeat with a long word once stopped the service: an expression was tried from each of its letters, each time to
the end of the word, while no other thread of the process ran.
"""

import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

from trove.tests import base
from trove.tests.functional.house import cost, patterns, readers

#: Expressions that only exist while the program runs, as they are written there: why each is harmless.
DYNAMIC = {
    ("trove/api/validation.py", "_to_the_end(pattern)"): "of the schemas, which are looked at by themselves",
    ("trove/datastores/mysql_family/installations.py", "pattern"): "of the banners in facts.py of each datastore",
}

#: What is in texts that were made to hurt, and what readers look for.
_UNITS = [
    *("A", "a", "0", "_", "%", ".", ":", "/", "\\", "'", '"', " ", "\t", "\n"),
    *("\r\n", ",", "=", "-", "@", "{", "[", "\0", "é"),
    *("\u202e", "passw", "secret", "token", "password=", "passw ", "password '", "a://", "a://b:", "one_time_key"),
    *("authorization ", "authorization: a ", "identified by ", "' '", '\\"', "\"'", "a=b\n", "a: b\n", "%2f", "%252F"),
    *("&a=", "aa ", "0.", "1,", "a.b.", "%_", "%a", "\\%", "[ERROR] ", "x ended with status 1: "),
    *("could not extend file", "no space left", "/x", "{}", "[]", '{"a":'),
]


class TextCostTest(base.FunctionalTestCase):
    timeout = 600

    def test_the_measure_finds_what_it_is_for(self) -> None:
        quadratic = re.compile(r"\w*secret")
        self.assertIsNotNone(cost.super_linear(quadratic.search, lambda length: "A" * length))
        linear = re.compile(r"(?<!\w)\w*+secret")
        self.assertIsNone(cost.super_linear(linear.search, lambda length: "A" * length))
        found = patterns.Pattern("here", quadratic, False)
        units, heads = patterns.attacks(found)
        self.assertTrue(any(cost.super_linear(found.read, make) for make in cost.texts(units, heads)))

    def test_a_reader_that_calls_what_does_not_exist_is_none(self) -> None:
        def read(text: str) -> object:
            modules: Any = readers
            return modules.no_such_reader(text)

        self.assertRaises(AttributeError, cost.super_linear, read, "A".__mul__)

    def test_readers(self) -> None:
        self.assertEqual([], [*self.worst(readers.READERS, _UNITS), *self.worst(readers.ALIKE, _UNITS[:12:4])])

    def test_readers_of_random_texts(self) -> None:
        chance = random.Random(7)
        units = ["".join(chance.choices(_UNITS, k=chance.randint(2, 6))) for _ in range(20)]
        self.assertEqual([], list(self.worst(readers.READERS, units)))

    @staticmethod
    def worst(found: Mapping[str, cost.Read], units: list[str]) -> Iterator[str]:
        """Yield which readers take too long for a text of one of ``units``."""
        for name, read in found.items():
            for make in cost.texts(units, [""]):
                if bad := cost.super_linear(read, make):
                    yield f"{name}, {make(12)!r}: {bad}"

    def test_expressions(self) -> None:
        worst = []
        found = [item for item in patterns.of_sources() if isinstance(item, patterns.Pattern)]
        self.assertGreater(len(found), 60)
        different = {(one.compiled, one.anchored): one for one in (*found, *patterns.of_schemas())}
        for pattern in different.values():
            for make in cost.texts(*patterns.attacks(pattern)):
                if bad := cost.super_linear(pattern.read, make):
                    worst.append(f"{pattern.place} {pattern.compiled.pattern!r}, {make(12)!r}: {bad}")
                    break
        self.assertEqual([], worst)

    def test_expressions_that_cannot_be_read_are_known(self) -> None:
        found = {(item.place, item.source) for item in patterns.of_sources() if isinstance(item, patterns.Unreadable)}
        self.assertEqual(set(DYNAMIC), found)
