# SPDX-License-Identifier: Apache-2.0
"""The server: listening sockets, one thread, and the life of connections.

>>> server = Server([sockets.TCP("127.0.0.1", 0)], application, Limits(), name="trove-api")         # doctest: +SKIP
>>> server.start()                                                                                  # doctest: +SKIP
>>> server.port                                                                                     # doctest: +SKIP
8779
"""

import asyncio
import contextlib
import dataclasses
import logging
import socket
import ssl
import threading
from collections.abc import Sequence

from tornado.http1connection import HTTP1ConnectionParameters, HTTP1ServerConnection

from trove.common import clock
from trove.common.log_limit import LogLimit
from trove.httpserver import shares, sockets
from trove.httpserver.application import Application
from trove.httpserver.connection import Connection
from trove.httpserver.ledger import Ledger
from trove.httpserver.limits import Limits
from trove.httpserver.stream import GuardedStream, GuardedTLSStream

LOG = logging.getLogger(__name__)

#: Connections accepted before others have their turn.
_ACCEPT_AT_ONCE = 64
#: Seconds without accepting when the system has no descriptors or memory left, and none can be freed here.
_EXHAUSTED_SECONDS = 0.1
_BLOCK = 16 * 1024
#: A head of up to so many times the limit is answered with 431; a longer one is only cut off.
_HEAD_SLACK = 4

Bound = tuple[socket.socket, ssl.SSLContext | None]


class Server:
    """One application on one or several addresses.

    :param listeners: where; port 0 of a later one takes the port of the first.
    :param name: of the thread, and in the log.
    """

    def __init__(
        self, listeners: Sequence[sockets.Listener], application: Application, limits: Limits, *, name: str
    ) -> None:
        self._listeners = listeners
        self._application = application
        self._limits = limits
        self._name = name
        self._bound: list[Bound] = []
        self._thread: threading.Thread | None = None
        self._serving: _Serving | None = None
        self._port: int | None = None

    @property
    def port(self) -> int:
        """The TCP port in force; only after :meth:`start`.

        :raises LookupError: when no listener has one.
        """
        if self._port is None:
            raise LookupError("the server listens on no TCP port")
        return self._port

    def start(self) -> None:
        """Listen, and answer in the background.

        :raises OSError: when an address cannot be had or a certificate cannot be used.
        """
        try:
            for listener in self._listeners:
                context = sockets.tls_context(*listener.tls) if listener.tls else None
                sock = listener.bind(self._port or 0)
                self._bound.append((sock, context))
                if sock.family != socket.AF_UNIX:
                    self._port = self._port or int(sock.getsockname()[1])
        except BaseException:
            self._unbind()
            raise
        self._serving = _Serving(self._bound, self._application, self._limits)
        shares.SHARES.join(self, self._limits.connections, self._allow)
        self._thread = threading.Thread(target=self._serving.run, name=self._name, daemon=True)
        self._thread.start()
        LOG.info("%s listens on %s", self._name, ", ".join(_shown(sock) for sock, _ in self._bound))

    def stop(self) -> None:
        """Stop listening, let requests under way end, and close. Stopping twice is no error."""
        if self._thread is None or self._serving is None:
            return
        self._serving.stop()
        self._thread.join(self._limits.stop_seconds + 5)
        self._thread = None
        self._unbind()
        shares.SHARES.leave(self)

    def _allow(self, connections: int) -> None:
        assert self._serving is not None
        if self._serving.allow(connections) and connections < self._limits.connections:
            LOG.warning(
                "The limit of open files lets the %s have only %d connections instead of %d; raise it to all "
                "connections of the process together and %d more",
                self._name, connections, self._limits.connections, shares.OTHER_DESCRIPTORS,
            )  # fmt: skip

    def _unbind(self) -> None:
        for (sock, _), listener in zip(self._bound, self._listeners, strict=False):
            sock.close()
            listener.close()
        self._bound = []
        self._port = None


class _Serving:
    """What happens in the server's thread."""

    def __init__(self, bound: Sequence[Bound], application: Application, limits: Limits) -> None:
        self._bound = bound
        self._application = application
        self._limits = limits
        self._ledger: Ledger[Connection] = Ledger(limits)
        self._connections: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._failures = LogLimit(LOG)
        self._params = HTTP1ConnectionParameters(chunk_size=_BLOCK, max_header_size=_HEAD_SLACK * limits.head_bytes)

    def run(self) -> None:
        """Serve until told to stop; the thread's function."""
        # What Tornado says about its peers, it says in their words, and as often as they like.
        logging.getLogger("tornado.general").setLevel(logging.ERROR)
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    def allow(self, connections: int) -> bool:
        """Set how many connections there may be; in any thread. Tell whether that is another number than before."""
        changed = connections != self._ledger.limits.connections
        self._ledger.limits = dataclasses.replace(self._limits, connections=connections)
        return changed

    def stop(self) -> None:
        """Tell the thread to stop."""
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def _serve(self) -> None:
        for sock, context in self._bound:
            sock.setblocking(False)
            self._loop.add_reader(sock, self._accept, sock, context)
        sweeper = asyncio.create_task(self._sweep())
        await self._stopping.wait()
        for sock, _ in self._bound:
            self._loop.remove_reader(sock)
            sock.close()
        give_up = clock.monotonic() + self._limits.stop_seconds
        while True:
            self._application.stopping()  # each time: a request that was at work may only now come to be held
            if not self._connections:
                break
            late = clock.monotonic() > give_up
            for connection in list(self._connections):
                connection.last = True
                if late or not connection.busy:
                    connection.close()
            await asyncio.sleep(0.02)
        sweeper.cancel()

    def _accept(self, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                client, address = sock.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._exhausted(error, sock, context)
                return
            try:
                self._open(client, address, context)
            except OSError:  # reset before it was looked at
                client.close()

    def _exhausted(self, error: OSError, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        """Accepting has failed for want of something that an old connection may hold."""
        self._failures.log(logging.WARNING, str(error.errno), f"A connection could not be accepted: {error.strerror}")
        oldest = self._ledger.oldest()
        if oldest is not None:
            self._evict([oldest])
        self._loop.remove_reader(sock)
        self._loop.call_later(_EXHAUSTED_SECONDS, self._resume, sock, context)

    def _resume(self, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        if not self._stopping.is_set():
            self._loop.add_reader(sock, self._accept, sock, context)

    def _open(self, client: socket.socket, address: str | tuple[str, int], context: ssl.SSLContext | None) -> None:
        connection = Connection(self._application, self._limits, self._ledger, self._evict, self._connections.discard)
        if isinstance(address, tuple):
            connection.address = address[:2]
            connection.local = client.getsockname()[:2]
        peer = sockets.peer_of(client, connection.address[0])
        if context is None:
            stream = GuardedStream(client, read_chunk_size=_BLOCK)
        else:
            connection.scheme = "https"
            client = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
            stream = GuardedTLSStream(client, read_chunk_size=_BLOCK)
        stream.guard = connection
        connection.stream = stream
        self._connections.add(connection)
        self._evict(self._ledger.open(connection, peer))
        HTTP1ServerConnection(stream, self._params).start_serving(connection)

    def _evict(self, connections: list[Connection]) -> None:
        for connection in connections:
            # Not at once: it may be the one that is reading just now.
            self._loop.call_soon(connection.close)

    async def _sweep(self) -> None:
        interval = min(
            0.25, self._limits.head_seconds / 4, self._limits.grace_seconds / 4, self._limits.linger_seconds / 4
        )
        while True:
            await asyncio.sleep(interval)
            now = clock.monotonic()
            for connection in [each for each in self._connections if each.deadlines.until < now]:
                connection.close()


def _shown(sock: socket.socket) -> str:
    name = sock.getsockname()
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "a UNIX socket"
