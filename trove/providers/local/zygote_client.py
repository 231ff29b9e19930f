# SPDX-License-Identifier: Apache-2.0
"""Agents without the wait: a process that has their program loaded, and forks (:mod:`trove.providers.local.zygote`).

An agent's start is for nine parts in ten the loading of its program. :class:`ZygoteClient` keeps one process that has
done that. Everything about it is dispensable: while there is none, or it does not answer, or its code is not what is
installed now, :meth:`ZygoteClient.spawn` says ``None`` and the caller starts the agent afresh. Agents outlive it as
they outlive the service; it ends with the service, because it listens on nothing but one end of a socket pair.
"""

import contextlib
import functools
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import trove
from trove.common import clock
from trove.providers.local import privileges, zygote
from trove.providers.local.processes import Identity, Launch

LOG = logging.getLogger(__name__)

#: Seconds in which a fork must be answered; it takes milliseconds.
ANSWER = 5.0
#: Seconds after which another process is tried when the last one ended early.
PAUSE = 30.0
#: Room for what /proc shows of an agent: its arguments, its environment.
_ARGUMENTS, _ENVIRONMENT = 1024, 1024
_PACKAGES = ("cmd", "common", "datastores", "domain", "guestagent", "guestbus", "providers/local", "wire")


class ZygoteClient:
    """One process and its agents. Thread-safe.

    :param program: name of the module, see :mod:`trove.providers.local.zygote`.
    :param env: the environment that an agent is started with, apart from what is its own.
    """

    def __init__(self, program: str, env: Mapping[str, str]) -> None:
        self._program = program
        self._env = dict(env)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._ready = False
        self._code_version: object = None
        self._began = float("-inf")
        self._exits: list[tuple[Identity, int]] = []

    @property
    def pid(self) -> int | None:
        """The process that waits, once it has loaded everything; else ``None``."""
        with self._lock:
            self._receive_all()
            return self._process.pid if self._process is not None and self._ready else None

    def ensure_running(self) -> None:
        """See that there is a process with the code that is installed; do not wait for it. Call it now and then."""
        with self._lock:
            self._receive_all()
            present = code_version()
            if self._process is not None and self._code_version != present:
                LOG.info("the agents' code has changed: replacing the process that starts them")
                self._drop()
                self._began = float("-inf")
            if self._process is None and clock.monotonic() - self._began > PAUSE:
                self._code_version = present
                self._start()

    def spawn(self, launch: Launch, log: int, status: int) -> Identity | None:
        """Fork an agent; ``None`` when it has to be started in another way.

        :param log: descriptor for what it prints.
        :param status: descriptor that gets the reason of a failure and is closed by a success.
        """
        message = json.dumps(
            {"argv": list(launch.argv), "env": dict(launch.env), "words": list(launch.words), "cwd": launch.cwd}
        ).encode()
        with self._lock:
            self._receive_all()
            if self._channel is None or not self._ready or len(message) > zygote.MAX_REQUEST:
                return None
            if self._code_version != code_version():
                return None  # what is loaded is not what is installed; the next tend() replaces it
            try:
                socket.send_fds(self._channel, [message], [log, status])
                answer = self._await_answer()
            except OSError as err:
                LOG.warning("the process that starts agents does not answer: %s", err)
                self._drop()
                return None
        if "refused" in answer:
            LOG.warning("an agent is started afresh: %s", answer["refused"])
            return None
        return Identity(answer["pid"], answer["started"])

    def exits(self) -> list[tuple[Identity, int]]:
        """Return how agents have ended since the last call, as far as this process was told."""
        with self._lock:
            self._receive_all()
            found, self._exits = self._exits, []
        return found

    def close(self) -> None:
        """End the process; agents go on. Safe to repeat."""
        with self._lock:
            self._drop()

    # the caller of everything below holds the lock

    def _start(self) -> None:
        self._began = clock.monotonic()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", zygote.__name__, self._program, "x" * _ARGUMENTS],
                env={**self._env, **privileges.python_environment(), "HOME": "/", "TROVE_ZYGOTE": "x" * _ENVIRONMENT},
                cwd="/", stdin=theirs, start_new_session=True, close_fds=True, umask=0o077,
            )  # fmt: skip
        except OSError as err:
            LOG.warning("agents are started afresh each: %s", err)
            ours.close()
            return
        finally:
            theirs.close()
        self._channel = ours

    def _drop(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self._process = self._channel = None
        self._ready = False

    def _receive_all(self) -> None:
        """Take what the process has told."""
        try:
            while self._channel is not None and select.select([self._channel], [], [], 0)[0]:
                self._receive()
        except OSError as err:
            LOG.warning("the process that starts agents has ended (%s); agents are started afresh", err)
            self._drop()

    def _await_answer(self) -> dict[str, Any]:
        until = clock.monotonic() + ANSWER
        assert self._channel is not None
        while select.select([self._channel], [], [], max(0.0, until - clock.monotonic()))[0]:
            if (answer := self._receive()) is not None:
                return answer
        raise TimeoutError("it takes too long")

    def _receive(self) -> dict[str, Any] | None:
        """Take one message and return it when it is an answer.

        :raises OSError: when there is nobody any more.
        """
        assert self._channel is not None
        data = self._channel.recv(4096)
        if not data:
            raise ConnectionResetError("it has hung up")
        message: dict[str, Any] = json.loads(data)
        if "ready" in message:
            self._ready = True
        elif "ended" in message:
            self._exits.append((Identity(message["ended"], message["started"]), message["status"]))
        else:
            return message
        return None


def code_version() -> object:
    """Return what differs when other code is installed: interpreter, packages, our own files."""
    return tuple(_changes())


def _changes() -> Iterator[tuple[str, int]]:
    # Directories tell what an installer or a version-control system does: both replace files by renaming.
    places = [os.path.realpath(sys.executable), *(entry for entry in sys.path if entry)]
    root = os.path.dirname(trove.__file__)
    for place in (*places, root, *_directories(root)):
        with contextlib.suppress(OSError):
            yield place, os.stat(place).st_mtime_ns


@functools.cache
def _directories(root: str) -> tuple[str, ...]:
    found = (path for package in _PACKAGES for path, _, _ in os.walk(os.path.join(root, package)))
    return tuple(path for path in found if os.path.basename(path) != "__pycache__")
