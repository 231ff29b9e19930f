# SPDX-License-Identifier: Apache-2.0
"""Tornado's streams, with a look at what passes.

What is overridden is what the documentation of ``tornado.iostream`` declares for it (``read_from_fd``,
``write_to_fd``), and three public methods that Tornado's HTTP connection calls: for the head of a request, which is
checked before Tornado reads it; for the line before a chunk; and for Tornado's own refusal, which has no body, and
would come as a second answer where the application has begun one.
"""

import asyncio
import contextlib
import socket
from asyncio import Future
from typing import Any, Protocol

from tornado import httputil, iostream

from trove.httpserver import framing

#: What Tornado writes when it, or a delegate, raises HTTPInputError.
_TORNADO_REFUSES = b"HTTP/1.1 400 Bad Request\r\n\r\n"
#: So that a line that is somewhat too long is answered, not only closed.
_CHUNK_LINE = 1024
_BLOCK = 16 * 1024


class Guard(Protocol):
    """Who looks."""

    @property
    def linger_bytes(self) -> int:
        """How much is thrown away after a refusal."""
        ...

    @property
    def head_bytes(self) -> int:
        """How long a head may be."""
        ...

    def received(self, count: int) -> None:
        """Bytes have come from the client."""
        ...

    def sent(self, count: int) -> None:
        """The network has taken bytes."""
        ...

    def refuse(self, status: int, reason: str) -> None:
        """Make a refusal the next to be sent, if there is none."""
        ...

    def refusal(self) -> bytes:
        """Return what to send to a client that is to be closed; nothing when it has an answer."""
        ...


class GuardedStream(iostream.IOStream):
    """A plain stream. The owner sets :attr:`guard` before anything is read."""

    guard: Guard

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        count = super().read_from_fd(buf)
        if count:
            self.guard.received(count)
        return count

    def write_to_fd(self, data: memoryview) -> int:
        count = super().write_to_fd(data)
        if count:
            self.guard.sent(count)
        return count

    async def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> bytes:
        """Return a head that may be parsed.

        :raises tornado.httputil.HTTPInputError: when it is malformed or too long.
        """
        head: bytes = await super().read_until_regex(regex, max_bytes)
        if len(head) > self.guard.head_bytes:
            self.guard.refuse(431, f"The request line and headers have more than {self.guard.head_bytes} bytes.")
            raise httputil.HTTPInputError
        try:
            framing.check(head)
        except framing.Malformed as fault:
            self.guard.refuse(400, str(fault))
            raise httputil.HTTPInputError from None
        return head

    def read_until(self, delimiter: bytes, max_bytes: int | None = None) -> Any:
        return super().read_until(delimiter, _CHUNK_LINE)

    def write(self, data: bytes | memoryview) -> "Future[None]":
        if data != _TORNADO_REFUSES:
            return super().write(data)
        return asyncio.ensure_future(self._refuse())

    async def _refuse(self) -> None:
        """Send the refusal, and throw away what comes until the client closes: closing at once would take the
        refusal from it, because the system answers what nobody reads with a reset."""
        with contextlib.suppress(iostream.StreamClosedError, OSError):
            refusal = self.guard.refusal()
            if refusal:
                await super().write(refusal)
            self._shut()
            left = self.guard.linger_bytes
            while left > 0:
                left -= len(await self.read_bytes(_BLOCK, partial=True))

    def _shut(self) -> None:
        """Tell the client that nothing more will come."""
        self.socket.shutdown(socket.SHUT_WR)


class GuardedTLSStream(GuardedStream, iostream.SSLIOStream):
    """Likewise inside TLS."""

    def _shut(self) -> None:
        # A client that sees the end of TCP before that of TLS has to suspect an attack.
        pass
