# SPDX-License-Identifier: Apache-2.0
"""Start and stop a standalone service from another process."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from trove.common import clock
from trove.providers import base
from trove.standalone import pidfile, running, space
from trove.standalone.layout import Layout

LOG = logging.getLogger(__name__)

#: Seconds for a start, including migrations of the database.
START_TIMEOUT = 60.0
#: Seconds between two words of what is waited for.
SAY_EVERY = 10.0
#: Seconds for a stop of the service, then of all databases.
STOP_TIMEOUT = 40.0
#: Seconds for the kernel to end a process that was killed.
KILL_TIMEOUT = 10.0


class ControlError(Exception):
    """What was asked for cannot be done; the text says why."""


class StartFailed(ControlError):
    """The service did not come up; the text ends with what it said."""


class StopFailed(ControlError):
    """The service or its databases did not stop."""


def base_url(host: str, port: int) -> str:
    """Return the URL of the API on ``host`` without a path."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def start_in_background(layout: Layout, host: str, port: int, say: Callable[[str], object] = print) -> int:
    """Start the service detached from this terminal, unless it runs, and return its pid once it answers.

    :param say: told every :data:`SAY_EVERY` seconds what is waited for.
    :raises StartFailed: when it ends or does not answer in time.
    :raises AlreadyRunning: when another one was started at the same time.
    :raises NoSpace: when there is too little room for its files.
    """
    if pid := pidfile.running(layout.pid):
        _await_ready(layout, pid, None, say)
        return pid
    layout.create_root()
    space.require(layout.root, space.FOR_SERVICE, "the service needs")
    layout.log.touch(mode=0o600)
    with open(layout.log, "ab") as log:
        offset = log.tell()
        # -P: else a directory "trove" in the present one, such as a checkout, would be taken for the package.
        program = [sys.executable, "-P", "-m", "trove.standalone", "--data-dir", str(layout.root), "up"]
        process = subprocess.Popen(
            [*program, "--host", host, "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def ended() -> None:
        if process.poll() is not None:
            if other := pidfile.running(layout.pid):
                raise pidfile.AlreadyRunning(other)
            raise StartFailed(f"it ended with code {process.returncode}:\n{_tail(layout, offset)}")

    try:
        _await_ready(layout, process.pid, ended, say)
    except StartFailed:
        process.terminate()
        raise
    return process.pid


def _await_ready(layout: Layout, pid: int, look: Callable[[], None] | None, say: Callable[[str], object]) -> None:
    """Wait until the process ``pid`` has said that it answers.

    :param look: raises when it has ended.
    :raises StartFailed: when it has not within :data:`START_TIMEOUT` seconds.
    """
    began = clock.monotonic()
    told = began
    while (now := clock.monotonic()) < began + START_TIMEOUT:
        found = running.read(layout)
        if found is not None and found.pid == pid:
            return
        if look is not None:
            look()
        if now - told >= SAY_EVERY:
            told = now
            say(f"    waiting for the service since {now - began:.0f} s; its log ends with: {_last_line(layout)}")
        clock.sleep(0.05)
    raise StartFailed(f"it (pid {pid}) did not answer within {START_TIMEOUT:.0f} seconds; see {layout.log}")


def stop(layout: Layout, *, keep_databases: bool) -> Iterator[str]:
    """Stop the service, then, unless told otherwise, every agent and engine; yield a line for each thing done.

    :raises StopFailed: when something goes on regardless.
    :raises AlreadyRunning: when the service was started again meanwhile.
    """
    pid = pidfile.running(layout.pid)
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if not _wait(lambda: pidfile.running(layout.pid) != pid, STOP_TIMEOUT):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            if not _wait(lambda: pidfile.running(layout.pid) != pid, KILL_TIMEOUT):
                raise StopFailed(f"the service (pid {pid}) does not stop")
        yield f"stopped the service (pid {pid})"
    else:
        yield "the service is not running"
    if keep_databases or not layout.started:
        return
    # The lock keeps out a service that would bring back what is being stopped.
    lock = pidfile.PidFile(layout.pid)
    lock.acquire()
    try:
        yield from _stop_databases(layout)
    finally:
        lock.release()


def _stop_databases(layout: Layout) -> Iterator[str]:
    from trove.cmd import startup
    from trove.providers import registry as providers
    from trove.standalone import configuration

    with startup.explained():
        conf = configuration.configure(layout, layout.settings())
        # Whatever the host has come to lack for new instances does not matter to those that are to stop.
        served = providers.open_enabled(conf).served.values()
    here = [provider for provider in served if isinstance(provider, base.OnThisHost)]
    left: list[str] = []
    if not _wait(lambda: _halted(here, left), STOP_TIMEOUT):
        raise StopFailed(f"after {STOP_TIMEOUT:.0f} seconds, there is still {'; '.join(left) or 'something that runs'}")
    _write_down(conf)
    yield f"all databases are stopped; their data stays in {layout.guests}"


def _halted(here: Iterable[base.OnThisHost], left: list[str]) -> bool:
    """Have each provider stop everything; tell whether nothing is left, else put what it is into ``left``."""
    left.clear()
    done = True
    for provider in here:
        try:
            done &= provider.halt()
            left += provider.left
        except base.ProviderError as err:
            left.append(str(err))
            done = False
    return done


def _write_down(conf: Any) -> None:
    """Else the next start would show the databases healthy, as they were, until each has said what it does now."""
    from trove.db import migration
    from trove.db.api import Database
    from trove.objects import heartbeat

    db = Database.from_conf(conf)
    try:
        if not migration.check(db):
            with db.writer() as session:
                heartbeat.all_stopped(session)
    except Exception as err:  # boundary: they are stopped all the same
        LOG.warning("that the databases are stopped could not be written down: %s", type(err).__name__)
    finally:
        db.dispose()


def _wait(condition: Callable[[], object], seconds: float) -> bool:
    give_up = clock.monotonic() + seconds
    while clock.monotonic() < give_up:
        if condition():
            return True
        clock.sleep(0.05)
    return bool(condition())


def _tail(layout: Layout, offset: int) -> str:
    with open(layout.log, "rb") as log:
        log.seek(offset)
        return "\n".join(log.read().decode(errors="replace").splitlines()[-15:])


def _last_line(layout: Layout) -> str:
    with open(layout.log, "rb") as log:
        log.seek(max(0, os.fstat(log.fileno()).st_size - 2000))
        lines = log.read().decode(errors="replace").splitlines()
    return lines[-1][:200] if lines else "nothing"
