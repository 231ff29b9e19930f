# SPDX-License-Identifier: Apache-2.0
"""A command run by the worker of these tests is the command that a user runs."""

import pathlib
import subprocess
import sys

from trove.tests.e2e import base
from trove.tests.e2e.client.base import ClientTestCase


class ProgramTest(ClientTestCase):
    def test_the_worker_and_the_program_are_equal(self) -> None:
        self.world.instance("postgresql")
        for words in (
            ("datastore", "list", "-f", "json"),
            ("database", "instance", "show", "postgresql", "-c", "id", "-c", "name", "-c", "flavor"),
            ("database", "instance", "show", "nowhere"),
            ("database", "instance", "show"),
        ):
            program = str(pathlib.Path(sys.executable).with_name("openstack"))
            done = subprocess.run(
                [program, *words], capture_output=True, text=True, check=False, timeout=base.PATIENCE,
                env=self.world.environment,
            )  # fmt: skip
            run = self.shell.run(*words)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (run.code, run.stdout, run.stderr), words)
