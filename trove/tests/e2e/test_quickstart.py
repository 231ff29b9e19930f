# SPDX-License-Identifier: Apache-2.0
"""The README's first command, from a clean clone that nobody else may enter, and once more after an update of it."""

import os
import pathlib
import re
import subprocess
from typing import ClassVar

import psycopg2

import trove
from trove.common import clock
from trove.tests.e2e import base

_SOURCE = pathlib.Path(trove.__file__).resolve().parents[1]


class QuickstartTest(base.EndToEndTestCase):
    timeout: ClassVar[int] = 900

    def setUp(self) -> None:
        super().setUp()
        # Run from the directory above: Python would take a directory "trove" in the present one for the package.
        self.clone = self.tempdir() / "a clone" / "trove"
        self.clone.parent.mkdir()
        self.port = str(base.free_port())
        subprocess.run(["git", "clone", "-q", str(_SOURCE), str(self.clone)], check=True, timeout=120)
        self.addCleanup(self._run, "--stop")

    def _run(self, *options: str, status: int = 0) -> str:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "TROVE_", "PYTHONPATH"))}
        done = subprocess.run(
            [str(self.clone / "tools" / "quickstart.sh"), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
            env=environment,
            cwd=self.clone.parent,
        )
        self.assertEqual(status, done.returncode, done.stdout)
        return done.stdout

    def test_quickstart(self) -> None:
        first = self._run("--port", self.port)
        match = re.search(r"^connection string +(postgresql://\S+)$", first, re.MULTILINE)
        self.assertIsNotNone(match, first)
        assert match is not None
        url = match.group(1)
        connection = psycopg2.connect(url)
        connection.autocommit = True
        self.rows(connection, "create table kept as select 11 as n")
        connection.close()
        for expected in (r"demo .*ACTIVE", r"^logs ", r"^stop .*--stop"):
            self.assertRegex(first, re.compile(expected, re.MULTILINE))

        with open(self.clone / "trove" / "__init__.py", "a") as updated:
            updated.write("# an update\n")
        again = self._run()
        self.assertIn("other code was installed since the service", again)
        self.assertIn(f"serving on http://127.0.0.1:{self.port}/", again)
        self.assertIn("exists", again)
        self.assertIn(url, again)

        refused = self._run("--datastore", "oracle", status=1)
        self.assertRegex(refused, r"--datastore oracle is not possible here; possible: .*postgresql \(\d")

        self._run("--stop")
        base.wait_until(lambda: not self._left(), "no process of the clone is left")

        began = clock.monotonic()
        self._run("--port", self.port)
        self.addDetail("later run", base.base.testtools.content.text_content(f"{clock.monotonic() - began:.1f} s"))
        connection = psycopg2.connect(url)
        self.addCleanup(connection.close)
        self.assertEqual([(11,)], self.rows(connection, "select n from kept"))

    def _left(self) -> list[str]:
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(self.clone) in words and "quickstart" not in words:
                found.append(words)
        return found
