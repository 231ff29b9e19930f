# SPDX-License-Identifier: Apache-2.0
"""What one client, and all of them together, may take of a server."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds in time and in size. Those on connections and held bytes are kept by closing, not by refusing: see
    :mod:`trove.httpserver.ledger`.

    :ivar head_seconds: for the TLS handshake, the request line and all headers together.
    :ivar idle_seconds: between an answer and the first byte of the next request.
    :ivar grace_seconds: for a body, and for an answer that the client reads, beyond one second for each
        ``min_rate`` bytes transferred; also the longest pause within either.
    :ivar min_rate: bytes per second.
    :ivar linger_seconds: how long what a refused client still sends is thrown away, so that it can read the refusal.
    :ivar linger_bytes: how much of it.
    :ivar head_bytes: request line and headers together.
    :ivar connections: in all.
    :ivar connections_per_peer: of one address, of one IPv6 network of 64 bits, or of one local user.
    :ivar held_bytes: of all requests that are not complete.
    :ivar held_bytes_per_peer: of those of one peer.
    :ivar stop_seconds: for requests under way to end when the server stops.
    """

    head_seconds: float = 10.0
    idle_seconds: float = 75.0
    grace_seconds: float = 10.0
    min_rate: int = 32 * 1024
    linger_seconds: float = 2.0
    linger_bytes: int = 1024 * 1024
    head_bytes: int = 16 * 1024
    connections: int = 4000
    connections_per_peer: int = 2000
    held_bytes: int = 16 * 1024 * 1024
    held_bytes_per_peer: int = 8 * 1024 * 1024
    stop_seconds: float = 10.0

    @property
    def busy_connections(self) -> int:
        """How many may be answered or held at a time. The rest of ``connections`` is for newcomers."""
        return self.connections - max(1, self.connections // 16)
