# SPDX-License-Identifier: Apache-2.0
from typing import Any

from trove.api import microversions, query, validation
from trove.api.schemas import atoms
from trove.common import exception
from trove.tests import base

_SCHEMA = atoms.query({"limit": atoms.LIMIT, "marker": atoms.MARKER, "deleted": {"type": "boolean"}})


class ParseTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.validators = validation.Validators({"q": _SCHEMA})

    def parse(self, text: str, name: str | None = "q", version: Any = microversions.MIN) -> dict[str, Any]:
        return query.parse(text, name, version, self.validators)

    def test_typed(self) -> None:
        self.assertEqual({"limit": 5, "marker": "5", "deleted": True}, self.parse("limit=5&marker=5&deleted=True"))
        self.assertEqual({}, self.parse(""))

    def test_spellings_of_booleans(self) -> None:
        for text, value in {"True": True, "true": True, "1": True, "False": False, "false": False, "0": False}.items():
            self.assertEqual({"deleted": value}, self.parse(f"deleted={text}"))
        self.assertRaises(exception.ValidationFailed, self.parse, "deleted=yes")
        self.assertRaises(exception.ValidationFailed, self.parse, "deleted=")

    def test_limits_that_are_none(self) -> None:
        for text in ("abc", "0", "-1", "", "1.5", "%20", "1e3", "1_0", "9" * 30, "%D9%A3"):
            with self.subTest(text):
                self.assertRaises(exception.ValidationFailed, self.parse, f"limit={text}")

    def test_unknown_parameters(self) -> None:
        self.assertEqual({"limit": 1}, self.parse("limit=1&x=y"))
        error = self.assertRaises(exception.ValidationFailed, self.parse, "limit=1&x=y", version=microversions.MAX)
        self.assertIn("'x'", str(error))
        self.assertEqual({}, self.parse("limit=abc", name=None))
        self.assertRaises(exception.ValidationFailed, self.parse, "limit=1", name=None, version=microversions.MAX)

    def test_odd_text(self) -> None:
        for text in (
            "marker=%ff",
            "marker=%00",
            "marker=a&marker=b",
            "&".join(f"a{n}=1" for n in range(100)),
            "marker=" + "x" * 2000,
        ):
            with self.subTest(text[:20]):
                self.assertRaises(exception.BadRequest, self.parse, text)

    def test_what_clients_paste_unquoted(self) -> None:
        self.assertEqual({"marker": "user@%"}, self.parse("marker=user@%"))
