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

    def test_collation_names(self) -> None:
        for name in ("C", "POSIX", "de_DE.UTF-8", "en_US.utf8", "de_DE@euro"):
            self.assertTrue(facts.is_collation_name(name), name)
        for name in ("", "'; DROP", "a b", "../x", "x" * 64):
            self.assertFalse(facts.is_collation_name(name), name)


class TestVersions(base.UnitTestCase):
    def test_major(self) -> None:
        self.assertEqual([15, 18, 16], [facts.major(v) for v in ("15.18", "18beta1", "16")])
        self.assertRaises(ValueError, facts.major, "devel")

    def test_versions_are_not_compared_as_text(self) -> None:
        versions = ["15.2", "9.6", "15.18", "18.4"]
        self.assertEqual(["9.6", "15.2", "15.18", "18.4"], sorted(versions, key=facts.version_key))
