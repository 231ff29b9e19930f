# SPDX-License-Identifier: Apache-2.0
"""A process that has loaded the agent's program and becomes agents by forking: ``-m trove.providers.local.zygote
PROGRAM PADDING``.

:mod:`trove.providers.local.zygote_client` starts it and asks for agents on the socket that is its standard input; it
ends when the other end of that is closed. It is what :mod:`trove.providers.local.launch` is for a cold start: with a
service of root it is root, so that each child can join its control groups and namespaces, and drops every privilege
right after, before it touches anything of its instance. It never holds a secret: a child gets the path of its bootstrap
document and reads it as the instance's account.

One request is one message of JSON with two descriptors, the agent's log and where a failure is told; one answer names
the process and its start time. Ends of children are told when they come. The process has one thread, as a fork demands.

PROGRAM is a module with ``preload()``, ``fits(argv)`` (whether what is loaded serves this agent; else the child
executes the program afresh) and ``main(argv)``. A child looks from outside like a fresh start: session, descriptors,
working directory, environment, and what ``/proc`` shows of arguments and environment, by which it is found again.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from typing import Any, NoReturn

from trove.providers.local import launch

CHANNEL = 0
#: Largest request in bytes.
MAX_REQUEST = 128 * 1024
PR_SET_DUMPABLE = 4

_EXIT_BROKEN = 70


class DoesNotFit(Exception):
    """What is to be shown in ``/proc`` is longer than the room for it."""


class ProcessTitle:
    """What ``/proc/PID/cmdline`` and ``environ`` show: two pieces of this process's memory, see proc_pid_stat(5)."""

    def __init__(self) -> None:
        with open("/proc/self/stat", "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
        self._arguments = (int(fields[45]), int(fields[46]))
        self._environment = (int(fields[47]), int(fields[48]))

    def encode(self, argv: list[str], env: dict[str, str]) -> tuple[bytes, bytes]:
        """Return both pieces as they are to be.

        :raises DoesNotFit: when there is no room.
        """
        marks = [f"{key}={value}" for key, value in env.items()]
        return self._fill(self._arguments, argv), self._fill(self._environment, marks)

    def write(self, encoded: tuple[bytes, bytes]) -> None:
        """Put them there. Whoever has kept a pointer to the old words must not look at it any more."""
        for (start, _end), piece in zip((self._arguments, self._environment), encoded, strict=True):
            ctypes.memmove(start, piece, len(piece))

    @staticmethod
    def _fill(place: tuple[int, int], words: list[str]) -> bytes:
        room = place[1] - place[0]
        text = b"".join(os.fsencode(word) + b"\0" for word in words)
        if len(text) > room:
            raise DoesNotFit(f"{len(text)} bytes, there is room for {room}")
        return text.ljust(room, b"\0")


class Zygote:
    """See the module's docstring."""

    def __init__(self, program: Any) -> None:
        self._program = program
        self._title = ProcessTitle()
        self._channel = socket.socket(fileno=CHANNEL)
        self._wakeup_reader, self._wakeup_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._children: dict[int, int] = {}

    def serve(self) -> None:
        """Answer requests until nobody can make any."""
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wakeup_writer, warn_on_full_buffer=False)
        self._send({"ready": os.getpid()})
        poller = select.poll()
        poller.register(CHANNEL, select.POLLIN)
        poller.register(self._wakeup_reader, select.POLLIN)
        while True:
            for descriptor, _events in poller.poll():
                if descriptor == self._wakeup_reader:
                    os.read(self._wakeup_reader, 4096)
                elif not self._answer():
                    return
            self._reap()

    def _answer(self) -> bool:
        data, descriptors, _flags, _peer = socket.recv_fds(self._channel, MAX_REQUEST, 2)
        if not data:
            return False
        try:
            request = json.loads(data)
            encoded = self._title.encode(request["argv"], request["env"])
            pid = os.fork()
            if pid == 0:
                self._child(request, encoded, *descriptors)
            self._children[pid] = started(pid)
            self._send({"pid": pid, "started": self._children[pid]})
        except (DoesNotFit, OSError) as err:
            self._send({"refused": str(err)})
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._send({"ended": pid, "started": self._children.pop(pid), "status": os.waitstatus_to_exitcode(status)})

    def _send(self, message: dict[str, Any]) -> None:
        self._channel.send(json.dumps(message).encode(), socket.MSG_NOSIGNAL)

    def _child(self, request: dict[str, Any], encoded: tuple[bytes, bytes], log: int, status: int) -> NoReturn:
        code: Any = _EXIT_BROKEN
        try:
            became = self._become_agent(request, encoded, log, status)
            code = self._run(request["argv"]) if became else launch.EXIT_FAILED
        except SystemExit as end:
            code = end.code
        except BaseException:  # boundary: nothing may ever come back into the zygote's own loop
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code if isinstance(code, int) else int(code is not None))

    def _become_agent(self, request: dict[str, Any], encoded: tuple[bytes, bytes], log: int, status: int) -> bool:
        """Become what the request says; tell ``status`` why not."""
        words = launch.parse(request["words"])
        try:
            os.setsid()
            _detach(log, status)
            os.environ.clear()
            os.environ.update(request["env"])
            self._title.write(encoded)
            os.umask(0o077)
            if words:
                launch.prepare(words)
                # A change of user makes the kernel hide the process from its own account, which execve(2) would undo.
                ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
            else:
                os.chdir(request["cwd"])
        except (launch.LaunchError, OSError) as err:
            os.write(status, f"the guest agent was not started: {err}{launch.remedy(words)}\n".encode())
            return False
        if not self._program.fits(request["argv"]):
            os.execve(request["argv"][0], request["argv"], request["env"])
        os.close(status)
        return True

    def _run(self, argv: list[str]) -> Any:
        gc.enable()
        return self._program.main(argv[argv.index(self._program.__name__) + 1:])


def started(pid: int) -> int:
    """Return the start time of a child, in clock ticks since the boot."""
    with open(f"/proc/{pid}/stat", "rb") as stream:
        return int(stream.read().rpartition(b")")[2].split()[19])


def _detach(log: int, status: int) -> None:
    """Keep only the standard descriptors and ``status``; forget the zygote's signals."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.set_inheritable(status, False)
    os.closerange(3, status)
    os.closerange(status + 1, max(map(int, os.listdir("/proc/self/fd"))) + 1)


def main() -> None:
    """Entry point."""
    program = importlib.import_module(sys.argv[1])
    program.preload()
    gc.collect()
    gc.disable()
    gc.freeze()  # what is loaded stays as it is, and so stays shared
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the service has gone
        Zygote(program).serve()


if __name__ == "__main__":
    main()
