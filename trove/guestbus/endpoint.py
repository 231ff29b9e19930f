# SPDX-License-Identifier: Apache-2.0
"""Where a gateway is, as a guest is told: ``https://host:port``, ``http`` on a loopback address only, or
``unix:///path/of/a/socket`` on the same host; and connections to it.

Only the standard library's HTTP is used, and TLS is loaded only where it is needed: an agent must stay small.
"""

import http.client
import os
import socket
import urllib.parse
from typing import TYPE_CHECKING

from trove.guestbus import framing

if TYPE_CHECKING:
    import ssl


class Endpoint:
    """One gateway.

    :param text: see the module's docstring.
    :param ca: PEM of the one authority that is trusted; without it ``https`` trusts the system's.
    :ivar base: path that requests begin with, without a slash at its end.
    :raises ValueError: for an endpoint of another form.
    """

    def __init__(self, text: str, ca: str | None = None) -> None:
        url = urllib.parse.urlsplit(text)
        self._socket = url.path if url.scheme == "unix" else None
        if not (url.hostname if url.scheme in ("http", "https") else self._socket):
            raise ValueError("the gateway's endpoint must be an http or https URL, or unix:// and a path")
        if url.scheme == "http" and not framing.is_loopback(url.hostname or ""):
            raise ValueError("plain http is only for a gateway on a loopback address")
        self._host = url.hostname or "localhost"
        self._port = url.port
        self._tls = tls_context(ca) if url.scheme == "https" else None
        self.base = "" if self._socket else url.path.rstrip("/")

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        """Return a connection that connects with its first request.

        :param timeout: seconds that the network may take for each step.
        """
        if self._socket is not None:
            return _LocalConnection(self._socket, timeout)
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        return http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=self._tls)

    def __str__(self) -> str:
        return self._socket or f"{self._host}:{self._port}"


class _LocalConnection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._socket_path = path

    def connect(self) -> None:
        """Connect through the directory: the system takes paths of 107 bytes only."""
        directory = os.open(os.path.dirname(self._socket_path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(self.timeout)
            made.connect(f"/proc/self/fd/{directory}/{os.path.basename(self._socket_path)}")
        except BaseException:
            made.close()
            raise
        finally:
            os.close(directory)
        self.sock = made


def tls_context(ca: str | None) -> "ssl.SSLContext":
    """Return what TLS to the gateway is checked with; ``ca`` as for :class:`Endpoint`."""
    import ssl  # a megabyte that an agent on a loopback address does without

    context = ssl.create_default_context(cadata=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
