# SPDX-License-Identifier: Apache-2.0
"""The command line: mistakes end in one line that names what is wrong."""

import contextlib
import io
import json

from trove.standalone import cli, pidfile
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock


class TestCommandLine(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(ManualClock())
        self.root = self.tempdir() / "data"

    def run_cli(self, *argv: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = cli.main(["--data-dir", str(self.root), *argv])
            except SystemExit as exit_:
                code = int(exit_.code or 0)
        self.assertNotIn("Traceback", err.getvalue())
        return code, out.getvalue(), err.getvalue()

    def test_ports(self) -> None:
        for port in ("0", "65536", "-1", "x", "", "٣"):
            code, _, err = self.run_cli("up", f"--port={port}")
            self.assertEqual(2, code, port)
            self.assertIn("a port is a number from 1 to 65535", err)
        self.assertEqual(2, self.run_cli("up", "--host", "a b")[0])
        self.assertFalse(self.root.exists())

    def test_a_file_instead_of_a_directory(self) -> None:
        self.root.write_text("")
        for words in (("up",), ("up", "--detach")):
            code, _, err = self.run_cli(*words)
            self.assertEqual((1, f"trove-standalone: {self.root}: Not a directory\n"), (code, err))
        self.assertEqual(3, self.run_cli("status")[0])
        self.assertEqual(0, self.run_cli("down")[0])

    def test_two_at_once(self) -> None:
        self.root.mkdir()
        lock = pidfile.PidFile(self.root / "trove-standalone.pid")
        lock.acquire()
        self.addCleanup(lock.release)
        code, _, err = self.run_cli("up")
        self.assertEqual(1, code)
        self.assertIn("a service already runs on this data directory", err)
        self.assertIn("down", err)
        self.assertFalse((self.root / "settings.json").exists(), "written without the lock")

    def test_status_of_nothing(self) -> None:
        code, out, _ = self.run_cli("status", "--json")
        self.assertEqual((3, False, []), (code, *(json.loads(out)[k] for k in ("running", "instances"))))

    def test_status_of_a_directory_that_is_not_there(self) -> None:
        self.assertFalse(self.root.exists())
        code, out, _ = self.run_cli("status")
        self.assertEqual((3, True), (code, f"no service in {self.root}, because" in out))

    def test_down_is_repeatable(self) -> None:
        for _ in range(2):
            self.assertEqual((0, "trove-standalone: the service is not running\n", ""), self.run_cli("down"))
