# SPDX-License-Identifier: Apache-2.0

from pathlib import Path
from typing import Any

from trove.datastores import parameter_values, parameters
from trove.tests import base

POSTGRESQL = Path(parameters.__file__).parent / "postgresql" / "parameters.yaml"

P = parameters.Parameter


class TestValues(base.UnitTestCase):
    def accepts(self, parameter: P, *values: Any) -> None:
        for value in values:
            self.assertIsNone(parameter_values.check(parameter, value), value)

    def refuses(self, parameter: P, *values: Any) -> None:
        for value in values:
            self.assertIn(parameter.name, parameter_values.check(parameter, value) or "", value)

    def test_integer(self) -> None:
        parameter = P("p", "integer", min=1, max=100)
        self.accepts(parameter, 1, 100)
        self.refuses(parameter, 0, 101, "0", "101", "10kB", "1e1", "1_0", " 1", "", "٣", 1.5, True, None, [], {})
        self.assertEqual([10, 10], [parameter_values.canonical(parameter, value) for value in (10, "10")])
        self.assertEqual("p must be an integer from 1 to 100.", parameter_values.check(parameter, "x"))
        self.accepts(P("p", "integer"), -(2**63), 2**64 - 1)
        self.refuses(P("p", "integer"), 2**64, -(10**30))

    def test_unit_of_memory(self) -> None:
        parameter = P("p", "integer", unit="8kB", min=16, max=1024)
        self.accepts(parameter, 16, "128kB", "8MB", "1 MB", "0.5MB")
        self.refuses(parameter, "127kB", "9MB", "15", "10s", "8mb", "1MB;", "MB", "-8MB", "1MB\n")
        self.assertIn("unit of memory", parameter_values.check(parameter, 1) or "")

    def test_unit_of_time(self) -> None:
        parameter = P("p", "integer", unit="s", min=30, max=86400)
        self.accepts(parameter, 30, "30s", "1min", "24h", "1d", "30000ms")
        self.refuses(parameter, "2d", "29s", "1MB", "1 month")

    def test_float(self) -> None:
        parameter = P("p", "float", unit="ms", min=0.0, max=100.0)
        self.accepts(parameter, 0, 0.5, 100, "2ms", "0.1s")
        self.refuses(parameter, -1, 100.1, float("nan"), float("inf"), "nan", "1e999", "101", ".", "1s1", True, None)
        for value in (0.9, "0.9", "9e-1", "+0.90"):
            self.assertEqual(0.9, parameter_values.canonical(parameter, value))

    def test_a_number_with_a_suffix(self) -> None:
        parameter = P("p", "suffixed", min=1024, max=2**40)
        for value in (2**27, str(2**27), "128M", "128m", "131072K"):
            self.assertEqual(2**27, parameter_values.canonical(parameter, value))
        self.accepts(parameter, "1k", "1T", "1024")
        self.refuses(parameter, "1023", "2T", "1E", "128MB", "128 M", "1.5G", "M", "", "0x10", True, 1.5, None)
        self.assertEqual(
            'p must be an integer, or text such as "128M" from 1024 to 1099511627776.',
            parameter_values.check(parameter, "x"),
        )

    def test_a_floor(self) -> None:
        parameter = P("p", "integer", unit="ms", min=0, max=10000, floor=1000)
        self.accepts(parameter, 0, "0", "0ms", 1000, "1s", 10000)
        self.refuses(parameter, 1, 999, "999ms", -1, 10001)
        self.assertEqual(
            "p must be 0, or an integer (unit ms) or text with a unit of time from 1000 to 10000.",
            parameter_values.check(parameter, 1),
        )
        never_off = P("p", "integer", min=1, max=100, floor=16)
        self.refuses(never_off, 0, 1, 15)
        self.assertEqual("p must be an integer from 16 to 100.", parameter_values.check(never_off, 0))

    def test_a_time_zone(self) -> None:
        parameter = P("p", "time-zone")
        for value, kept in {
            "+05:30": "+05:30", "-8:00": "-08:00", "+14:00": "+14:00", "-13:59": "-13:59", "system": "SYSTEM",
            "utc": "+00:00", "Europe/Berlin": "Europe/Berlin", "Etc/GMT+5": "Etc/GMT+5",
        }.items():  # fmt: skip
            self.assertEqual(kept, parameter_values.canonical(parameter, value))
        self.refuses(parameter, "+14:01", "-14:00", "05:30", "+5", "+05:60", "'", "", "a b", 5, True, None)

    def test_limits_of_buffers(self) -> None:
        parameter = P("p", "buffer-limits", floor=2**20)
        self.accepts(
            parameter, "normal 0 0 0", "normal 1mb 2mb 10", "replica 256mb 64mb 60 pubsub 1 1 1", "Normal 0 1mb 5"
        )
        self.refuses(
            parameter, "normal 1 0 0", "pubsub 1 1 1 normal 0 1000k 1", "normal 0 0", "all 0 0 0", "normal 0 0 x", "", 1
        )

    def test_boolean(self) -> None:
        parameter = P("p", "boolean")
        for value in (True, 1, "on", "Yes", "TRUE", "t", "y"):
            self.assertIs(True, parameter_values.canonical(parameter, value))
        for value in (False, 0, "off", "NO", "0", "F", "n"):
            self.assertIs(False, parameter_values.canonical(parameter, value))
        self.refuses(parameter, 2, "maybe", 1.0, None, [])

    def test_enumeration(self) -> None:
        parameter = P("p", "enum", values=("always", "on", "off"))
        self.assertEqual("always", parameter_values.canonical(parameter, "Always"))
        self.assertEqual(["on", "off"], [parameter_values.canonical(parameter, value) for value in (True, False)])
        for value in ("yes", "TRUE", 1, "1"):
            self.assertEqual("on", parameter_values.canonical(parameter, value))
        self.refuses(parameter, "never", 2, 1.0, None)
        self.refuses(P("p", "enum", values=("slow", "fast")), True, "on", 1)

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
        self.assertEqual("700", parameter_values.canonical(P("p", "octal"), 700))
        self.refuses(P("p", "octal"), "8", "77777", 9, True, None)

    def test_protected(self) -> None:
        self.assertIn("managed by the service", parameter_values.check(P("p", "string", protected=True), "x") or "")

    def test_every_reason_at_once(self) -> None:
        known = {"A": P("A", "integer"), "b": P("b", "boolean"), "c": P("c", "string")}
        kept, reasons = parameter_values.judge(known, {"a": 1, "A": 2, "b": "on", "c": 1, "nothing": 1})
        self.assertEqual({"A": 1, "b": True}, kept)
        self.assertEqual(3, len(reasons), reasons)
        for word, reason in zip(
            ("A is given twice", "c must be text", "nothing is not a parameter"), reasons, strict=True
        ):
            self.assertIn(word, reason)

    def test_an_alias(self) -> None:
        known = {"zone": P("zone", "time-zone", aliases=("default_zone",))}
        self.assertEqual(({"zone": "+01:00"}, []), parameter_values.judge(known, {"Default-Zone": "+1:00"}))
        self.assertIn("given twice", parameter_values.judge(known, {"zone": "SYSTEM", "default_zone": "UTC"})[1][0])

    def test_real_data(self) -> None:
        known = parameters.load(POSTGRESQL, "17.12")
        kept, reasons = parameter_values.judge(known, {"WORK_MEM": "16MB", "timezone": "UTC", "max_connections": 50})
        self.assertFalse(reasons)
        self.assertEqual({"work_mem": "16MB", "TimeZone": "UTC", "max_connections": 50}, kept)
        self.assertEqual((False, True), (known["work_mem"].restart, known["max_connections"].restart))
