# SPDX-License-Identifier: Apache-2.0
# covers: trove/providers/local/commands.py
"""Tools of the host: what they say, what they are told, and how they fail."""

from unittest import mock

from trove.providers import base
from trove.providers.local import commands
from trove.tests import base as tests


class CommandsTest(tests.FunctionalTestCase):
    def test_what_a_tool_reads_and_prints(self) -> None:
        self.assertEqual("a\nb\n", commands.run("cat", lines=["a", "b"]))
        self.assertEqual("", commands.run("cat"))

    def test_the_environment_is_not_the_services(self) -> None:
        with mock.patch.dict("os.environ", {"TROVE_SECRET": "s", "PATH": "/nowhere"}):
            shown = commands.run("env", env={"MORE": "1"}).split("\n")
        self.assertIn("MORE=1", shown)
        self.assertIn("LC_ALL=C.UTF-8", shown)
        self.assertEqual([], [line for line in shown if "SECRET" in line or "/nowhere" in line])

    def test_a_complaint_is_the_error(self) -> None:
        for script, said in (
            ("echo no >&2; exit 3", "no"),
            ("echo no; exit 3", "no"),
            ("exit 3", "it ended with 3"),
            ("printf '\\377' >&2; exit 3", "\ufffd"),
        ):
            err = self.assertRaises(commands.ToolError, commands.run, "sh", "-c", script)
            self.assertEqual((3, f"sh -c {script}: {said}"), (err.code, str(err)))

    def test_one_that_does_not_end(self) -> None:
        with mock.patch.object(commands, "TIMEOUT", 0.1):
            err = self.assertRaises(commands.ToolError, commands.run, "sleep", "60")
        self.assertIn("sleep 60 did not end within", str(err))

    def test_one_that_is_not_there(self) -> None:
        self.assertIsNone(commands.find("no-such-tool"))
        err = self.assertRaises(base.FatalError, commands.run, "no-such-tool")
        self.assertIn("'no-such-tool'", str(err))
