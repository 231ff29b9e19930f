# SPDX-License-Identifier: Apache-2.0
"""Where a server listens, and what it needs of the system for it."""

import contextlib
import ipaddress
import os
import resource
import socket
import ssl
import stat
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

#: Bytes of an answer that the system keeps for a client. By itself it would go up to megabytes for each that does not
#: read. Connections inherit it from the listening socket.
_SEND_BUFFER = 128 * 1024
#: Descriptors that the rest of the process may need besides the server's connections.
OTHER_DESCRIPTORS = 512


class Listener(Protocol):
    """An address to listen on."""

    @property
    def tls(self) -> tuple[str, str] | None:
        """Certificate and key file."""
        ...

    def bind(self, port: int) -> socket.socket:
        """Return a listening socket.

        :param port: to be used instead of 0.
        :raises OSError: when the address cannot be had.
        """
        ...

    def close(self) -> None:
        """Remove what :meth:`bind` has left in the file system."""
        ...


@dataclass(frozen=True)
class TCP:
    """A host and a port; port 0 takes a free one, the same for all listeners of a server.

    :ivar tls: PEM files of certificate and key; ``None`` means plain HTTP.
    """

    host: str
    port: int
    tls: tuple[str, str] | None = None
    backlog: int = 256

    def bind(self, port: int) -> socket.socket:
        """See :class:`Listener`."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        sock = socket.create_server(
            (self.host, self.port or port), family=family, backlog=self.backlog, dualstack_ipv6=self.host == "::"
        )
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        return sock

    def close(self) -> None:
        """Nothing is left."""


@dataclass
class Unix:
    """A UNIX socket. One that a killed process has left is replaced.

    :ivar path: of any length: the system's limit is 107 bytes, so it is not given to the system, but
        ``/proc/self/fd/N/NAME``.
    :ivar mode: by default everybody may connect whom the directory lets pass.
    """

    path: str
    mode: int = 0o666
    backlog: int = 256
    tls = None

    def bind(self, port: int) -> socket.socket:
        """See :class:`Listener`.

        :raises OSError: also when something that is no socket has the name.
        """
        name = os.path.basename(self.path)
        directory = os.open(os.path.dirname(self.path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=directory)
            address = f"/proc/self/fd/{directory}/{name}"
            sock.bind(address)
            os.chmod(address, self.mode)
            sock.listen(self.backlog)
        except BaseException:
            sock.close()
            raise
        finally:
            os.close(directory)
        return sock

    def close(self) -> None:
        """Remove the socket."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            directory = os.open(os.path.dirname(self.path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.unlink(os.path.basename(self.path), dir_fd=directory)
            finally:
                os.close(directory)


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """Return what a TLS listener needs.

    :raises OSError: when a file cannot be read or is not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Each renegotiation costs the server ten times what it costs the client.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key)
    return context


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


def peer_of(sock: socket.socket, address: str) -> str:
    """Return what stands for all connections that one client can make: its address, of IPv6 the network of 64 bits,
    of a UNIX socket the user.

    :param address: of the client; empty on a UNIX socket.
    """
    if address:
        return network_of(address)
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return f"uid {struct.unpack('3i', credentials)[1]}"


@lru_cache(4096)
def network_of(address: str) -> str:
    """Return an IPv4 address as it is, and of an IPv6 address its network of 64 bits.

    :raises ValueError: for what has a colon and is no IPv6 address.
    """
    if ":" not in address:
        return address
    found = ipaddress.IPv6Address(address.partition("%")[0])
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found.packed, 64), strict=False))
