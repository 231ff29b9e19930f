# SPDX-License-Identifier: Apache-2.0
"""The guest dials out to the conductor's gateway over HTTPS, or over a UNIX socket of its host.

One request carries one envelope; the answer carries any number, each behind its length (:mod:`trove.guestbus.framing`).
Connections are kept open and used by one thread at a time. Nothing is repeated here: when a connection breaks, nobody
knows whether the envelope arrived, and the same envelope would be refused as a replay; the caller seals the report
anew.
"""

import collections
import contextlib
import http.client
import select
import socket
import threading

from trove.common import clock
from trove.guestbus import framing
from trove.guestbus.endpoint import Endpoint
from trove.guestbus.transport import PeerRefused, TransportError

#: An idle connection older than this many seconds is not used again; the gateway keeps them longer.
IDLE_SECONDS = 45.0
_MAX_IDLE = 4
_FORBIDDEN = 403


class GatewayClient:
    """A :class:`trove.guestbus.transport.GuestTransport` over HTTP. Thread-safe.

    :param endpoint: where the gateway is, and ``ca``, which authority is trusted: see :class:`Endpoint`.
    :param timeout: seconds to wait for the network, in addition to what a poll waits.
    :raises ValueError: for an endpoint of another form.
    """

    needs_poll = True

    def __init__(self, endpoint: str, instance_id: str, *, ca: str | None = None, timeout: float = 15.0) -> None:
        self._endpoint = Endpoint(endpoint, ca)
        self.poll_after = 0.0
        self.heartbeat_taken = False
        self._path = f"{self._endpoint.base}/v1/guests/{instance_id}/exchange"
        self._timeout = timeout
        self._lock = threading.Lock()
        self._idle: collections.deque[tuple[http.client.HTTPConnection, float]] = collections.deque()
        self._busy: set[http.client.HTTPConnection] = set()
        self._closed = False

    def exchange(self, envelope: bytes | None, wait: float) -> list[bytes]:
        """See :meth:`trove.guestbus.transport.GuestTransport.exchange`; the gateway says nothing to who says
        nothing."""
        if envelope is None:
            raise ValueError("the gateway needs an envelope")
        if wait:
            self.heartbeat_taken = False
        connection = self._take()
        keep = False
        try:
            status, headers, body, keep = self._request(connection, envelope, wait)
        except (OSError, http.client.HTTPException, ValueError) as err:
            raise TransportError(f"the gateway cannot be reached: {type(err).__name__}: {err}") from err
        finally:
            self._give_back(connection, keep=keep)
        if status == http.client.OK:
            after = seconds(headers.get("X-Trove-Poll-After"))
            if wait or after is not None:  # the answer to another thread's report says nothing about polling
                self.poll_after = after or 0.0
            if wait:
                name, value = framing.HEARTBEAT_HEADER
                self.heartbeat_taken = headers.get(name) == value
            try:
                return framing.split(body)
            except framing.FramingError as err:
                raise TransportError(str(err)) from err
        if status == _FORBIDDEN:
            raise PeerRefused("the control plane refused the envelope")
        raise TransportError(f"the gateway answered {status}", seconds(headers.get("Retry-After")))

    def close(self) -> None:
        """Close all connections; an exchange in another thread ends with :class:`TransportError`."""
        with self._lock:
            self._closed = True
            connections = [item for item, _since in self._idle] + list(self._busy)
            self._idle.clear()
        for connection in connections:
            # shutdown() wakes the thread that reads from the socket, which close() alone would not
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _request(
        self, connection: http.client.HTTPConnection, envelope: bytes, wait: float
    ) -> tuple[int, http.client.HTTPMessage, bytes, bool]:
        connection.timeout = self._timeout + wait
        if connection.sock is not None:
            connection.sock.settimeout(connection.timeout)
        connection.request("POST", self._path, body=envelope, headers={"Content-Type": framing.CONTENT_TYPE})
        response = connection.getresponse()
        body = response.read(framing.MAX_RESPONSE_BYTES + 1)
        if len(body) > framing.MAX_RESPONSE_BYTES:
            raise ValueError("the gateway's answer is too large")
        return response.status, response.headers, body, not response.will_close and response.isclosed()

    def _take(self) -> http.client.HTTPConnection:
        with self._lock:
            if self._closed:
                raise TransportError("the transport is closed")
            connection = self._usable() or self._endpoint.connection(self._timeout)
            self._busy.add(connection)
        return connection

    def _usable(self) -> http.client.HTTPConnection | None:
        """Take the youngest idle connection that the gateway has not closed meanwhile, and close those that were idle
        for too long."""
        while self._idle and clock.monotonic() - self._idle[0][1] >= IDLE_SECONDS:
            self._idle.popleft()[0].close()
        while self._idle:
            connection, _since = self._idle.pop()
            # An idle connection has nothing to read; if it is readable, the gateway has closed it.
            if connection.sock is not None and not _readable(connection.sock):
                return connection
            connection.close()
        return None

    def _give_back(self, connection: http.client.HTTPConnection, *, keep: bool) -> None:
        with self._lock:
            self._busy.discard(connection)
            if keep and not self._closed and len(self._idle) < _MAX_IDLE:
                self._idle.append((connection, clock.monotonic()))
                return
        connection.close()

    def __repr__(self) -> str:
        return f"<GatewayClient {self._endpoint}>"


def _readable(sock: socket.socket) -> bool:
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))


def seconds(text: str | None) -> float | None:
    """Read a header of seconds; nonsense counts as absent, and nothing may hold a guest for longer than ten minutes."""
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return min(value, 600.0) if value is not None and value >= 0 else None
