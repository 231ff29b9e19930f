# SPDX-License-Identifier: Apache-2.0
# covers: doc/ext/trove_facts.py
"""The tables of symbols in the documentation are complete: what the code can say is in them, with a meaning."""

import importlib.util
import pathlib
import re
import sys

import trove
from trove.api import schemas
from trove.common import exception
from trove.domain import operations
from trove.tests import base

_ROOT = pathlib.Path(__file__).resolve().parents[4]
_PACKAGE = pathlib.Path(trove.__file__).parent
#: What symbols begin with, apart from those that only ever stand in classes.
_NOUNS = "command|database|datastore|engine|guest|provider|user|workflow"


def _load():  # type: ignore[no-untyped-def]  # a module made from a file has no static type
    spec = importlib.util.spec_from_file_location("trove_facts", _ROOT / "doc" / "ext" / "trove_facts.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["trove_facts"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


facts = _load()


class SymbolsTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.answers = {symbol.name: symbol for symbol in facts.answers()}
        self.faults = {symbol.name: symbol for symbol in facts.faults()}

    def test_every_error_class_is_listed_with_its_status(self) -> None:
        pending, seen = [exception.TroveError], 0
        while pending:
            error = pending.pop()
            pending += [child for child in error.__subclasses__() if not child.__module__.startswith("trove.tests")]
            self.assertEqual(error.code, self.answers[error.symbol].status, error.__qualname__)
            seen += 1
        self.assertGreater(seen, 30)

    def test_every_declared_symbol_is_listed(self) -> None:
        text = "\n".join(path.read_text("utf-8") for path in _PACKAGE.rglob("*.py") if "tests" not in path.parts)
        declared = re.findall(r'^    symbol(?:: [\w\[\]]+)? = "([a-z_.]+)"$', text, re.MULTILINE)
        self.assertEqual(set(), set(declared) - set(self.answers) - set(self.faults))

    def test_every_literal_symbol_is_listed(self) -> None:
        pattern = re.compile(rf'"((?:{_NOUNS})\.[a-z_]+)"')
        for path in _PACKAGE.rglob("*.py"):
            if "tests" in path.parts:
                continue
            # Kinds of work and schemas have names of the same form.
            found = set(pattern.findall(path.read_text("utf-8"))) - set(operations.KINDS) - set(schemas.load())
            found -= facts._BEGINNINGS
            self.assertEqual(set(), found - set(self.answers) - set(self.faults), path)

    def test_every_symbol_has_a_meaning(self) -> None:
        for symbol in (*self.answers.values(), *self.faults.values()):
            self.assertRegex(symbol.meaning, r"^\S.*[.…]$", symbol.name)

    def test_words_are_about_symbols_that_exist(self) -> None:
        self.assertEqual(set(), set(facts._WORDS) - set(self.faults))

    def test_statuses_are_errors(self) -> None:
        for symbol in self.answers.values():
            self.assertIn(symbol.status // 100, (4, 5), symbol.name)
