# SPDX-License-Identifier: Apache-2.0
"""The server process of one data directory: start, stop, adopt, bring back.

Guarantees:

* never two servers on one data directory: a running one is found by the pid file of the engine *and* by its command
  line, because a pid may have been given to somebody else meanwhile;
* a server that outlived the agent is adopted, not restarted;
* a server that died is started again at once, then with growing pauses; one that keeps dying is reported as failed and
  still tried once in a while.

An engine says in a :class:`Program` how it is started and recognised::

    server = EngineServer(process, Program(
        argv=("/usr/bin/redis-server", "/state/redis.conf"), marker="/state/redis.conf", log=log, cwd=data,
        pid=lambda: read_pid(path), ready=lambda pid: answers_ping(),
    ))
    server.start()
"""

import collections
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trove.common import clock
from trove.common.backoff import EXACT, Backoff
from trove.datastores import spi

#: Seconds between two looks at a server that starts or stops: the shortest and the longest pause. In between it is an
#: eighth of the time that has passed, so that what takes ten milliseconds is not found out after twenty.
FIRST_POLL = 0.001
POLL = 0.02
#: Seconds for which a process that was just started need not be visible: between the end of the old program and the
#: start of the new one (execve(2)) its command line reads as empty.
EXEC_GRACE = 0.5
#: Times that a server may end during one start. Once may be chance, somebody's kill or the leftovers of the one before;
#: what it refuses it refuses twice.
START_ATTEMPTS = 2
#: Seconds a start may take; crash recovery of a busy server is the long case.
START_TIMEOUT = 600.0
#: This many crashes within the window make the engine "failed" until it has lived through a quiet one.
CRASHES = 5
CRASH_WINDOW = 300.0
#: Longest pause between two attempts.
MAX_PAUSE = 60.0
_RESTARTS = Backoff(first=1.0, cap=MAX_PAUSE, jitter=EXACT)
#: (signal, seconds until the next): ask, then end.
GRACEFUL_STOP = ((signal.SIGTERM, 120.0), (signal.SIGKILL, 10.0))


def _no_environment() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Program:
    """How one engine's server runs.

    :ivar argv: the command line; secrets never are in it.
    :ivar marker: text that is in this server's command line and in no other process's.
    :ivar log: file that gets what the process writes to its standard output and error.
    :ivar pid: the pid that the engine itself has noted, or ``None``; it need not be true any more.
    :ivar ready: whether the server with this pid takes connections. Asked every few milliseconds; it may block
        for a second.
    :ivar environment: added to the environment of a start, asked at each.
    :ivar stop_stages: signals that end the server, each with the seconds until the next, the last being SIGKILL.
    """

    argv: Sequence[str]
    marker: str
    log: Path
    cwd: Path
    pid: Callable[[], int | None]
    ready: Callable[[int], bool]
    environment: Callable[[], Mapping[str, str]] = _no_environment
    stop_stages: Sequence[tuple[int, float]] = field(default=GRACEFUL_STOP)


class EngineServer:
    """Runs a :class:`Program`. Commands and :meth:`supervise` come from one thread, :meth:`pid` from any."""

    def __init__(self, process: spi.EngineProcess, program: Program) -> None:
        self._process = process
        self._program = program
        self._launched: int | None = None
        self._crashes: collections.deque[float] = collections.deque(maxlen=CRASHES)
        self._retry_at = 0.0

    # -- looking -------------------------------------------------------------------------------------------------------

    def pid(self) -> int | None:
        """Return the pid of the running server of this data directory, ``None`` when there is none."""
        # The one just launched has not written its file yet.
        for candidate in (self._program.pid(), self._launched):
            if candidate is not None and self.owns(candidate):
                return candidate
        return None

    def owns(self, pid: int) -> bool:
        """Tell whether ``pid`` is alive and a server of this data directory."""
        return self._process.is_alive(pid, self._program.marker)

    def accepting(self) -> bool:
        """Tell whether the server runs and takes connections."""
        pid = self.pid()
        return pid is not None and self._program.ready(pid)

    @property
    def crash_reason(self) -> str | None:
        """One sentence when the server keeps dying, ``None`` otherwise."""
        if len(self._crashes) < CRASHES or clock.monotonic() - self._crashes[0] > CRASH_WINDOW:
            return None
        return f"The database server ended {CRASHES} times within {int(CRASH_WINDOW)} seconds; its log says why."

    # -- doing ---------------------------------------------------------------------------------------------------------

    def launch(self) -> None:
        """Start the process unless it runs; do not wait for it.

        :raises EngineError: when it cannot be executed.
        """
        if self.pid() is not None:
            return
        program = self._program
        self._launched = self._process.start(program.argv, env=program.environment(), log=program.log, cwd=program.cwd)

    def start(self, timeout: float = START_TIMEOUT) -> None:
        """Start the server and wait until it takes connections; success when it already does.

        :raises EngineError: ``engine.start_failed`` when it ends each time, ``engine.start_timeout`` when it takes
            longer.
        """
        self.launch()
        launched = began = clock.monotonic()
        deadline = began + timeout
        attempts = 1
        while not self.accepting():
            if self.pid() is None and clock.monotonic() - launched > EXEC_GRACE:
                self._launched = None
                if attempts == START_ATTEMPTS:
                    raise spi.EngineError(
                        "engine.start_failed", "The database server ended during its start; its log says why."
                    )
                attempts += 1
                self.launch()
                launched = clock.monotonic()
            if clock.monotonic() > deadline:
                raise spi.EngineError(
                    "engine.start_timeout",
                    f"The database server does not take connections after {timeout:.0f} seconds.",
                )
            clock.sleep(_pause(clock.monotonic() - began))
        self.forgive()

    def stop(self) -> None:
        """End the server, gracefully first, then harder; success when none runs.

        :raises EngineError: ``engine.stop_failed`` when it outlives even SIGKILL.
        """
        # The pid file may go before the process does; this one is over only when the process is.
        self._launched = self.pid()
        for number, timeout in self._program.stop_stages:
            pid = self.pid()
            if pid is None:
                break
            self._process.signal(pid, number)
            self._await_end(timeout)
        if self.pid() is not None:
            raise spi.EngineError("engine.stop_failed", "The database server could not be stopped.")
        self._launched = None
        self.forgive()

    def reload(self) -> None:
        """Let the server read its configuration again (SIGHUP), for engines that take this."""
        pid = self.pid()
        if pid is not None:
            self._process.signal(pid, signal.SIGHUP)

    def supervise(self) -> None:
        """Bring a server back that should run and does not. Never waits: a long recovery must not hold the agent."""
        if self.pid() is not None:
            return
        now = clock.monotonic()
        if self._launched is not None or not self._crashes:
            # Ours died, or, after a restart of the agent, somebody's did: either way it is one crash, counted once.
            self._launched = None
            self._crashes.append(now)
            self._retry_at = now + self._pause(now)
        if now >= self._retry_at:
            self._retry_at = now + MAX_PAUSE
            try:
                self.launch()
            except spi.EngineError:
                # A missing volume, a removed program: as good as a crash, and told by the status.
                self._crashes.append(now)
                self._retry_at = now + self._pause(now)

    def hurry(self) -> None:
        """Let the next :meth:`supervise` try at once: what kept the server from starting has gone."""
        self._retry_at = 0.0

    def forgive(self) -> None:
        """Forget earlier crashes: the owner started, stopped or changed the server on purpose."""
        self._crashes.clear()
        self._retry_at = 0.0

    # -- details -------------------------------------------------------------------------------------------------------

    def _pause(self, now: float) -> float:
        recent = sum(1 for crash in self._crashes if now - crash <= CRASH_WINDOW)
        if recent >= CRASHES:
            return MAX_PAUSE
        return _RESTARTS.delay(recent - 1) if recent > 1 else 0.0

    def _await_end(self, timeout: float) -> None:
        # Not of one pid: what was launched may be a wrapper that ends a moment after the engine itself.
        began = clock.monotonic()
        while self.pid() is not None and clock.monotonic() < began + timeout:
            clock.sleep(_pause(clock.monotonic() - began))


def _pause(elapsed: float) -> float:
    """Return the seconds until the next look, after ``elapsed`` seconds of looking."""
    return min(max(FIRST_POLL, elapsed / 8), POLL)
