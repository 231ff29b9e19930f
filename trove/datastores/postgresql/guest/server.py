# SPDX-License-Identifier: Apache-2.0
"""How a PostgreSQL server runs: its command line, what it notes about itself, the signals that end it.

The lifecycle of the process is :class:`trove.datastores.enginelib.server.EngineServer`.
"""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from trove.datastores import spi
from trove.datastores.enginelib.server import Program
from trove.datastores.postgresql.guest import pidfile

#: Seconds until a fast shutdown is followed by an immediate one, and that one by the end.
STOP_TIMEOUT = 60.0
QUIT_TIMEOUT = 10.0
STOP_STAGES = (
    (signal.SIGINT, STOP_TIMEOUT),
    (signal.SIGQUIT, QUIT_TIMEOUT),
    (signal.SIGKILL, QUIT_TIMEOUT),
)


def program(process: spi.EngineProcess, home: Path, data_dir: Path, startup_log: Path) -> Program:
    """Return how ``postgres -D data_dir`` runs."""
    marker = f"-D {data_dir}"

    def pid() -> int | None:
        found = pidfile.read(data_dir)
        return found.pid if found else None

    def ready(running: int) -> bool:
        found = pidfile.read(data_dir)
        return found is not None and found.accepting and found.pid == running

    def environment() -> Mapping[str, str]:
        """What the server is started with.

        PostgreSQL refuses to start when the pid in a left-over ``postmaster.pid`` belongs to *any* process of the same
        user, which after a restart of the machine may be a stranger. Removing the file is the tempting wrong fix: it
        also holds the key by which surviving backends of a killed server are noticed, and two servers on one directory
        destroy it. The variable is how ``pg_ctl`` tells the server which pid to disregard (``CreateLockFile`` in
        miscinit.c); all other checks stay.
        """
        made = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
        stale = pid()
        if stale is not None and not process.is_alive(stale, marker):
            made["PG_GRANDPARENT_PID"] = str(stale)
        return made

    return Program(
        argv=(str(home / "bin" / "postgres"), "-D", str(data_dir)),
        marker=marker,
        log=startup_log,
        cwd=data_dir,
        pid=pid,
        ready=ready,
        environment=environment,
        stop_stages=STOP_STAGES,
    )


def wal_bytes(data_dir: Path) -> int | None:
    """Return the size in bytes of the write-ahead log on disk, ``None`` when it cannot be read."""
    try:
        with os.scandir(data_dir / "pg_wal") as entries:
            found = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
            return sum(entry.stat(follow_symlinks=False).st_size for entry in found)
    except OSError:
        return None
