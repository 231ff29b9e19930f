# SPDX-License-Identifier: Apache-2.0
"""The client as a process that tests give commands to, and what the service says was asked of it meanwhile."""

import atexit
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WORKER = pathlib.Path(__file__).with_name("worker.py")
_SERVED = re.compile(r"\] ([A-Z]+) (unknown path|\S+): (\d{3}) in [\d.]+ ms$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """One command that has ended.

    :ivar calls: what the service answered to it, in order: ``GET /instances/{instance_id}: 200``, below the project.
    """

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    calls: tuple[str, ...]

    @property
    def document(self) -> Any:
        """The JSON it printed."""
        return json.loads(self.stdout)

    def __str__(self) -> str:
        return f"openstack {' '.join(self.argv)} ended with {self.code} after {self.calls}:\n{self.stdout}{self.stderr}"


class ServiceLog:
    """The log of a service, read on from where it was read last."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._position = 0

    def skip(self) -> None:
        """Pass over what is there."""
        self._position = self._path.stat().st_size

    def calls(self) -> tuple[str, ...]:
        """Return the calls that were answered since, without the part of the path that all have in common."""
        with open(self._path, "rb") as stream:
            stream.seek(self._position)
            text = stream.read().decode(errors="replace")
        self._position += len(text.encode())
        return tuple(
            f"{method} {path.removeprefix('/v1.0/{project_id}')}: {status}"
            for method, path, status in _SERVED.findall(text)
        )


class Worker:
    """A process with the client loaded, which runs commands one after another; :meth:`close` ends it.

    :param environment: of commands that bring none.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, str(_WORKER)], stdin=pipe, stdout=pipe, text=True, env=dict(environment)
        )

    def run(self, argv: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str, str]:
        """Run ``openstack ARGV…`` to its end and return its exit code and what it printed, to both streams. The words
        go through a pipe: no other process can list them."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"argv": argv, "environ": dict(environ)}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the worker of the client has ended: {argv[:2]}"
        answer = json.loads(line)
        return answer["code"], answer["stdout"], answer["stderr"]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(60)


@functools.cache
def shared_worker() -> Worker:
    """Return the one of this test process, for commands that bring a whole environment."""
    home = tempfile.mkdtemp(prefix="trove-test-client-", dir="/tmp")  # outside of this test's own, which goes with it
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    made = Worker({"PATH": os.environ["PATH"], "HOME": home})
    atexit.register(made.close)
    return made


class Shell:
    """A worker of one's own, and the log of the service that it talks to; :meth:`close` ends it.

    :param environment: the whole of it: the cloud, a home that is the test's own.
    """

    def __init__(self, environment: Mapping[str, str], log: ServiceLog) -> None:
        self._log = log
        self._worker = Worker(environment)

    def run(self, *argv: str, environ: Mapping[str, str] | None = None) -> Run:
        """Run ``openstack ARGV…`` to its end.

        :param environ: variables to set for this command.
        """
        self._log.skip()
        code, stdout, stderr = self._worker.run(argv, environ or {})
        return Run(tuple(argv), code, stdout, stderr, self._log.calls())

    def close(self) -> None:
        """End the worker."""
        self._worker.close()
