# SPDX-License-Identifier: Apache-2.0
"""How a server of MariaDB or MySQL runs: its command line, what it notes about itself, when it is ready.

The lifecycle of the process is :class:`trove.datastores.enginelib.server.EngineServer`.
"""

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

from trove.datastores.enginelib import sockets
from trove.datastores.enginelib.server import Program

#: Seconds to wait for the greeting of a server that has opened its socket and still reads its tables.
GREETING = 1.0
#: Kind of the first packet: protocol 10, or an error ("too many connections" is an answer too).
_GREETINGS = (10, 255)
_HEADER_BYTES = 5


def program(server: Path, own_dir: Path, data_dir: Path, log: Path, socket_of: Callable[[], Path | None]) -> Program:
    """Return how the server of ``data_dir`` runs.

    :param server: the program, as the engine sees it.
    :param own_dir: where ``my.cnf`` and the pid file are.
    :param socket_of: path of its socket, ``None`` while nobody has said.
    """
    marker = f"--datadir={data_dir}"

    def pid() -> int | None:
        try:
            return int((own_dir / "mysqld.pid").read_text())
        except (OSError, ValueError):
            return None

    def ready(running: int) -> bool:
        path = socket_of()
        if path is None or not greets(path):
            return False
        _note_user(path, running)
        return True

    return Program(
        argv=(str(server), f"--defaults-file={own_dir / 'my.cnf'}", marker),
        marker=marker,
        log=log,
        cwd=data_dir,
        pid=pid,
        ready=ready,
        environment=lambda: {"LC_ALL": "C.UTF-8", "TZ": "UTC"},
    )


def greets(path: Path) -> bool:
    """Tell whether a server on this socket says hello. Statements of ``init_file`` have been carried out by then."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(GREETING)
        try:
            probe.connect(str(path))
            head = probe.recv(_HEADER_BYTES, socket.MSG_WAITALL)
        except OSError:
            return False
    return len(head) == _HEADER_BYTES and head[4] in _GREETINGS


def _note_user(path: Path, pid: int) -> None:
    """See :func:`trove.datastores.enginelib.sockets.usable_directory`; MySQL writes the file itself, MariaDB none."""
    try:
        known = (path.with_name(path.name + ".lock")).read_text().split()[:1] == [str(pid)]
    except OSError:
        known = False
    if not known:
        with contextlib.suppress(OSError):
            sockets.write_lock(path.parent, path.name, pid)


def redo_bytes(data_dir: Path) -> int | None:
    """Return the size in bytes of the redo log on disk, ``None`` when it cannot be read."""
    try:
        folder = data_dir / "#innodb_redo"
        with os.scandir(folder if folder.is_dir() else data_dir) as entries:
            found = [entry for entry in entries if entry.name.startswith(("ib_logfile", "#ib_redo"))]
            return sum(entry.stat(follow_symlinks=False).st_size for entry in found)
    except OSError:
        return None
