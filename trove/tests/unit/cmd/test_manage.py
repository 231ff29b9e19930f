# SPDX-License-Identifier: Apache-2.0
"""``trove-manage`` without its workflow commands."""

import contextlib
import io

from trove.cmd import manage
from trove.standalone import seed
from trove.tests import base


class TestManage(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.conf = self.tempdir() / "trove.conf"
        self.conf.write_text(f"[database]\nconnection = sqlite:///{self.conf.parent}/trove.sqlite\n")

    def manage(self, *argv: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = manage.main(["--config-file", str(self.conf), *argv])
            except SystemExit as ended:
                code = int(ended.code or 0)
        lines = [line for line in err.getvalue().splitlines() if not line.startswith("20")]  # the log goes there too
        self.assertNotIn("Traceback", err.getvalue())
        return code, out.getvalue(), "\n".join(lines)

    def test_schema(self) -> None:
        self.assertEqual((0, "", ""), self.manage("db_version"))
        code, _, err = self.manage("db_sync", "--contract")
        self.assertEqual(1, code)
        self.assertIn("run first: trove-manage db_sync --expand", err)
        for words in (("db_sync", "--expand"), ("db_sync", "--contract"), ("db_sync",)):
            self.assertEqual(0, self.manage(*words)[0])
        self.assertRegex(self.manage("db_version")[1], r"^contract_\d+\nexpand_\d+\n$")

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
        self.assertEqual(first, self.manage("seed_local"))

    def test_mistakes(self) -> None:
        self.conf.write_text("[database]\nconnection = sqlite:////nonexistent/x\n")
        for words in (("db_sync",), ("db_version",), ("seed_local",), ("workflow", "list")):
            code, _, err = self.manage(*words)
            self.assertEqual(1, code)
            self.assertIn("unable to open database file", err)
        self.conf.unlink()
        self.assertEqual((1, "", f"error: there is no configuration file {self.conf}"), self.manage("db_sync"))
