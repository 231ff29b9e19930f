# SPDX-License-Identifier: Apache-2.0

import re
from pathlib import Path
from typing import Any

from trove.datastores import parameters
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
                    self.assertIsNone(parameters.check(parameter, value), f"{path}: {parameter}")


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


class TestValues(base.UnitTestCase):
    def accepts(self, parameter: P, *values: Any) -> None:
        for value in values:
            self.assertIsNone(parameters.check(parameter, value), value)

    def refuses(self, parameter: P, *values: Any) -> None:
        for value in values:
            self.assertIn(parameter.name, parameters.check(parameter, value) or "", value)

    def test_integer(self) -> None:
        parameter = P("p", "integer", min=1, max=100)
        self.accepts(parameter, 1, 100)
        self.refuses(parameter, 0, 101, "10", "10kB", 1.5, True, None, [], {})
        self.assertEqual("p must be an integer from 1 to 100.", parameters.check(parameter, "x"))
        self.accepts(P("p", "integer"), -(2**63), 2**64 - 1)
        self.refuses(P("p", "integer"), 2**64, -(10**30))

    def test_unit_of_memory(self) -> None:
        parameter = P("p", "integer", unit="8kB", min=16, max=1024)
        self.accepts(parameter, 16, "128kB", "8MB", "1 MB", "0.5MB")
        self.refuses(parameter, "127kB", "9MB", "16", "10s", "8mb", "1MB;", "MB", "-8MB", "1MB\n")
        self.assertIn("unit of memory", parameters.check(parameter, 1) or "")

    def test_unit_of_time(self) -> None:
        parameter = P("p", "integer", unit="s", min=30, max=86400)
        self.accepts(parameter, 30, "30s", "1min", "24h", "1d", "30000ms")
        self.refuses(parameter, "2d", "29s", "1MB", "1 month")

    def test_float(self) -> None:
        parameter = P("p", "float", unit="ms", min=0.0, max=100.0)
        self.accepts(parameter, 0, 0.5, 100, "2ms", "0.1s")
        self.refuses(parameter, -1, 100.1, float("nan"), float("inf"), "1", True, None)

    def test_boolean(self) -> None:
        parameter = P("p", "boolean")
        for value in (True, 1, "on", "Yes", "TRUE"):
            self.assertIs(True, parameters.canonical(parameter, value))
        for value in (False, 0, "off", "NO", "0"):
            self.assertIs(False, parameters.canonical(parameter, value))
        self.refuses(parameter, 2, "maybe", 1.0, None, [])

    def test_enumeration(self) -> None:
        parameter = P("p", "enum", values=("always", "on", "off"))
        self.assertEqual("always", parameters.canonical(parameter, "Always"))
        self.assertEqual(["on", "off"], [parameters.canonical(parameter, value) for value in (True, False)])
        self.refuses(parameter, "never", 1, 1.0, None)

    def test_text(self) -> None:
        parameter = P("p", "string")
        self.accepts(parameter, "", "name = 'é'", "x" * 4096)
        self.refuses(parameter, "x" * 4097, "a\nb", "a\x00", 1, True, None)

    def test_size(self) -> None:
        parameter = P("p", "size", unit="B", min=1024, max=2**40)
        self.accepts(parameter, 1024, "1kb", "64MB", "1024", "2k")
        self.refuses(parameter, 1023, "1k", "5%", "1tb", "", True, 1.5, None)
        self.accepts(P("p", "size-or-percent"), 0, "5%", "64mb")
        self.refuses(P("p", "size-or-percent"), "101%", "x", None)

    def test_octal(self) -> None:
        self.assertEqual("700", parameters.canonical(P("p", "octal"), 700))
        self.refuses(P("p", "octal"), "8", "77777", 9, True, None)

    def test_protected(self) -> None:
        self.assertIn("managed by the service", parameters.check(P("p", "string", protected=True), "x") or "")

    def test_every_reason_at_once(self) -> None:
        known = {"A": P("A", "integer"), "b": P("b", "boolean"), "c": P("c", "string")}
        kept, reasons = parameters.judge(known, {"a": 1, "A": 2, "b": "on", "c": 1, "nothing": 1})
        self.assertEqual({"A": 1, "b": True}, kept)
        self.assertEqual(3, len(reasons), reasons)
        for word, reason in zip(
            ("A is given twice", "c must be text", "nothing is not a parameter"), reasons, strict=True
        ):
            self.assertIn(word, reason)

    def test_real_data(self) -> None:
        known = parameters.load(POSTGRESQL, "17.12")
        kept, reasons = parameters.judge(known, {"WORK_MEM": "16MB", "timezone": "UTC", "max_connections": 50})
        self.assertFalse(reasons)
        self.assertEqual({"work_mem": "16MB", "TimeZone": "UTC", "max_connections": 50}, kept)
        self.assertEqual((False, True), (known["work_mem"].restart, known["max_connections"].restart))
