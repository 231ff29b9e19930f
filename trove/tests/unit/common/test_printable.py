# SPDX-License-Identifier: Apache-2.0
"""Text of others, made harmless to show."""

import unicodedata

import hypothesis
from hypothesis import strategies as st

from trove.common import printable
from trove.tests import base

#: What forges lines, moves the cursor, rings, changes the terminal's title, or turns the direction of what follows.
HOSTILE = (
    "\n\r\v\f\b\a\0\x1b[2J\x1b]0;title\x07\x7f\x85\x9b31m\u2028\u2029\u202e\u2066\u200f\u200b\ufeff\ud800\U000e0041"
)
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class OneLineTest(base.UnitTestCase):
    def test_every_hostile_character_is_shown(self) -> None:
        shown = printable.one_line(f"a{HOSTILE}b")
        self.assertTrue(shown.startswith("a\\n\\r\\x0b"), shown)
        self.assertTrue(shown.endswith("\\U000e0041b"), shown)
        self.assertEqual(set(), {char for char in shown if unicodedata.category(char) in _HARMFUL})

    def test_what_can_be_read_stays(self) -> None:
        for text in ("", "plain", "Größe 数据库 база ق", "C:\\dir \\n", "a'b\"c", "😀"):
            self.assertEqual(text, printable.one_line(text))

    @hypothesis.given(st.text(st.characters()))
    def test_any_text(self, text: str) -> None:
        shown = printable.one_line(text)
        self.assertTrue(shown.isprintable())
        self.assertEqual(shown, printable.one_line(shown))
        self.assertEqual(1, len(f"{shown}.".splitlines()))
        shown.encode()


class ClipTest(base.UnitTestCase):
    def test_short(self) -> None:
        self.assertEqual("four", printable.clip("four", 4))

    def test_long(self) -> None:
        self.assertEqual("abcd… (2 characters left out)", printable.clip("abcdef", 4))
        self.assertEqual("see… (18 characters left out)", printable.clip("see http://u:p@host/x", 12))


class WithoutPathsTest(base.UnitTestCase):
    def test_no_path_is_left(self) -> None:
        for text, shown in (
            ('socket "/srv/i-1/run/.s.PGSQL.5432" failed', 'socket "…" failed'),
            ("could not open /etc/my.cnf: no such file", "could not open …: no such file"),
            ("unix:/run/x/y.sock, (/a/b) and [/c/d]", "unix:…, (…) and […]"),
            ("--datadir=/srv/data/i", "--datadir=…"),
            ("at '/var/lib/pg data'", "at '…'"),
        ):
            self.assertEqual(shown, printable.without_paths(text))

    def test_what_is_none_stays(self) -> None:
        for text in (
            "and/or", "16 MiB/s", "https://example.org/a/b", "1/2/3", "a / b", "the name '/x'",
            "'a'@'10.0.0.0/255.0.0.0'",
        ):  # fmt: skip
            self.assertEqual(text, printable.without_paths(text))
