# SPDX-License-Identifier: Apache-2.0
"""Read ``postmaster.pid``: which process serves a data directory, and how far it has come.

Its lines (``src/include/utils/pidfile.h`` of PostgreSQL): pid, data directory, start time, port, socket directory,
listen address, shared memory key, status. The server writes the last ones while it starts, so every prefix of the file
must be readable.
"""

from dataclasses import dataclass
from pathlib import Path

_STATUS_LINE = 7
#: The status words with which a server accepts connections.
_ACCEPTING = frozenset({"ready", "standby"})


@dataclass(frozen=True)
class PidFile:
    """``status`` is empty until the server has written one: ``starting``, ``stopping``, ``ready`` or ``standby``."""

    pid: int
    status: str = ""

    @property
    def accepting(self) -> bool:
        """Whether the server takes connections."""
        return self.status in _ACCEPTING


def parse(text: str) -> PidFile | None:
    """Return what the file says, or ``None`` when it does not even hold a pid yet."""
    lines = text.splitlines()
    try:
        # A negative number is a stand-alone backend (initdb, single-user mode), which serves nobody.
        pid = int(lines[0])
    except (IndexError, ValueError):
        return None
    if pid <= 1:
        return None
    return PidFile(pid, lines[_STATUS_LINE].strip() if len(lines) > _STATUS_LINE else "")


def read(data_dir: Path) -> PidFile | None:
    """Read the file of a data directory; ``None`` when there is none or it cannot be understood."""
    try:
        return parse((data_dir / "postmaster.pid").read_text(errors="replace"))
    except OSError:
        return None
