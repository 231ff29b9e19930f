# SPDX-License-Identifier: Apache-2.0
"""Where a server listens, and what it needs of the system for it."""

import contextlib
import ipaddress
import logging
import os
import socket
import ssl
import stat
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

LOG = logging.getLogger(__name__)

#: Bytes of an answer that the system keeps for a client. By itself it would go up to megabytes for each that does not
#: read. Connections inherit it from the listening socket.
_SEND_BUFFER = 128 * 1024


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
    """Return what a TLS listener needs; it takes other files in their place for the next connection.

    :raises OSError: when a file cannot be read or is not what it should be.
    """
    context = _context_of(certificate, key)
    context.sni_callback = _Renewal((certificate, key), context)
    return context


class _Renewal:
    """Gives each new connection the certificate that is in the files now; what cannot be used leaves the one before."""

    def __init__(self, files: tuple[str, str], context: ssl.SSLContext) -> None:
        self._files = files
        self._context = context
        self._seen = self._look()

    def __call__(self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        seen = self._look()
        if seen != self._seen:
            self._seen = seen
            try:
                self._context = _context_of(*self._files)
                LOG.info("a new certificate is in use: %s", self._files[0])
            except OSError as err:
                LOG.error("the certificate in %s cannot be used, the one before is: %s", self._files[0], err.strerror)
        connection.context = self._context

    def _look(self) -> tuple[object, ...]:
        try:
            states = [os.stat(path) for path in self._files]
        except OSError:
            return ()
        return tuple((state.st_ino, state.st_mtime_ns, state.st_size) for state in states)


def _context_of(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Each renegotiation costs the server ten times what it costs the client.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key)
    return context


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
