# SPDX-License-Identifier: Apache-2.0
"""Life-cycle of a service process: start the parts, wait for a signal, stop them in reverse.

SIGTERM and SIGINT stop gracefully, SIGHUP reloads mutable options. A second SIGTERM is not needed: every part has a
bounded stop.
"""

import contextlib
import logging
import os
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from trove.common import clock

LOG = logging.getLogger(__name__)


class Part(Protocol):
    """Something with a start and a bounded, idempotent stop."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Periodic:
    """Calls ``task()`` in a thread of its own every ``interval`` seconds until stopped.

    :param task: an exception from it is logged; the next round comes all the same, whatever it was.
    """

    def __init__(self, name: str, interval: float, task: Callable[[], object]) -> None:
        self.name = name
        self._interval = interval
        self._task = task
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; the first call comes at once."""
        self._thread = threading.Thread(target=self._loop, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the call under way, waiting at most 10 seconds."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(10)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            # Without memory, or at the end of the stack, telling of a failure may fail like the task itself.
            with contextlib.suppress(Exception):
                self._round()
            clock.wait(self._stopping, self._interval)

    def _round(self) -> None:
        try:
            self._task()
        except Exception:  # boundary: one failed round must not end the task
            LOG.exception("periodic task %s failed", self.name)


def attempt(what: str, call: Callable[..., object], *args: object) -> bool:
    """Call ``call(*args)`` as one item of a round: what it raises is logged, so that the next item comes all the same.

    :param what: names the item in the log.
    :returns: whether it went well.
    """
    try:
        call(*args)
    except Exception:  # boundary: one item that fails must not stop the others
        LOG.exception("%s failed; the others go on", what)
        return False
    return True


class Group:
    """Parts that start in order and stop in reverse; one that fails to start stops those before it, one that fails to
    stop keeps none of the others from stopping."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = list(parts)
        self._started: list[Part] = []

    def start(self) -> None:
        """Start every part; what a part raises is raised after those before it have stopped."""
        try:
            for part in self._parts:
                part.start()
                self._started.append(part)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every part that was started, the last one first."""
        while self._started:
            part = self._started.pop()
            try:
                part.stop()
            except Exception:  # boundary: the other parts must still be stopped
                LOG.exception("%s did not stop cleanly", type(part).__name__)


class Interrupted(BaseException):
    """A signal to stop arrived while the parts were starting; not an ``Exception``, so that no part swallows it."""


class Process:
    """Runs parts until a signal arrives.

    :param reload: called on SIGHUP; when it fails, that is logged and the service goes on as it was.
    """

    #: Seconds that threads may outlive their parts before the process ends without them.
    linger = 10.0

    def __init__(self, parts: Sequence[Part], reload: Callable[[], object] | None = None) -> None:
        self._group = Group(parts)
        self._reload = reload
        self._starting = False
        # Not an Event: a handler runs between two bytecodes of the thread that waits, maybe inside the Event's own
        # lock, and would wait for itself. SimpleQueue.put() is reentrant.
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()

    def run(self) -> None:
        """Start every part, wait for SIGTERM or SIGINT, stop every part in reverse.

        A signal that arrives while the parts start, for example while one waits for a broker, ends the start.
        """
        self._starting = True
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            try:
                self._group.start()
                self._starting = False
                self._wait()
            finally:
                self._starting = False
                self._group.stop()
                self._bound_exit()
        except Interrupted:
            LOG.info("stopping before everything was started")

    def _next_signal(self) -> int:
        while True:
            try:
                # The system may run the handler's C half in another thread, which does not end the wait of this one:
                # the Python half, which only this thread runs, would come with the signal after next, or never.
                return self._signals.get(timeout=0.5)
            except queue.Empty:
                continue

    def _wait(self) -> None:
        while (number := self._next_signal()) == signal.SIGHUP:
            if self._reload is None:
                continue
            try:
                self._reload()
            except Exception:  # boundary: a mistake in a file must not end a service that runs
                LOG.exception("the configuration was not reloaded")
        LOG.info("stopping on signal %d", number)

    def _on_signal(self, number: int, _frame: object) -> None:
        if self._starting and number != signal.SIGHUP:
            self._starting = False
            raise Interrupted
        self._signals.put(number)

    def _bound_exit(self) -> None:
        # The interpreter would wait for ever for a thread that is stuck in a library's call.
        def end() -> None:
            clock.sleep(self.linger)
            LOG.error(
                "threads are still running, ending without them: %s", ", ".join(t.name for t in threading.enumerate())
            )
            os._exit(1)

        threading.Thread(target=end, name="bound-exit", daemon=True).start()
