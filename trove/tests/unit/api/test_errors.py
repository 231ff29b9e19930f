# SPDX-License-Identifier: Apache-2.0
import re
from collections.abc import Iterator

from trove.api import errors, microversions
from trove.common import exception
from trove.objects import errors as object_errors
from trove.tests import base


def every(cls: type[exception.TroveError] = exception.TroveError) -> Iterator[type[exception.TroveError]]:
    yield cls
    for child in cls.__subclasses__():
        if child.__module__.startswith("trove.") and ".tests." not in child.__module__:
            yield from every(child)


class DocumentTest(base.UnitTestCase):
    def test_symbols_come_with_1_1(self) -> None:
        error = exception.Conflict("Later.", details="secret")
        self.assertEqual({"conflict": {"code": 409, "message": "Later."}}, errors.document(error, microversions.MIN))
        self.assertEqual(
            {"conflict": {"code": 409, "message": "Later.", "symbol": "resource.conflict"}},
            errors.document(error, microversions.MAX),
        )

    def test_rates_say_when(self) -> None:
        error = exception.RateLimited("Slow down.", retry_after=7)
        self.assertEqual("7", errors.document(error, microversions.MIN)["overLimit"]["retryAfter"])
        self.assertEqual({"Retry-After": "7"}, errors.headers(error))

    def test_what_was_not_foreseen_shows_only_an_id(self) -> None:
        try:
            raise RuntimeError("password=hunter2")
        except RuntimeError:
            document = errors.uncaught(microversions.MAX)["instanceFault"]
        self.assertNotIn("hunter2", str(document))
        error_id = re.search(r"[0-9a-f-]{36}", document["message"])
        assert error_id is not None
        self.assertIn(error_id.group(), self.logs.text())

    def test_every_error_has_a_key_and_a_symbol_of_its_own(self) -> None:
        self.assertTrue(object_errors)  # imported, so that its classes are walked too
        symbols: dict[str, type] = {errors.UNCAUGHT_SYMBOL: RuntimeError}
        classes = set(every())
        self.assertGreater(len(classes), 25)
        for cls in sorted(classes, key=lambda c: c.__qualname__):
            self.assertIn(cls.code, errors.KEYS, cls)
            self.assertRegex(cls.symbol, r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")
            if cls.symbol == getattr(cls.__base__, "symbol", None) and cls.__name__ not in _REFINEMENTS:
                self.fail(f"{cls.__qualname__} has its parent's symbol")
            self.assertIn(
                symbols.setdefault(cls.symbol, cls), {cls, *cls.__mro__}, f"{cls.__qualname__}: {cls.symbol} is taken"
            )


#: Classes that say the same thing as their parent, with other arguments.
_REFINEMENTS: frozenset[str] = frozenset()
