# SPDX-License-Identifier: Apache-2.0

import re
from pathlib import Path

from trove.datastores import parameter_values, parameters
from trove.domain.parameter_rule import Rule
from trove.tests import base

POSTGRESQL = Path(parameters.__file__).parent / "postgresql" / "parameters.yaml"

DATA = """
Word: {type: string, default: '', restart: false}
count: {type: integer, min: 1, max: 100, default: '10', restart: true}
memory: {type: integer, unit: 8kB, min: 16, max: 1024, default: '64', restart: false}
old_one: {type: boolean, default: 'off', restart: false, until: '16'}
pace: {type: enum, values: ['on', 'off', slow], default: slow, restart: false, since: '17'}
"""

P = parameters.Parameter


class TestLoad(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.tempdir() / "parameters.yaml"
        self.path.write_text(DATA)

    def test_of_a_version(self) -> None:
        self.assertEqual(["Word", "count", "memory", "old_one"], list(parameters.load(self.path, "16.9")))
        self.assertEqual(["Word", "count", "memory", "pace"], list(parameters.load(self.path, "17")))
        self.assertEqual(5, len(parameters.load(self.path, "trixie")))

    def test_of_a_series_and_of_its_releases(self) -> None:
        path = self.tempdir() / "parameters.yaml"
        early = "early: {type: boolean, restart: false, until: '8.0'}"
        late = "late: {type: boolean, restart: false, since: '8.4'}"
        path.write_text(f"{early}\n{late}\n")
        for version, names in {
            "7": ["early"], "7.9": ["early"], "8": ["early", "late"], "8.0": ["early"], "8.0.30": ["early"], "8.3": [],
            "8.4": ["late"], "8.4.6": ["late"], "9": ["late"], "9.7": ["late"],
        }.items():  # fmt: skip
            self.assertEqual(names, list(parameters.load(path, version)), version)

    def test_what_is_known_of_each(self) -> None:
        found = parameters.load(self.path, "17", protected=["COUNT"])
        self.assertEqual(
            P("count", "integer", min=1, max=100, restart=True, default="10", protected=True), found["count"]
        )
        self.assertEqual(P("pace", "enum", values=("on", "off", "slow"), default="slow"), found["pace"])

    def test_names_in_any_case(self) -> None:
        found = parameters.load(self.path, "16")
        self.assertEqual("Word", self.found(found, "wORD"))
        self.assertEqual("old_one", self.found(found, "Old-One"))
        self.assertIsNone(parameters.find(found, "nothing"))

    def found(self, known: parameters.Parameters, name: str) -> str:
        parameter = parameters.find(known, name)
        assert parameter is not None
        return parameter.name

    def test_every_default_of_the_data_can_be_set(self) -> None:
        for path in sorted(Path(parameters.__file__).parent.glob("*/parameters.yaml")):
            for parameter in parameters.load(path, "all").values():
                value: object = parameter.default
                if parameter.default and re.fullmatch(r"-?[0-9]+", parameter.default):
                    value = int(parameter.default)
                elif parameter.default and parameter.type == "float":
                    value = float(parameter.default)
                self.assertTrue(parameter.type != "enum" or parameter.values, f"{path}: {parameter}")
                # An engine that tells no default has none, or one of its machine.
                if parameter.default and parameter.type != "string":
                    self.assertIsNone(parameter_values.check(parameter, value), f"{path}: {parameter}")


class TestMerge(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.known = {
            "a": P("a", "integer", min=1, max=9),
            "b": P("b", "enum", values=("x", "y")),
            "c": P("c", "string", protected=True),
        }

    def merge(self, *rules: Rule) -> parameters.Parameters:
        return parameters.merge(self.known, rules)

    def test_a_rule_adds(self) -> None:
        added = self.merge(Rule("AA", "float", True, min=0.5))
        self.assertEqual(["AA", "a", "b", "c"], list(added))
        self.assertEqual(P("AA", "float", min=0.5, restart=True), added["AA"])

    def test_a_rule_changes_bounds_and_keeps_the_engine_s_spelling(self) -> None:
        self.assertEqual(
            P("a", "integer", min=1, max=5, restart=True), self.merge(Rule("A", "integer", True, max=5))["a"]
        )

    def test_an_enumeration_stays_one_unless_the_type_is_another(self) -> None:
        self.assertEqual(("x", "y"), self.merge(Rule("b", "string", True))["b"].values)
        self.assertEqual(P("b", "integer", min=1, max=2), self.merge(Rule("b", "integer", False, min=1, max=2))["b"])

    def test_a_rule_hides_but_never_frees_what_is_protected(self) -> None:
        self.assertEqual(["b", "c"], list(self.merge(Rule("a", "integer", False, hidden=True))))
        for rule in (Rule("c", "string", False, hidden=True), Rule("C", "integer", False)):
            self.assertEqual(self.known, dict(self.merge(rule)))
