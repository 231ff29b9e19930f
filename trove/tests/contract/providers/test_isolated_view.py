# SPDX-License-Identifier: Apache-2.0
"""What an instance of tier 2 can write to, as its account sees it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

from trove.common import ids
from trove.providers import base
from trove.providers.local import agent_health
from trove.tests.contract.providers import test_isolated

#: Prints each directory that can be written to, on every mount that is not read-only. The kernel's own files are apart.
_WRITABLE = """
import json, os
found = []
for line in open("/proc/self/mountinfo"):
    point = line.split()[4]
    kind = line.partition(" - ")[2].split()[0]
    try:
        if kind == "proc" or os.statvfs(point).f_flag & os.ST_RDONLY:
            continue
        for folder, folders, files in os.walk(point):
            folders[:] = [n for n in folders if os.lstat(os.path.join(folder, n)).st_dev == os.lstat(folder).st_dev]
            if os.access(folder, os.W_OK):
                found.append(point)
                break
            regular = (p for p in (os.path.join(folder, n) for n in files) if os.path.isfile(p))
            if any(os.access(p, os.W_OK) for p in regular):
                found.append(point)
                break
    except PermissionError:
        continue
print(json.dumps(sorted(set(found))))
"""
_WRITE = "import sys; [open(path, 'x').write('x') for path in sys.argv[1:]]"
_READ = "import sys; print(open(sys.argv[1]).read())"


class ViewTest(test_isolated.IsolatedTestCase):
    def test_there_is_no_place_to_write_but_its_own(self) -> None:
        self.make_server()
        pid, state = self.facts()["pid"], self.server_dir / "state"
        free = [path for path in ("/tmp", "/var/tmp") if not str(self.base_dir).startswith(f"{path}/")]
        own = {str(state), str(self.data_dir), "/dev/shm", *free}
        found = json.loads(self.as_agent(pid, _WRITABLE).stdout)
        self.assertLessEqual(set(found), own | {path for path in found if self.is_hidden(path)})
        self.assertLessEqual({str(state), str(self.data_dir)}, set(found))

    def test_temporary_files_are_its_own_and_on_its_volume(self) -> None:
        self.make_server()
        facts = self.facts()
        name = f"trove-test-{ids.new_id()}"
        (free, *_) = [path for path in ("/var/tmp", "/tmp") if not str(self.base_dir).startswith(f"{path}/")]
        done = self.as_agent(facts["pid"], _WRITE, f"{free}/{name}", f"/dev/shm/{name}")
        self.assertEqual("", done.stderr)
        self.assertFalse(Path(free, name).exists() or Path("/dev/shm", name).exists())
        self.assertEqual("x", (self.data_dir / ".tmp" / name).read_text())
        for path in (f"/run/{name}", f"/var/lib/{name}", f"/etc/{name}"):
            self.assertIn("Read-only file system", self.as_agent(facts["pid"], _WRITE, path).stderr)
        # An agent that is started again finds what the one before has left there, for example an engine's socket.
        os.kill(facts["pid"], signal.SIGKILL)
        self.until(lambda: self.provider.find_server(self.tag("server")).status is base.Status.PENDING)
        with mock.patch.object(agent_health, "pause", autospec=True, return_value=0.0):
            self.provider.supervise()
        again = self.facts(not_pid=facts["pid"])
        self.assertEqual("x\n", self.as_agent(again["pid"], _READ, f"{free}/{name}").stdout)

    def test_a_volume_whose_guest_has_put_something_in_the_way(self) -> None:
        """A link leads root nowhere: the agent starts without a place for temporary files."""
        self.make_server()
        facts = self.facts()
        outside = self.tempdir()
        temporary = self.data_dir / ".tmp"
        temporary.rmdir()
        temporary.symlink_to(outside)
        os.kill(facts["pid"], signal.SIGKILL)
        self.until(lambda: self.provider.find_server(self.tag("server")).status is base.Status.PENDING)
        with mock.patch.object(agent_health, "pause", autospec=True, return_value=0.0):
            self.provider.supervise()
        again = self.facts(not_pid=facts["pid"])
        for path in ("/tmp", "/var/tmp"):
            self.assertIn("Read-only file system", self.as_agent(again["pid"], _WRITE, f"{path}/x").stderr)
        self.assertEqual(([], 0), (os.listdir(outside), outside.stat().st_uid))

    def as_agent(self, pid: int, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python as the agent's account with the agent's view of the mounts."""
        uid = self.facts()["uid"]
        command = [
            "nsenter", f"--mount=/proc/{pid}/ns/mnt", f"--setuid={uid}", f"--setgid={uid}",
            os.path.realpath(sys.executable), "-I", "-S", "-c", code, *arguments,
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd="/")

    def is_hidden(self, path: str) -> bool:
        """Tell whether it lies in an empty file system that hides what the agent may not see."""
        return any(path.startswith(str(parent)) for parent in self.base_dir.parents if parent != Path("/"))
