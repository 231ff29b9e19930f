# SPDX-License-Identifier: Apache-2.0
# covers: trove/guestagent/system/process.py
"""Programs and engines as plain processes."""

import os
import signal
import sys
from pathlib import Path

from trove.datastores import spi
from trove.guestagent.system.process import ChildProcess, command_line
from trove.tests.base import FunctionalTestCase
from trove.tests.functional.guestagent.control import wait_for


class TestChildProcess(FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.processes = ChildProcess()
        self.directory = self.tempdir()
        self.log = self.directory / "log"

    def engine(self, code: str = "import time; print('up', flush=True); time.sleep(600)", **env: str) -> int:
        marker = str(self.directory)
        pid = self.processes.start([sys.executable, "-c", code, marker], env=env, log=self.log, cwd=self.directory)
        self.addCleanup(self.processes.reap)
        self.addCleanup(self.processes.signal, pid, signal.SIGKILL)
        return pid

    def python(self, code: str, **options: object) -> bytes:
        return self.processes.run([sys.executable, "-c", code], **options)  # type: ignore[arg-type]

    def failure(self, code: str, **options: object) -> spi.EngineError:
        error = self.assertRaises(spi.EngineError, self.python, code, **options)
        self.assertEqual("engine.program", error.symbol)
        return error

    def test_engine_is_in_a_session_of_its_own(self) -> None:
        pid = self.engine()
        self.assertEqual((pid, pid), (os.getsid(pid), os.getpgid(pid)))
        self.assertNotEqual(os.getpgrp(), os.getpgid(pid))

    def test_output_goes_to_a_private_log_that_is_kept(self) -> None:
        self.log.write_text("before\n")
        self.log.unlink()
        self.engine()
        wait_for(lambda: self.log.read_text() == "up\n", what="the engine's output")
        self.assertEqual(0o600, self.log.stat().st_mode & 0o777)
        self.engine()
        wait_for(lambda: self.log.read_text() == "up\nup\n", what="the second engine's output")

    def test_alive_means_this_very_engine(self) -> None:
        pid = self.engine()
        self.assertTrue(self.processes.is_alive(pid, str(self.directory)))
        self.assertFalse(self.processes.is_alive(pid, "another-marker"))
        self.assertFalse(self.processes.is_alive(os.getpid(), str(self.directory)))
        next_agents = ChildProcess()
        wait_for(lambda: next_agents.is_alive(pid, str(self.directory)), what="what the next agent sees")

    def test_alive_at_once(self) -> None:
        for _ in range(20):
            self.assertTrue(self.processes.is_alive(self.engine(), str(self.directory)))

    def test_dead_is_not_alive_and_no_zombie(self) -> None:
        pid = self.engine()
        self.processes.signal(pid, signal.SIGKILL)
        wait_for(lambda: not self.processes.is_alive(pid, str(self.directory)), what="its end")
        wait_for(lambda: self.processes.reap() or not os.path.exists(f"/proc/{pid}"), what="its burial")
        self.processes.signal(pid, signal.SIGTERM)  # gone: no error

    def test_a_zombie_is_not_alive(self) -> None:
        pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "pass", "the-marker"], os.environ)
        wait_for(lambda: Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] == "Z", what="a zombie")
        self.assertFalse(self.processes.is_alive(pid, "the-marker"))
        os.waitpid(pid, 0)

    def test_refuses_pids_that_mean_groups(self) -> None:
        for pid in (0, -1, 1, -5):
            self.assertRaises(ValueError, self.processes.signal, pid, signal.SIGTERM)

    def test_disowned_engine_runs_on(self) -> None:
        pid = self.engine()
        self.processes.disown()
        wait_for(lambda: str(self.directory) in command_line(pid), what="its command line")

    def test_environment_is_not_inherited(self) -> None:
        os.environ["TROVE_TEST_LEAK"] = "leak"
        self.addCleanup(os.environ.pop, "TROVE_TEST_LEAK")
        show = "import os; print(sorted(os.environ))"
        self.assertNotIn(b"TROVE_TEST_LEAK", self.python(show))
        self.assertIn(b"MINE", self.python(show, env={"MINE": "1"}))
        self.engine("import os; print(sorted(os.environ), flush=True)", MINE="1")
        wait_for(lambda: "MINE" in self.log.read_text(), what="the engine's environment")
        self.assertNotIn("TROVE_TEST_LEAK", self.log.read_text())

    def test_run_returns_standard_output(self) -> None:
        self.assertEqual(b"out", self.python("import sys; print('err', file=sys.stderr); print('out', end='')"))
        self.assertEqual(b"IN", self.python("print(input().upper(), end='')", input=b"in\n"))

    def test_failure_names_program_and_reason_but_no_arguments(self) -> None:
        error = self.failure("import sys; print('a\\nb: password=hunter2', file=sys.stderr); sys.exit(3)")
        self.assertIn("status 3: b: password=***", error.message)
        self.assertIn(os.path.basename(sys.executable), error.message)
        self.assertNotIn("import sys", error.message)
        self.assertIn("no reason", self.failure("raise SystemExit(1)").message)

    def test_failure_tells_the_reason_and_not_that_the_program_gives_up(self) -> None:
        for said, told in {
            "reason\n\nAborting": "reason.", "reason\n[ERROR] Aborting.": "reason.", "Aborting": "Aborting.",
            "": "it wrote no reason.",
        }.items():  # fmt: skip
            error = self.failure(f"import sys; sys.stderr.write({said!r}); sys.exit(3)")
            self.assertTrue(error.message.endswith(f"status 3: {told}"), error.message)

    def test_a_full_disk_is_the_reason_whatever_is_said_afterwards(self) -> None:
        for said in (
            "initdb: error: could not write: No space left on device\ninitdb: removing data directory",
            "[ERROR] Could not write the file (OS errno 28)\n[ERROR] Aborting",
            '[ERROR] mariadbd: Error writing file (Errcode: 28 "No space left on device")\nthe end',
        ):
            error = self.failure(f"import sys; sys.stderr.write({said!r}); sys.exit(1)")
            self.assertIn("status 1: no space is left on the disk: ", error.message)
            self.assertIn(said.splitlines()[0][:20], error.message)

    def test_time_out_ends_the_whole_group(self) -> None:
        grandchild = self.directory / "pid"
        code = (
            "import subprocess, sys, time\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
            f"open({str(grandchild)!r}, 'w').write(str(child.pid))\n"
            "time.sleep(600)"
        )
        self.assertIn("longer than 5 seconds", self.failure(code, timeout=5).message)
        wait_for(lambda: not command_line(int(grandchild.read_text())), what="the grandchild's end")

    def test_program_that_is_not_there(self) -> None:
        for call in (
            lambda: self.processes.run(["/nowhere/initdb", "--secret"]),
            lambda: self.processes.start(["/nowhere/postgres"], env={}, log=self.log, cwd=self.directory),
            lambda: self.processes.start(["/bin/true"], env={}, log=self.directory / "no" / "log", cwd=self.directory),
        ):
            error = self.assertRaises(spi.EngineError, call)
            self.assertEqual("engine.program", error.symbol)
            self.assertNotIn("--secret", error.message)
