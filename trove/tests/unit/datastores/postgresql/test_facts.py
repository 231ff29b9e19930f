# SPDX-License-Identifier: Apache-2.0

from trove.datastores.postgresql import facts
from trove.tests import base


class TestNames(base.UnitTestCase):
    def test_the_limit_is_in_bytes(self) -> None:
        self.assertIsNone(facts.name_problem("x" * 63, "user"))
        self.assertIn("63 bytes", facts.name_problem("x" * 64, "user") or "")
        self.assertIsNone(facts.name_problem("ü" * 31, "user"))
        self.assertIn("63 bytes", facts.name_problem("ü" * 32, "user") or "")

    def test_what_no_name_can_be(self) -> None:
        for name in ("", "a\0b", "\ud800"):
            self.assertIsNotNone(facts.name_problem(name, "user"), repr(name))

    def test_anything_else_is_legal(self) -> None:
        for name in ("a'b", 'a"b', "a;b", " ", "%s", "\n", "ALL", "数据"):
            self.assertIsNone(facts.name_problem(name, "database"), repr(name))
            self.assertFalse(facts.is_reserved_user(name), repr(name))

    def test_reserved(self) -> None:
        for name in ("os_admin", "postgres", "root", "pg_x", "trove:db:5", "public", "none"):
            self.assertTrue(facts.is_reserved_user(name), name)
        for name in ("Root", "POSTGRES", "pgx", "trove"):
            self.assertFalse(facts.is_reserved_user(name), name)
        for name in ("postgres", "template0", "template1", "os_admin"):
            self.assertTrue(facts.is_reserved_database(name), name)
        self.assertFalse(facts.is_reserved_database("pg_shop"))


class TestEncodings(base.UnitTestCase):
    def test_spellings(self) -> None:
        for name, canonical in {
            "utf8": "UTF8",
            "UTF-8": "UTF8",
            "unicode": "UTF8",
            "iso-8859-1": "LATIN1",
            "ISO_8859_5": "ISO_8859_5",
            "iso8859-15": "LATIN9",
            "euc_jis_2004": "EUC_JIS_2004",
            "sql-ascii": "SQL_ASCII",
        }.items():
            self.assertEqual(canonical, facts.canonical_encoding(name), name)

    def test_what_only_clients_or_other_engines_have(self) -> None:
        for name in ("utf8mb4", "big5", "sjis", "gbk", "", "-"):
            self.assertIsNone(facts.canonical_encoding(name), name)

    def test_collations(self) -> None:
        for name in ("C", "POSIX", "C.UTF-8", "C.utf8", "de_DE.UTF-8", "en_US.utf8", "de_DE@euro", "sr_RS.UTF-8@latin"):
            self.assertEqual([], facts.encoding_reasons(None, name), name)
        for name in ("'; DROP", "a b", "../x", "x" * 64, "utf8mb4_bin", "latin1_swedish_ci", "de_DE.UTF-8\n"):
            (reason,) = facts.encoding_reasons(None, name)
            self.assertIn("possible are C, POSIX, C.UTF-8", reason)

    def test_a_collation_goes_with_its_character_set(self) -> None:
        for encoding, collation in (("LATIN1", "de_DE.ISO-8859-1"), ("LATIN1", "C"), ("SQL_ASCII", "C.UTF-8")):
            self.assertEqual([], facts.encoding_reasons(encoding, collation))
        for encoding, collation in (("LATIN1", "de_DE.UTF-8"), (None, "de_DE.ISO-8859-1")):
            (reason,) = facts.encoding_reasons(encoding, collation)
            self.assertIn("does not go with", reason)

    def test_the_defaults_of_mysql_are_the_default(self) -> None:
        for pair in (
            ("utf8", "utf8_general_ci"), ("UTF8MB4", "UTF8MB4_0900_AI_CI"), ("utf8mb3", "utf8mb3_general_ci"),
            ("utf8mb4", None), (None, "utf8mb4_general_ci"), ("", ""), (None, None),
        ):  # fmt: skip
            self.assertEqual([], facts.encoding_reasons(*pair), pair)
            encoding, collation = facts.meant(*pair)
            self.assertIn(encoding, (None, "utf8"))
            self.assertIsNone(collation)
        self.assertEqual(("latin1", "C"), facts.meant("latin1", "C"))


class TestVersions(base.UnitTestCase):
    def test_major(self) -> None:
        self.assertEqual([15, 18, 16], [facts.major(v) for v in ("15.18", "18beta1", "16")])
        self.assertRaises(ValueError, facts.major, "devel")

    def test_versions_are_not_compared_as_text(self) -> None:
        versions = ["15.2", "9.6", "15.18", "18.4"]
        self.assertEqual(["9.6", "15.2", "15.18", "18.4"], sorted(versions, key=facts.version_key))
