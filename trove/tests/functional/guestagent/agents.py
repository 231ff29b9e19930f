# SPDX-License-Identifier: Apache-2.0
"""Agents as real processes, with a datastore installed the way a third party's package is."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import fixtures

import trove
from trove.guestagent.system.process import command_line
from trove.tests.functional.guestagent.control import wait_for
from trove.tests.unit.guestagent.fakes import document

_TINY = Path(__file__).parent / "tiny"


class AgentProcess(fixtures.Fixture):
    """One instance's directories and its agent. The agent and its engine are killed at the end.

    :param python: interpreter to run it with.
    """

    def __init__(self, instance_id: str, endpoint: str, one_time_key: str, python: str = sys.executable) -> None:
        super().__init__()
        self.instance_id = instance_id
        self._endpoint = endpoint
        self._key = one_time_key
        self._python = python
        #: What the interpreter is told to run; it gets ``--bootstrap FILE``.
        self.program = ["-m", "trove.cmd.guest"]
        self.process: subprocess.Popen[bytes] | None = None

    def _setUp(self) -> None:
        self.directory = Path(self.useFixture(fixtures.TempDir(tempfile.gettempdir())).path)
        self.packages = self.directory / "packages"
        installed = self.packages / "tiny-1.0.dist-info"
        installed.mkdir(parents=True)
        (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        (installed / "entry_points.txt").write_text("[trove.datastores.guest]\ntiny = tiny_engine:make_handler\n")
        self.bootstrap = self.directory / "bootstrap.json"
        self.write_bootstrap()
        self.addCleanup(self.kill_all)

    def write_bootstrap(self, **fields: Any) -> None:
        """Write the bootstrap document."""
        values = {"datastore_manager": "tiny", "heartbeat_interval": 0.5, "one_time_key": self._key, **fields}
        made = document(self.directory, instance_id=self.instance_id, endpoint=self._endpoint, **values)
        self.data, self.state = Path(made.data_dir), Path(made.state_dir)
        self.bootstrap.write_text(json.dumps(made.to_wire()))
        self.bootstrap.chmod(0o600)

    def start(self) -> None:
        """Start the agent."""
        source = str(Path(trove.__file__).parents[1])
        self.process = subprocess.Popen(
            [self._python, *self.program, "--bootstrap", str(self.bootstrap)],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{source}:{self.packages}:{_TINY}",
                "MALLOC_ARENA_MAX": "1",  # as the local provider starts it
            },
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def wait(self, timeout: float = 20) -> tuple[int, str]:
        """Wait for the agent's end and return its exit status and what it wrote to standard error."""
        assert self.process is not None
        _, errors = self.process.communicate(timeout=timeout)
        return self.process.returncode, errors.decode()

    def signal(self, number: int) -> None:
        """Send the agent a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def engine_pid(self) -> int:
        """The pid of the tiny engine, 0 when it does not run."""
        path = self.state / "engine.pid"
        pid = int(path.read_text() or 0) if path.exists() else 0
        return pid if pid and str(self.data) in command_line(pid) else 0

    def log(self) -> str:
        """What the agent logged."""
        path = self.state / "agent.log"
        return path.read_text() if path.exists() else ""

    def kill_all(self) -> None:
        """Kill agent and engine."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
            with contextlib.suppress(ValueError):
                self.process.communicate(timeout=20)
        if pid := self.engine_pid():
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not self.engine_pid(), what="the engine's end")
