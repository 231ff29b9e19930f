# SPDX-License-Identifier: Apache-2.0

from trove.datastores.mysql_family.guest import verifiers
from trove.tests import base

#: Made by MySQL 9.7.4 itself: CREATE USER … IDENTIFIED BY 'password'. See the module's docstring for the form.
FROM_SERVER = bytes.fromhex(
    "24412430304124652d013332356935121f2c666f053f0126150345494a397a6d7a4853"
    "2e58596d6d6d316b6837646a394f3350723636476f5a5544436f6d6f346f3430453035"
)


class TestNative(base.UnitTestCase):
    def test_as_the_manual_has_it(self) -> None:
        self.assertEqual("*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", verifiers.native("password"))
        self.assertTrue(verifiers.native_matches(verifiers.native("größe→").lower(), "größe→"))
        for stored in ("", "invalid", verifiers.native("other")):
            self.assertFalse(verifiers.native_matches(stored, "password"))


class TestCachingSha2(base.UnitTestCase):
    def test_as_the_server_makes_it(self) -> None:
        self.assertTrue(verifiers.caching_sha2_matches(FROM_SERVER, "password"))
        self.assertFalse(verifiers.caching_sha2_matches(FROM_SERVER, "Password"))

    def test_as_the_specification_has_it(self) -> None:
        """From "Unix crypt using SHA-256 and SHA-512", test vectors."""
        wanted = b"5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
        self.assertEqual(wanted, verifiers.sha256_crypt(b"Hello world!", b"saltstring", 5000))

    def test_each_has_a_salt_of_its_own(self) -> None:
        one, two = verifiers.caching_sha2("x"), verifiers.caching_sha2("x")
        self.assertNotEqual(one, two)
        for made in (one, two):
            self.assertEqual((b"$A$00A$", 70), (made[:7], len(made)))
            self.assertTrue(verifiers.caching_sha2_matches(made, "x"))
            self.assertNotIn(b"\0", made)

    def test_anything_else_is_no_match(self) -> None:
        for stored in (b"", b"$A$005$short", b"*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", b"$A$XYZ$" + b"x" * 63):
            self.assertFalse(verifiers.caching_sha2_matches(stored, "password"))

    def test_long_and_foreign_passwords(self) -> None:
        for password in ("x" * 300, "größe→数据", "'; DROP--"):
            self.assertTrue(verifiers.caching_sha2_matches(verifiers.caching_sha2(password, thousands=1), password))
