# SPDX-License-Identifier: Apache-2.0

from trove.datastores.postgresql.guest import scram
from trove.tests import base

#: Made by PostgreSQL 15 from "pencil", with the salt of the example in RFC 7677.
PENCIL = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
    ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)


class TestScram(base.UnitTestCase):
    def test_the_right_password(self) -> None:
        self.assertTrue(scram.matches(PENCIL, "pencil"))

    def test_any_other(self) -> None:
        for password in ("", "Pencil", "pencil ", "pen\u00adcil2"):
            self.assertFalse(scram.matches(PENCIL, password), password)

    def test_what_the_server_ignores(self) -> None:
        self.assertTrue(scram.matches(PENCIL, "pen\u00adcil"))

    def test_what_is_no_verifier(self) -> None:
        for text in (
            None,
            "",
            "md5abc",
            "SCRAM-SHA-256$",
            "SCRAM-SHA-256$x:y$z:w",
            PENCIL.replace("SHA-256$", "SHA-1$"),
        ):
            self.assertFalse(scram.matches(text, "pencil"), text)

    def test_iterations_that_would_take_an_hour(self) -> None:
        self.assertFalse(scram.matches(PENCIL.replace("4096:", "2147483647:"), "pencil"))

    def test_saslprep(self) -> None:
        """The examples of RFC 4013; what it forbids stays as it is, as in the server."""
        for given, prepared in {
            "I\u00adX": "IX",
            "user": "user",
            "\u00aa": "a",
            "\u2168": "IX",
            "\u0007": "\u0007",
            "\u06271": "\u06271",
            "a\u00a0b": "a b",
        }.items():
            self.assertEqual(prepared, scram.saslprep(given), repr(given))
