# SPDX-License-Identifier: Apache-2.0
"""What a server asks of an application, and what passes between them.

All methods are called in the server's one thread and must not block it; :meth:`Application.answer` may await for as
long as it likes.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Headers = Sequence[tuple[str, str]]


class Disconnected(ConnectionError):
    """The client has gone, or was sent away, before its body was complete."""


@dataclass(frozen=True, slots=True)
class Head:
    """Request line and headers.

    :ivar target: as it was sent: a path with or without a query, or an ``http`` URL.
    :ivar version: ``HTTP/1.1`` or ``HTTP/1.0``.
    :ivar headers: names are found in any case; repeated ones are joined with commas.
    :ivar address: of the client; empty on a UNIX socket.
    :ivar port: of the client; 0 on a UNIX socket.
    :ivar local: host and port the client has reached; ``("localhost", 0)`` on a UNIX socket.
    :ivar scheme: ``http`` or ``https``.
    """

    method: str
    target: str
    version: str
    headers: Mapping[str, str]
    address: str
    port: int
    local: tuple[str, int]
    scheme: str

    @property
    def path(self) -> str:
        """The target without its query, still percent-encoded."""
        path = self.target.partition("?")[0]
        return path if path.startswith(("/", "*")) else "/" + path.partition("://")[2].partition("/")[2]

    @property
    def query(self) -> str:
        """What stands behind the question mark; empty without one."""
        return self.target.partition("?")[2]

    @property
    def length(self) -> int | None:
        """Size of the body in bytes; ``None`` when it comes in chunks."""
        if "Transfer-Encoding" in self.headers:
            return None
        return int(self.headers.get("Content-Length", "0"))


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    :ivar headers: without ``Connection`` and ``Transfer-Encoding``, which the server sets; ``Content-Length`` is set
        by the server when the body is bytes and it is missing.
    :ivar body: a generator is asked for more only when the client has taken what came before; it is closed at the end.
    """

    status: int
    headers: Headers = ()
    body: bytes | AsyncGenerator[bytes, None] = b""


@dataclass(frozen=True, slots=True)
class Accept:
    """The body shall be read.

    :ivar max_bytes: a larger one is refused with 413, before anything is read if its size is stated.
    :ivar stream: whether the application gets it while it comes, as :class:`BodyReader`, and else complete.
    """

    max_bytes: int
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A request: head and complete body, or a reader of the body."""

    head: Head
    body: "bytes | BodyReader"


class Application(Protocol):
    """What answers."""

    def decide(self, head: Head) -> Accept | Reply:
        """Say what shall become of a request whose body is still to come. A :class:`Reply` is sent at once; if there
        is a body, it is not read and the connection ends."""
        ...

    async def answer(self, request: Request) -> Reply:
        """Answer a request. Cancelled when the client has gone."""
        ...

    def refusal(self, status: int, reason: str) -> Reply:
        """Return the answer for what does not reach the application: 400, 413, 431, 500, 503."""
        ...

    def stopping(self) -> None:
        """The server stops: end what is held. Called again and again until every request has ended."""
        ...


class BodyReader:
    """A body that a thread reads while it comes. The client is slowed to the pace of the reader.

    :param consumed: called in the loop's thread with the number of bytes taken.
    :param limit: bytes that wait here at most, besides one block from the network.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, consumed: Callable[[int], None], limit: int = 256 * 1024
    ) -> None:
        self._loop = loop
        self._consumed = consumed
        self._limit = limit
        self._changed = threading.Condition()
        self._data = bytearray()
        self._ended = self._broken = False
        self._room = asyncio.Event()

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, waiting until there are so many or the body ends; without a size, all.

        :raises Disconnected: when the body does not come to its end.
        """
        parts = []
        while size:
            part = self._read_some(size)
            if not part:
                break
            parts.append(part)
            size -= len(part) if size > 0 else 0
        return b"".join(parts)

    def _read_some(self, size: int) -> bytes:
        with self._changed:
            while not (self._data or self._ended or self._broken):
                self._changed.wait()
            if self._broken:
                raise Disconnected("the client has gone before its body was complete")
            part = bytes(self._data[:size] if size > 0 else self._data)
            del self._data[: len(part)]
        if part:
            with contextlib.suppress(RuntimeError):  # the server has stopped and the loop is closed
                self._loop.call_soon_threadsafe(self._took, len(part))
        return part

    def _took(self, count: int) -> None:
        self._consumed(count)
        with self._changed:
            if len(self._data) < self._limit:
                self._room.set()

    def feed(self, data: bytes) -> bool:
        """Hand over what has come; ``False``: await :meth:`room` before the next. For the server."""
        with self._changed:
            self._data += data
            self._changed.notify()
            has_room = len(self._data) < self._limit
        if not has_room:
            self._room.clear()
        return has_room

    async def room(self) -> None:
        """Wait until the reader has made room. For the server."""
        await self._room.wait()

    def end(self) -> None:
        """The body is complete. For the server."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def abort(self) -> None:
        """The body will not be completed. For the server."""
        with self._changed:
            if not self._ended:
                self._broken = True
                self._data.clear()
            self._changed.notify()
        self._room.set()
