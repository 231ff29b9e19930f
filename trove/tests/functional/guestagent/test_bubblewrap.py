# SPDX-License-Identifier: Apache-2.0
"""Engines in a root file system of their own: a few programs of the host with their libraries, which needs no build."""

import os
import re
import resource
import shutil
import signal
import subprocess
from pathlib import Path

from trove.datastores import spi
from trove.guestagent.system.bubblewrap import BubblewrapProcess
from trove.guestagent.system.process import ChildProcess, command_line
from trove.tests.fixtures.unprivileged import UnprivilegedTestCase
from trove.tests.functional.guestagent.control import wait_for

PROGRAMS = ("sh", "cat", "touch", "id", "sleep", "true")


def make_image(image: Path) -> None:
    """Fill a root file system."""
    paths = {f"/bin/{name}" for name in PROGRAMS}
    for path in sorted(paths):
        listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        paths.update(re.findall(r"(/\S+) \(0x", listed))
    for path in paths:
        (image / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, image / path[1:])
    for folder in ("etc", "var/lib/engine", "usr", "home"):
        (image / folder).mkdir(parents=True, exist_ok=True)
    (image / "etc/os-release").write_text("an image\n")
    (image / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")


class TestBubblewrap(UnprivilegedTestCase):
    def setUp(self) -> None:
        super().setUp()
        if shutil.which("bwrap") is None:
            self.skipTest("bubblewrap is not installed")
        self.image = self.tempdir() / "rootfs"
        self.directory = self.tempdir()
        self.data, self.state = self.directory / "data", self.directory / "state"
        for folder in (self.image, self.data, self.state):
            folder.mkdir(parents=True)
        make_image(self.image)
        self.log = self.state / "log"
        self.processes = self.new_processes()

    def new_processes(self) -> BubblewrapProcess:
        return BubblewrapProcess(self.image, [self.data, self.state], self.state)

    def engine(self, *argv: str) -> int:
        marker = str(self.data)
        words = argv or ("/bin/sh", "-c", "trap : HUP; while sleep 600; do :; done", marker)
        pid = self.processes.start(words, env={}, log=self.log, cwd=self.data)
        self.addCleanup(self.processes.reap)
        self.addCleanup(self.processes.signal, pid, signal.SIGKILL)
        return pid

    def sh(self, script: str) -> str:
        return self.processes.run(["/bin/sh", "-c", script]).decode()

    def test_it_sees_the_image_and_may_write_only_what_is_its_own(self) -> None:
        self.assertEqual("an image\n", self.sh("cat /etc/os-release"))
        for place in ("/", "/usr", "/etc", "/var/lib", "/var/lib/engine", "/home"):
            self.assertEqual("no\n", self.sh(f"touch {place}/x 2>/dev/null && echo yes || echo no"), place)
        for place in (self.data, self.state, "/run"):
            self.assertEqual("yes\n", self.sh(f"touch {place}/x 2>/dev/null && echo yes || echo no"), place)
        self.assertTrue((self.data / "x").exists())
        self.assertEqual(os.geteuid(), (self.data / "x").stat().st_uid)
        self.assertFalse((self.image / "run").exists())

    def test_its_account_has_a_name(self) -> None:
        self.assertNotIn(f":{os.geteuid()}:", (self.image / "etc/passwd").read_text())
        self.assertRegex(self.sh("id -un"), r"^\w+\n$")
        self.assertEqual(f"{os.geteuid()}\n", self.sh("id -u"))

    def test_the_pid_is_the_engines_own_on_both_sides(self) -> None:
        pid = self.engine("/bin/sh", "-c", "echo $$ >pid; exec sleep 600", str(self.data))
        wait_for(lambda: (self.data / "pid").exists() and (self.data / "pid").read_text(), what="the pid file")
        self.assertEqual(f"{pid}\n", (self.data / "pid").read_text())
        wait_for(lambda: command_line(pid) == "sleep 600", what="the engine, not bubblewrap")
        self.assertEqual(str(self.data), os.readlink(f"/proc/{pid}/cwd"))
        self.assertNotEqual(os.getsid(0), os.getsid(pid))

    def test_its_mark_stays(self) -> None:
        os.environ["TROVE_INSTANCE"] = "instance:x/server"
        self.addCleanup(os.environ.pop, "TROVE_INSTANCE")
        pid = self.engine()
        self.assertIn(b"TROVE_INSTANCE=instance:x/server", Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))

    def test_it_outlives_the_agent_and_is_adopted(self) -> None:
        pid = self.engine()
        self.processes.disown()
        following = self.new_processes()
        wait_for(lambda: following.is_alive(pid, str(self.data)), what="what the next agent sees")
        self.assertFalse(following.is_alive(pid, "another"))
        following.signal(pid, signal.SIGKILL)
        wait_for(lambda: not following.is_alive(pid, str(self.data)), what="its end")

    def test_it_lives_without_bubblewrap(self) -> None:
        pid = self.engine()
        wrapper = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        self.assertEqual("bwrap\n", Path(f"/proc/{wrapper}/comm").read_text())
        wait_for(lambda: command_line(pid).startswith("/bin/sh"), what="the engine's own command line")
        os.kill(wrapper, signal.SIGKILL)
        wait_for(lambda: self.processes.reap() is None and not command_line(wrapper), what="the end of bubblewrap")
        self.assertTrue(self.processes.is_alive(pid, str(self.data)))

    def test_a_killed_engine_is_reaped(self) -> None:
        pid = self.engine()
        self.processes.signal(pid, signal.SIGKILL)
        wait_for(lambda: not self.processes.is_alive(pid, str(self.data)), what="its end")
        wait_for(lambda: not Path(f"/proc/{pid}").exists(), what="the end of the zombie")

    def test_what_is_not_in_the_image_is_said(self) -> None:
        for call in (
            lambda: self.processes.run(["/opt/none/engine"]),
            lambda: self.processes.start(["/opt/none/engine"], env={}, log=self.log, cwd=self.data),
        ):
            error = self.assertRaises(spi.EngineError, call)
            self.assertEqual("engine.program", error.symbol)
            self.assertIn("'engine' is not in the image", error.message)

    def test_a_program_that_fails_or_takes_too_long_leaves_nothing(self) -> None:
        error = self.assertRaises(spi.EngineError, self.sh, "echo why >&2; exit 3")
        self.assertIn("status 3: why", error.message)
        marker = f"sleep 600.{os.getpid()}"
        slow = ["/bin/sh", "-c", f"{marker} & wait"]
        error = self.assertRaises(spi.EngineError, self.processes.run, slow, timeout=0.5)
        self.assertIn("longer than 0.5 seconds", error.message)
        left = [entry for entry in os.listdir("/proc") if entry.isdigit() and marker in command_line(int(entry))]
        self.assertEqual([], left)

    def test_it_costs_little(self) -> None:
        """Time of the processor, which is the same however busy the machine is."""

        def spent() -> float:
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            return used.ru_utime + used.ru_stime

        def best(processes: ChildProcess) -> float:
            times = []
            for _ in range(10):
                before = spent()
                processes.run(["/bin/true"])
                times.append(spent() - before)
            return min(times)

        self.assertLess(best(self.processes) - best(ChildProcess()), 0.03)

