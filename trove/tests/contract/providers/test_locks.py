# SPDX-License-Identifier: Apache-2.0
"""The lock of a host, held by another process that has been frozen."""

import functools
import os
import signal
import subprocess
import sys
from unittest import mock

from trove.common import ids
from trove.providers import base
from trove.providers.local import locks, privileges, processes
from trove.tests.contract.providers import test_local

_HOLDER = """
import sys
from pathlib import Path
from trove.providers.local import locks
with locks.hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


class FrozenHolderTest(test_local.LocalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(locks, "REPORT_AFTER", 0.05))
        self.enterContext(mock.patch.object(locks, "GIVE_UP_AFTER", 0.3))
        command = [sys.executable, "-P", "-c", _HOLDER, str(self.base_dir / ".lock")]
        env = {**os.environ, **privileges.python_environment()}
        self.holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        self.addCleanup(self.let_go)
        self.assertEqual(b"held\n", self.holder.stdout.readline())
        os.kill(self.holder.pid, signal.SIGSTOP)
        self.until(lambda: processes.read_stat(self.holder.pid).state == "T")

    def let_go(self) -> None:
        if self.holder.poll() is None:
            os.kill(self.holder.pid, signal.SIGCONT)
        self.holder.communicate()

    def test_changes_end_with_a_retryable_error_that_names_it(self) -> None:
        for change in (
            lambda: self.provider.ensure_port(self.port_spec()),
            lambda: self.provider.ensure_volume(self.volume_spec()),
            lambda: self.provider.remove_server(self.tag("server")),
        ):
            err = self.assertRaises(base.RetryableError, change)
            for part in (f"process {self.holder.pid} (", "locks.hold", "state T", "seconds"):
                self.assertIn(part, str(err))
        self.assertIn(f"still waiting for the lock {self.base_dir}/.lock, held by process", self.logs.text())

    def test_looking_needs_no_lock_and_supervision_waits_once_for_all_servers(self) -> None:
        self.let_go()
        made = [ids.new_id() for _ in range(3)]
        for self.instance_id in made:
            self.addCleanup(self.until, functools.partial(self.provider.remove_server, self.tag("server")))
            self.make_server()
            pid = self.facts()["pid"]
            os.kill(pid, signal.SIGKILL)
            self.until(functools.partial(self.is_gone, pid))
        timeouts = self.enterContext(mock.patch.object(locks, "_timeout", autospec=True, side_effect=locks._timeout))
        with locks.hold(self.base_dir / ".lock"):
            self.provider.supervise()
            self.assertIs(base.Status.PENDING, self.provider.find_server(self.tag("server")).status)
        self.assertEqual(1, timeouts.call_count)
        self.assertIn("looking after servers: the lock", self.logs.text())

    def is_gone(self, pid: int) -> bool:
        return processes.identify(pid) is None

    def test_everything_goes_on_when_it_thaws(self) -> None:
        self.assertRaises(base.RetryableError, self.provider.ensure_port, self.port_spec())
        self.let_go()
        self.make_server()
        self.assertAlive(self.facts()["pid"])
