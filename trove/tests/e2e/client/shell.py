# SPDX-License-Identifier: Apache-2.0
"""The client as a process that tests give commands to, and what the service says was asked of it meanwhile."""

import json
import pathlib
import re
import subprocess
import sys
from collections.abc import Mapping
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


class Shell:
    """A worker process with the client loaded; :meth:`close` ends it.

    :param environment: the whole of it: the cloud, a home that is the test's own.
    """

    def __init__(self, environment: Mapping[str, str], log: ServiceLog) -> None:
        self._log = log
        pipe = subprocess.PIPE
        self._worker = subprocess.Popen(
            [sys.executable, str(_WORKER)], stdin=pipe, stdout=pipe, text=True, env=dict(environment)
        )

    def run(self, *argv: str, environ: Mapping[str, str] | None = None) -> Run:
        """Run ``openstack ARGV…`` to its end. The words go through a pipe: no other process can list them.

        :param environ: variables to set for this command.
        """
        assert self._worker.stdin is not None and self._worker.stdout is not None
        self._log.skip()
        self._worker.stdin.write(json.dumps({"argv": argv, "environ": environ or {}}) + "\n")
        self._worker.stdin.flush()
        line = self._worker.stdout.readline()
        assert line, f"the worker of the client has ended: {argv[:2]}"
        answer = json.loads(line)
        return Run(tuple(argv), answer["code"], answer["stdout"], answer["stderr"], self._log.calls())

    def close(self) -> None:
        """End the worker."""
        assert self._worker.stdin is not None and self._worker.stdout is not None
        self._worker.stdin.close()
        self._worker.stdout.close()
        self._worker.wait(60)
