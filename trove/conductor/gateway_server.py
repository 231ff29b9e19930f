# SPDX-License-Identifier: Apache-2.0
"""The HTTP server under the gateway: cheroot with limits that a hostile client cannot stretch.

Three things are different from cheroot's own ways, each because one thread per slow peer would be enough to shut out
all guests:

* a new connection waits for its first bytes in the selector, not in a thread;
* the TLS handshake happens in a worker, not in the only thread that accepts;
* the time a worker spends on reading one request and writing its answer is bounded as a whole, not per system call.
"""

import contextlib
import logging
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

from cheroot import server as cheroot_server
from cheroot import wsgi
from cheroot.ssl import builtin

from trove.common import clock
from trove.guestbus import envelope

LOG = logging.getLogger(__name__)

#: Seconds to read one request and write its answer, without the time a poll is held.
BUSY_SECONDS = 15.0
#: Seconds an idle connection is kept; clients drop theirs sooner.
IDLE_SECONDS = 75
_MAX_IDLE = 20000
_MAX_HEADER_BYTES = 16 * 1024


class Watchdog:
    """Breaks connections whose worker is busy for too long. Each worker serves one connection at a time."""

    def __init__(self, limit: float = BUSY_SECONDS) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._until: dict[int, tuple[socket.socket, float]] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, sock: socket.socket) -> None:
        """The calling thread starts to work for ``sock``."""
        with self._lock:
            self._until[threading.get_ident()] = (sock, clock.monotonic() + self._limit)

    def end(self) -> None:
        """The calling thread is done with its connection, or holds a poll, which takes as long as it takes."""
        with self._lock:
            self._until.pop(threading.get_ident(), None)

    def check(self) -> int:
        """Break what is overdue; return how many."""
        now = clock.monotonic()
        with self._lock:
            late = [(thread, sock) for thread, (sock, until) in self._until.items() if until < now]
            for thread, _sock in late:
                del self._until[thread]
            for _thread, sock in late:
                with contextlib.suppress(OSError):
                    # The plain socket's shutdown: that of an SSL socket would change it under the worker's hands.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
        return len(late)

    def start(self) -> None:
        """Start checking."""
        self._thread = threading.Thread(target=self._loop, name="gateway-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop checking."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5)

    def _loop(self) -> None:
        while not clock.wait(self._stopping, min(1.0, self._limit / 4)):
            if count := self.check():
                LOG.info("broke %d connections that were too slow", count)


#: What the calling worker works on: a process may have several servers for one application.
_at_work = threading.local()


@contextlib.contextmanager
def unhurried() -> Iterator[None]:
    """For a worker that holds a poll: the watchdog looks away meanwhile."""
    _at_work.watchdog.end()
    try:
        yield
    finally:
        _at_work.watchdog.begin(_at_work.socket)


class _Connection(cheroot_server.HTTPConnection):
    """A connection that the watchdog looks after, and that shakes hands in the worker."""

    waited = False
    _shaken = False

    def communicate(self) -> bool:
        watchdog: Watchdog = self.server.watchdog
        _at_work.watchdog, _at_work.socket = watchdog, self.socket
        watchdog.begin(self.socket)
        try:
            if isinstance(self.socket, ssl.SSLSocket) and not self._shaken:
                self.socket.do_handshake()
                self._shaken = True
            return bool(super().communicate())  # type: ignore[no-untyped-call]
        except OSError as err:
            LOG.debug("a connection ended: %s", type(err).__name__)
            return False
        finally:
            watchdog.end()


class _LazyTLS(builtin.BuiltinSSLAdapter):
    """TLS whose handshake is left to the worker."""

    def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, dict[str, str]]:
        wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return wrapped, {"wsgi.url_scheme": "https", "HTTPS": "on"}


class GatewayServer(wsgi.Server):
    """The server.

    :param address: host and port to listen on, or the path of a UNIX socket.
    :param threads: number of workers.
    :param tls: certificate and key file; ``None`` means plain HTTP.
    """

    ConnectionClass = _Connection

    def __init__(
        self,
        address: tuple[str, int] | str,
        app: Any,
        *,
        threads: int,
        tls: tuple[str, str] | None,
        busy: float = BUSY_SECONDS,
    ) -> None:
        super().__init__(
            address,
            app,
            numthreads=threads,
            max=threads,
            server_name="trove",
            request_queue_size=256,
            timeout=IDLE_SECONDS,
            shutdown_timeout=5,
        )
        self.version = "trove"
        self.keep_alive_conn_limit = _MAX_IDLE
        self.max_request_header_size = _MAX_HEADER_BYTES
        self.max_request_body_size = envelope.MAX_BYTES
        self.watchdog = Watchdog(busy)
        if tls is not None:
            self.ssl_adapter = _LazyTLS(*tls)
            self.ssl_adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2

    @property
    def port(self) -> int | None:
        """The port it listens on; ``None`` for a UNIX socket."""
        return None if isinstance(self.bind_addr, str) else int(self.bind_addr[1])

    def use_port(self, port: int) -> None:
        """Listen on this port, if on any."""
        if not isinstance(self.bind_addr, str):
            self.bind_addr = (self.bind_addr[0], port)

    def process_conn(self, conn: _Connection) -> None:
        """Hand a connection with something to read to a worker; a new one has to wait in the selector until it has."""
        if not conn.waited:
            conn.waited = True
            self._connections.put(conn)  # type: ignore[attr-defined]
            return
        super().process_conn(conn)

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Log what cheroot has to say; what peers do wrong is no more than information."""
        LOG.log(
            min(level, logging.WARNING),
            "gateway: %s",
            msg.strip().splitlines()[0] if msg.strip() else "",
            exc_info=traceback,
        )


class LocalServer(GatewayServer):
    """The same on a UNIX socket. One that a killed process has left is replaced.

    :param path: of any length: the system's limit is 107 bytes, so it is not given to the system, but
        ``/proc/self/fd/N/NAME``.
    """

    def __init__(self, path: str, app: Any, *, threads: int) -> None:
        super().__init__(path, app, threads=threads, tls=None)
        self._path = path
        self._directory: int | None = None

    def prepare(self) -> None:
        """Bind the socket.

        :raises OSError: when its directory is not there or cannot be written.
        """
        self._directory = os.open(os.path.dirname(self._path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.bind_addr = f"/proc/self/fd/{self._directory}/{os.path.basename(self._path)}"
        super().prepare()
        os.chmod(self.bind_addr, 0o666)  # noqa: S103 — the directory says who may connect

    def stop(self) -> None:
        """Stop serving and remove the socket."""
        super().stop()
        if self._directory is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.basename(self._path), dir_fd=self._directory)
            os.close(self._directory)
            self._directory = None
