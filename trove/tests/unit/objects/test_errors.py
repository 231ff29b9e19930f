# SPDX-License-Identifier: Apache-2.0
import inspect

from trove.common import exception
from trove.objects import errors
from trove.tests import base


class Errors(base.UnitTestCase):
    def test_every_error_has_a_symbol_of_its_own(self) -> None:
        classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__]
        symbols = [c.__dict__.get("symbol") for c in classes]
        self.assertNotIn(None, symbols)
        self.assertEqual(len(symbols), len(set(symbols)))
        general = {
            c.symbol for _, c in inspect.getmembers(exception, inspect.isclass) if issubclass(c, exception.TroveError)
        }
        self.assertEqual(set(), general & set(symbols))

    def test_the_state_is_named(self) -> None:
        err = errors.InvalidInstanceState("i", "BUILD", "restart")
        self.assertIn("BUILD", err.message)
        self.assertEqual(("BUILD", "restart", 422), (err.status, err.event, err.code))
