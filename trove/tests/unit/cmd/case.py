# SPDX-License-Identifier: Apache-2.0
"""The base of tests that call ``trove-manage`` with a configuration file and a database of their own."""

import contextlib
import io

from trove.cmd import manage
from trove.tests import base


class ManageCase(base.UnitTestCase):
    """``self.conf`` is the configuration file; the database is empty until ``db_sync``."""

    def setUp(self) -> None:
        super().setUp()
        self.conf = self.tempdir() / "trove.conf"
        self.database = self.conf.parent / "trove.sqlite"
        self.conf.write_text(f"[database]\nconnection = sqlite:///{self.database}\n")

    def manage(self, *argv: str) -> tuple[int, str, str]:
        """Run one command; return its exit code, its output, and what it said on standard error without the log."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = manage.main(["--config-file", str(self.conf), *argv])
            except SystemExit as ended:
                code = int(ended.code or 0)
        lines = [line for line in err.getvalue().splitlines() if not line.startswith("20")]  # the log goes there too
        self.assertNotIn("Traceback", err.getvalue())
        return code, out.getvalue(), "\n".join(lines)

    def done(self, *argv: str) -> str:
        """Run one command that must succeed; return its output."""
        code, out, err = self.manage(*argv)
        self.assertEqual((0, ""), (code, err))
        return out

    def refused(self, *argv: str) -> str:
        """Run one command that must fail; return what it said."""
        code, out, err = self.manage(*argv)
        self.assertEqual((1, ""), (code, out))
        return err
