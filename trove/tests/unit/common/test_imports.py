# SPDX-License-Identifier: Apache-2.0
"""Importing without something."""

import importlib
import sys

import fixtures

from trove.common import imports
from trove.tests.base import UnitTestCase

NAME = "trove_test_needless"


class TestWithout(UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        site = self.tempdir()
        (site / f"{NAME}.py").write_text("loaded = True\n")
        self.useFixture(fixtures.MonkeyPatch("sys.path", [str(site), *sys.path]))
        self.addCleanup(sys.modules.pop, NAME, None)

    def load(self) -> object:
        return importlib.import_module(NAME)

    def test_hidden_inside_and_there_afterwards(self) -> None:
        with imports.without(NAME):
            self.assertRaises(ImportError, self.load)
        self.assertNotIn(NAME, sys.modules)
        self.assertTrue(self.load().loaded)

    def test_what_is_loaded_already_stays(self) -> None:
        module = self.load()
        with imports.without(NAME):
            self.assertIs(module, self.load())
        self.assertIs(module, sys.modules[NAME])

    def test_shown_again_after_a_failure(self) -> None:
        def fail() -> None:
            with imports.without(NAME):
                raise ValueError("in between")

        self.assertRaises(ValueError, fail)
        self.assertTrue(self.load().loaded)

    def test_whoever_loads_it_all_the_same_keeps_it(self) -> None:
        with imports.without(NAME):
            del sys.modules[NAME]
            module = self.load()
        self.assertIs(module, sys.modules[NAME])
