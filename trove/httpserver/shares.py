# SPDX-License-Identifier: Apache-2.0
"""How the servers of one process share its open files."""

import resource
import threading
from collections.abc import Callable

#: Descriptors that the rest of the process may need besides the server's connections.
OTHER_DESCRIPTORS = 512


def allow_descriptors(connections: int) -> int:
    """Raise the process's limit of open files as far as needed and allowed; return how many connections fit.

    :param connections: of all servers of the process together.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    return max(16, soft - OTHER_DESCRIPTORS, soft // 2)


class Shares:
    """How many connections each server of a process may have. Where the limit of open files is too low for all
    together, each gets a part, so that who fills one server leaves the others and the rest of the process enough.
    Thread-safe.

    :param fit: of so many connections, returns how many the process may have.
    """

    def __init__(self, fit: Callable[[int], int] = allow_descriptors) -> None:
        self._fit = fit
        self._lock = threading.Lock()
        self._servers: dict[object, tuple[int, Callable[[int], None]]] = {}

    def join(self, server: object, wanted: int, tell: Callable[[int], None]) -> None:
        """Add a server.

        :param wanted: connections, if possible.
        :param tell: is told how many it may have, now and whenever that changes.
        """
        with self._lock:
            self._servers[server] = (wanted, tell)
            self._divide()

    def leave(self, server: object) -> None:
        """Leave its part to the others; one that has none is no error."""
        with self._lock:
            if self._servers.pop(server, None) is not None:
                self._divide()

    def _divide(self) -> None:
        total = sum(wanted for wanted, _ in self._servers.values())
        fit = self._fit(total)
        for wanted, tell in self._servers.values():
            tell(wanted if fit >= total else max(16, wanted * fit // total))


#: Of this process.
SHARES = Shares()
