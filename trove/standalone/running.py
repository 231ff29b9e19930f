# SPDX-License-Identifier: Apache-2.0
"""What a service that runs has written down of itself, once it answers.

Proof of who answers: only the process that holds the lock of the pid file can be the one of that pid, and it writes the
document only after it has got its port. Whoever else listens there, another Trove included, cannot have done that.
"""

import dataclasses
import json

from trove.standalone import pidfile
from trove.standalone.layout import Layout, write_private


@dataclasses.dataclass(frozen=True)
class Running:
    """A service that answers.

    :ivar pid: its process.
    :ivar host: address of the API, as it was given.
    :ivar port: port of the API.
    :ivar code: see :func:`trove.standalone.code.digest`; of when it was started.
    """

    pid: int
    host: str
    port: int
    code: str


def write(layout: Layout, found: Running) -> None:
    """Say that this process, which holds the lock, answers.

    :raises OSError: when that cannot be written.
    """
    write_private(layout.running, json.dumps(dataclasses.asdict(found)))


def forget(layout: Layout) -> None:
    """Remove what an earlier process has left. The caller holds the lock."""
    layout.running.unlink(missing_ok=True)


def read(layout: Layout) -> Running | None:
    """Return the service that answers, ``None`` while there is none, or it does not answer yet."""
    pid = pidfile.running(layout.pid)
    try:
        found = Running(**json.loads(layout.running.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found if pid and found.pid == pid else None
