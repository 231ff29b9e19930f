# SPDX-License-Identifier: Apache-2.0

from trove.datastores.mysql_family import facts
from trove.tests import base


class TestNames(base.UnitTestCase):
    def test_what_is_legal(self) -> None:
        for name in ("a", "größe", "数据", "'; DROP TABLE x; --", "back\\slash\nline", "%s {}", "a.b/c", "x" * 64):
            self.assertIsNone(facts.database_problem(name), name)

    def test_what_is_not(self) -> None:
        for name in ("", "a\0", "\ud800", "x" * 65, "end ", " begin", "emoji \U0001f600", "#mysql50#x", "→" * 52):
            self.assertIsNotNone(facts.database_problem(name), repr(name))

    def test_a_name_is_a_directory(self) -> None:
        """Sixty arrows are 60 characters and 300 bytes of a directory's name: the server would fail with errno 36."""
        self.assertEqual(2 + 5 * 2, facts.directory_bytes("a_→-"))
        self.assertIsNone(facts.database_problem("→" * 51))


class TestHosts(base.UnitTestCase):
    def test_what_is_a_host(self) -> None:
        for host in (
            "%", "10.0.0.1", "10.0.%", "192.168._.%", "10.30.%.%", "10.3_.%.%", "1%.0.0._", "10.0.0.0/255.255.0.0",
            "::1", "fe80::%",
        ):  # fmt: skip
            self.assertIsNone(facts.host_problem(host), host)

    def test_what_is_not(self) -> None:
        for host in (
            "",
            "example.org",
            "localhost",
            "10.0.0.0/8",
            "'%'",
            "10.0.0.0/255.0.255.0",
            "%a",
            "x" * 70,
            "1.2.3.4.%",
            "%%",
            "10.%%",
            "999.%",
            "10.0.3__.%",
            "10.30._",
            "_",
            "%.256.0.1",
        ):
            self.assertIsNotNone(facts.host_problem(host), host)


class TestPatterns(base.UnitTestCase):
    NAMES = ("a_b", "c%d", "back\\slash", "\\_", "%", "plain", "new\nline_")

    def test_an_escaped_name_matches_itself_only(self) -> None:
        for name in self.NAMES:
            pattern = facts.escape_pattern(name)
            self.assertEqual(
                [name], [other for other in (*self.NAMES, "axb", "cxd") if facts.pattern_matches(pattern, other)]
            )

    def test_wildcards(self) -> None:
        self.assertTrue(facts.pattern_matches("a_b", "axb"))
        self.assertTrue(facts.pattern_matches("%", "any\nthing"))
        self.assertTrue(facts.pattern_matches("shop%", "shop"))
        self.assertFalse(facts.pattern_matches("shop_", "shop"))
        self.assertFalse(facts.pattern_matches("a.c", "abc"))
        self.assertTrue(facts.pattern_matches("%a%b_%", "xxaxxbbb"))
        self.assertFalse(facts.pattern_matches("%a%b_", "xxaxxb"))

    def test_any_pattern_comes_to_an_end(self) -> None:
        self.assertFalse(facts.pattern_matches("%a" * 31 + "%b", "a" * 64))
        self.assertTrue(facts.pattern_matches("%a" * 32, "a" * 64))


class TestVersions(base.UnitTestCase):
    def test_order(self) -> None:
        self.assertLess(facts.version_key("10.6.19"), facts.version_key("10.11.2-MariaDB"))
        self.assertEqual((8, 0), facts.version_key("8.0"))
