# SPDX-License-Identifier: Apache-2.0
# covers: trove/cmd/arguments.py
"""``trove-manage`` as a whole: what every command shares, and ``seed_local``."""

from trove.standalone import seed
from trove.tests.unit.cmd import case


class TestManage(case.ManageCase):
    def test_without_schema(self) -> None:
        for words in (("seed_local",), ("workflow", "list")):
            self.assertEqual(
                (1, "", "error: the database has no schema; run: trove-manage db_sync"), self.manage(*words)
            )

    def test_seed_is_repeatable(self) -> None:
        self.manage("db_sync")
        first = self.manage("seed_local")
        self.assertEqual(0, first[0])
        self.assertIn(f"flavor 1 {seed.FLAVORS[0][1]}", first[1])
        self.assertIn("volume type local local", first[1])
        self.assertEqual(first, self.manage("seed_local"))

    def test_mistakes(self) -> None:
        self.conf.write_text("[database]\nconnection = sqlite:////nonexistent/x\n")
        for words in (("db_sync",), ("db_version",), ("seed_local",), ("workflow", "list")):
            code, _, err = self.manage(*words)
            self.assertEqual(1, code)
            self.assertIn("unable to open database file", err)
        self.conf.unlink()
        self.assertEqual((1, "", f"error: there is no configuration file {self.conf}"), self.manage("db_sync"))

    def test_numbers_out_of_bounds(self) -> None:
        self.manage("db_sync")
        for words, bad in (
            (("guest", "slowed", "--minutes"), ("0", "-5", "99999999999", "soon")),
            (("guest", "slowed", "--limit"), ("0", "99999999999999999999")),
            (("guest", "rotate-keys", "--all", "--older-than"), ("0", "99999999999")),
            (("guest", "rotate-keys", "--all", "--pause"), ("nan", "inf", "-1", "x")),
            (("keys", "rotate", "--pause"), ("nan", "inf", "-1")),
            (("keys", "rotate", "--batch-size"), ("0", "99999999999999999999")),
            (("reconciler", "list", "--limit"), ("0", "99999999999999999999")),
            (("workflow", "list", "--limit"), ("0", "99999999999999999999")),
            (("guest_command", "purge", "--older-than"), ("99999999999",)),
            (("guest_command", "purge", "--older-than", "1", "--max-rows"), ("99999999999999999999",)),
        ):
            for value in bad:
                code, _, err = self.manage(*words, value)
                self.assertEqual(2, code, (words, value))
                self.assertIn(f"{value!r} is not a", err)

    def test_arguments_that_are_no_text(self) -> None:
        self.manage("db_sync")
        code, _, err = self.manage("guest", "revoke", "a\udcff")
        self.assertEqual(2, code)
        self.assertIn("no text", err)
