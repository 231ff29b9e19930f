# SPDX-License-Identifier: Apache-2.0
"""Errors: every one has a code, a symbol of its own, and words."""

from collections.abc import Iterator

from trove.common import exception
from trove.tests import base


def _all(cls: type[exception.TroveError]) -> Iterator[type[exception.TroveError]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from _all(sub)


class TestErrors(base.UnitTestCase):
    def test_every_class_of_the_module(self) -> None:
        symbols: dict[str, str] = {}
        for cls in _all(exception.TroveError):
            if cls.__module__ != exception.__name__:
                continue
            self.assertIn(cls.code // 100, (4, 5), cls)
            self.assertRegex(cls.symbol, r"^[a-z]+(\.[a-z_]+)+$")
            self.assertTrue(cls.default.endswith("."), cls)
            self.assertEqual(cls.__name__, symbols.setdefault(cls.symbol, cls.__name__))

    def test_details_are_not_in_the_text(self) -> None:
        err = exception.TroveError(details="for the operator")
        self.assertEqual(exception.TroveError.default, str(err))
        self.assertEqual("Validation error: a; b", str(exception.ValidationFailed(["a", "b"])))
