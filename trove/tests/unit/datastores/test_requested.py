# SPDX-License-Identifier: Apache-2.0
from trove.datastores import requested
from trove.tests import base


class RequestedTest(base.UnitTestCase):
    def test_names_given_twice_are_named_once_in_their_order(self) -> None:
        self.assertEqual([], requested.repeated(["a", "b"], "user"))
        self.assertEqual(
            ["the database 'b' is given more than once", "the database 'a' is given more than once"],
            requested.repeated(["b", "a", "b", "a", "c", "b"], "database"),
        )

    def test_passwords_that_no_engine_takes(self) -> None:
        self.assertEqual([], requested.password("swordfish ä", "ann"))
        self.assertEqual(["the password of user 'ann' must not be empty"], requested.password("", "ann"))
        for text in ("her\0ring", "her\ud800ring"):
            (reason,) = requested.password(text, None)
            self.assertTrue(reason.startswith("the password "), reason)
            self.assertNotIn("ring", reason)

    def test_sizes(self) -> None:
        self.assertEqual([], requested.size("Engine", 256, 256, 0))
        self.assertEqual(
            [
                "Engine needs a flavor with 256 MiB of memory or more, this one has 255",
                "the volume size must not be negative",
            ],
            requested.size("Engine", 256, 255, -1),
        )
