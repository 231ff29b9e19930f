# SPDX-License-Identifier: Apache-2.0
"""Locks between all threads and processes of a host that use one directory, with a bound on the wait.

The kernel drops such a lock (flock(2)) with the process that held it, so a crash leaves none behind. A process that is
stopped keeps its lock, though: whoever waits says so in the log, names the holder, and gives up in the end.
"""

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from trove.common import clock
from trove.common.backoff import EXACT, Backoff, Failures
from trove.providers import base

LOG = logging.getLogger(__name__)

#: Seconds after which a wait is reported …
REPORT_AFTER = 2.0
#: … and after which it ends.
GIVE_UP_AFTER = 15.0

_LOOKS = Backoff(first=0.001, cap=0.05, jitter=EXACT)
_LOCKS = Path("/proc/locks")
_MOST_SHOWN = 200

_of_this_process: dict[Path, threading.Lock] = {}


class LockTimeout(base.RetryableError):
    """Somebody else holds a lock for too long. Whoever goes through many things that need it should stop there."""


@contextlib.contextmanager
def hold(path: Path, *, patience: float | None = None) -> Iterator[None]:
    """Hold the lock of a file, which is made if need be.

    :param patience: seconds to wait for it; :data:`GIVE_UP_AFTER` unless given.
    :raises LockTimeout: when it is not to be had; the text names the holder.
    """
    until = clock.monotonic() + (GIVE_UP_AFTER if patience is None else patience)
    # Threads wait for each other without asking the kernel again and again.
    threads = _of_this_process.setdefault(path, threading.Lock())
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not threads.acquire(timeout=max(0.0, until - clock.monotonic())):
            raise _timeout(path, handle)
        try:
            _acquire(handle, path, until)
            os.utime(handle)  # since when it is held
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)  # before the next thread asks the kernel
            threads.release()
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, until: float) -> None:
    report_at = clock.monotonic() + REPORT_AFTER
    attempts = Failures(_LOOKS)
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = clock.monotonic()
            if now >= until:
                raise _timeout(path, handle) from None
            if now >= report_at:
                report_at = until
                LOG.warning("still waiting for the lock %s, held by %s", path, holder(handle))
            clock.sleep(min(attempts.next(), until - now))
        else:
            return


def _timeout(path: Path, handle: int) -> LockTimeout:
    return LockTimeout(f"the lock {path} is held by {holder(handle)}")


def holder(handle: int) -> str:
    """Return who holds the lock of an open file: process number, state, command and since when. See proc_locks(5)."""
    found = os.fstat(handle)
    wanted = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    try:
        lines = [line.split() for line in _LOCKS.read_text().splitlines()]
    except OSError:
        lines = []
    # A line with an arrow is of somebody who waits as well.
    pids = [line[4] for line in lines if line[1] == "FLOCK" and len(line) > 5 and line[5] == wanted]
    seconds = max(0.0, clock.timestamp() - found.st_mtime)
    who = f"process {pids[0]} ({_command(pids[0])})" if pids else "an unknown process"
    return f"{who} for {seconds:.0f} seconds"


def _command(pid: str) -> str:
    try:
        words = Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
        status = Path("/proc", pid, "status").read_text(errors="replace").splitlines()
    except OSError:
        return "which has ended or cannot be seen"
    state = next((line.partition(":")[2].strip() for line in status if line.startswith("State:")), "")
    text = " ".join(word.decode(errors="replace") for word in words if word)
    return f"{text[:_MOST_SHOWN]}; state {state}"
