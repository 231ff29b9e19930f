# SPDX-License-Identifier: Apache-2.0
"""Run the engine as a plain process of this machine.

:class:`ChildProcess` implements :class:`trove.datastores.spi.EngineProcess`. It guarantees: the engine is the leader of
    a session of its own, so neither a signal to the agent's group nor the agent's end reaches it; an engine that ended
    while the agent was its parent is reaped, never left as a zombie; a program that takes too long is ended together
    with what it started. Secrets belong into ``input`` or ``env``: every user of the machine can read an argument list,
    and error texts name the program only.
"""

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from trove.common import redact
from trove.datastores import spi

#: What a program gets when its caller says nothing else. The agent's own environment is not inherited: what an operator
#: exported in the shell that started the agent must not change how an engine behaves.
BASE_ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
}
#: See :data:`trove.providers.local.processes.MARK`; the one variable that is passed on.
MARK = "TROVE_INSTANCE"
#: Characters of a failed program's last line that go into the error message.
_ERROR_TEXT = 160
#: ENOSPC as C libraries and the servers of the MySQL family write it, in the language of :data:`BASE_ENVIRONMENT`.
_FULL = re.compile(r"No space left on device|\b(?:errno:?|error) 28\b")


class ChildProcess:
    """Programs as plain children of the agent. All methods may be called from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, argv: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path) -> int:
        """Start ``argv`` detached from the agent's life; its output is appended to ``log`` (created with mode 0600).

        :param env: added to :data:`BASE_ENVIRONMENT`.
        :returns: the pid, which is also the id of the new session and process group.
        :raises EngineError: symbol ``engine.program``, when the program cannot be executed.
        """
        self.reap()
        child = self._spawn(argv, argv, env=env, log=log, cwd=cwd)
        self._adopt(child.pid, child)
        return child.pid

    def is_alive(self, pid: int, marker: str) -> bool:
        """Tell whether ``pid`` runs and its command line contains ``marker``; a zombie does not run."""
        self.reap()
        with self._lock:
            child = self._children.get(pid)
        if child is not None:
            # For a moment after execve(2) the kernel shows no arguments: asking it would declare a new engine dead.
            return marker in " ".join(map(str, child.args))  # type: ignore[arg-type]
        return marker in command_line(pid)

    def signal(self, pid: int, number: int) -> None:
        """Send signal ``number``; a process that is gone is no error.

        :raises ValueError: for a pid that would address a group or init: no handler ever means that.
        """
        if pid <= 1:
            raise ValueError(f"refusing to signal pid {pid}")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        input: bytes | None = None,
        timeout: float = 60,
    ) -> bytes:
        """Run a program to its end and return its standard output.

        :param timeout: seconds; then the program's whole process group is killed.
        :raises EngineError: symbol ``engine.program``, with the line on standard error that tells why, masked.
        """
        try:
            child = subprocess.Popen(
                self._command(argv),
                env={**BASE_ENVIRONMENT, **_mark(), **(env or {})},
                stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                umask=0o077,
            )
        except OSError as err:
            raise failure(argv, f"cannot be executed ({err.strerror})") from err
        with child:
            try:
                output, errors = child.communicate(input, timeout=timeout)
            except subprocess.TimeoutExpired:
                raise failure(argv, f"took longer than {timeout:g} seconds") from None
            finally:
                if child.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(child.pid, signal.SIGKILL)
        if child.returncode != 0:
            raise failure(argv, f"ended with status {child.returncode}: {_cause(errors)}")
        return output

    def reap(self) -> None:
        """Collect the exit status of every engine that has ended, so that none stays as a zombie."""
        with self._lock:
            for pid in [pid for pid, child in self._children.items() if child.poll() is not None]:
                del self._children[pid]

    def disown(self) -> None:
        """Forget the running engines without touching them, before the agent ends: they go on without it."""
        self.reap()
        with self._lock:
            for child in self._children.values():
                # Popen warns about a child that outlives it, and keeps it in a list of its own to poll. That the child
                # goes on is what we want; the system's init process inherits it.
                child.returncode = 0
            self._children.clear()

    def _command(self, argv: Sequence[str]) -> Sequence[str]:
        """Return the command line that runs ``argv`` where engines run."""
        return argv

    def _adopt(self, pid: int, child: subprocess.Popen[bytes]) -> None:
        """Remember that the engine ``pid`` lives as long as our ``child`` does."""
        with self._lock:
            self._children[pid] = child

    @staticmethod
    def _spawn(
        argv: Sequence[str],
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path,
        cwd: Path,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start ``command``, which runs the engine's ``argv``, in a session of its own.

        :raises EngineError: symbol ``engine.program``.
        """
        try:
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as err:
            raise failure(argv, f"its log file cannot be opened ({err.strerror})") from err
        try:
            return subprocess.Popen(
                command,
                env={**BASE_ENVIRONMENT, **_mark(), **env},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=pass_fds,
                umask=0o077,
            )
        except OSError as err:
            raise failure(argv, f"cannot be executed ({err.strerror})") from err
        finally:
            os.close(output)


def _mark() -> dict[str, str]:
    """Return the variable by which the local provider finds all processes of an instance, where the agent was given
    it."""
    return {MARK: os.environ[MARK]} if MARK in os.environ else {}


def command_line(pid: int) -> str:
    """Return the arguments of ``pid`` separated by spaces; empty for a zombie, a kernel thread and a pid that is not
    there."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def failure(argv: Sequence[str], what: str) -> spi.EngineError:
    """Return the error that names the program and nothing of its arguments."""
    return spi.EngineError("engine.program", f"The program '{os.path.basename(argv[0])}' {what}.")


def _cause(errors: bytes) -> str:
    """Return the line that tells why: the last one, unless an earlier one says that the disk is full."""
    lines = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
    full = next((line for line in lines if _FULL.search(line)), None)
    if full is not None:
        return f"no space is left on the disk: {redact.mask_text(full.strip()[:_ERROR_TEXT])}"
    # Servers of the MySQL family say last that they give up, and before that why.
    while len(lines) > 1 and lines[-1].rstrip(" .").endswith("Aborting"):
        lines.pop()
    return redact.mask_text(lines[-1].strip()[:_ERROR_TEXT]) if lines else "it wrote no reason"
