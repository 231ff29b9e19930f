# SPDX-License-Identifier: Apache-2.0
"""A WSGI application (PEP 3333) on the server: called in a pool of threads, each for as long as it works, and never
while a client sends or reads.

A body is complete before a thread is taken. An answer in parts is asked for the next one, in any thread of the pool,
when the client has taken what came before. More requests than ``threads`` can answer wait in a queue of ``queue``;
what does not fit is answered with 503 at once.

A request that has to wait for something need not keep its thread. ``environ["trove.defer"]`` is a function: called
with any object and a function for the case that the client goes, it returns the function that ends the wait. What the
application then answers is thrown away. When the wait ends, the application is called again, with the same request
and that object as ``environ["trove.resumed"]``. A client may go just then too: the function for that case is then
called before, during or instead of the second call.
"""

import asyncio
import contextlib
import io
import logging
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from trove.httpserver.application import Accept, Head, Headers, Reply, Request

LOG = logging.getLogger(__name__)

WSGIApp = Callable[..., Iterable[bytes]]
Environ = dict[str, Any]

#: Keys of the environment.
DEFER = "trove.defer"
RESUMED = "trove.resumed"

#: Given an object and what to call when the client goes, returns what ends the wait; all may be called in any thread.
Defer = Callable[[object, Callable[[], None]], Callable[[], None]]

#: Bytes of an answer that are asked for at a time.
_PART = 256 * 1024
_RETRY_AFTER = "1"


@dataclass
class _Answer:
    """What an application has answered so far.

    :ivar rest: what is still to come; ``None``: nothing.
    """

    status: int
    headers: Headers
    data: bytes
    rest: "_Parts | None"


class _Parts:
    """The iterable that an application has returned."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts
        self._iterator: Iterator[bytes] = iter(parts)
        self.ended = False

    def more(self) -> bytes:
        """Return the next bytes, about :data:`_PART` or up to the end."""
        found, size = [], 0
        for part in self._iterator:
            found.append(part)
            size += len(part)
            if size >= _PART:
                return b"".join(found)
        self.ended = True
        return b"".join(found)

    def close(self) -> None:
        """Tell the application that nobody asks for more."""
        close = getattr(self._parts, "close", None)
        if close is not None:
            close()


class _Deferral:
    """What ``environ["trove.defer"]`` is."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._over = asyncio.Event()
        self._abandoned: Callable[[], None] | None = None
        self.resumed: object = None

    def __call__(self, resumed: object, abandoned: Callable[[], None]) -> Callable[[], None]:
        self.resumed, self._abandoned = resumed, abandoned
        return self._wake

    @property
    def used(self) -> bool:
        """Whether the application has called it."""
        return self._abandoned is not None

    def abandon(self) -> None:
        """Nobody waits any more."""
        if self._abandoned is not None:
            self._abandoned()

    def end(self) -> None:
        """End the wait, in the loop's thread."""
        self._over.set()

    async def wait(self) -> None:
        """Wait for the end."""
        try:
            await self._over.wait()
        except asyncio.CancelledError:
            self.abandon()
            raise

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the server has stopped and the loop is closed
            self._loop.call_soon_threadsafe(self._over.set)


class WSGIApplication:
    """The adapter.

    :param refusal: makes an answer, in the form of the application's own, for what does not reach it: status,
        headers and body from a status and a reason.
    :param max_body: bytes.
    :param threads: that answer.
    :param queue: requests that may wait for a thread.
    """

    def __init__(
        self, app: WSGIApp, refusal: Callable[[int, str], Reply], *, max_body: int, threads: int, queue: int
    ) -> None:
        self._app = app
        self._refusal = refusal
        self._accept = Accept(max_body)
        self._room = threads + queue
        self._lock = threading.Lock()
        self._waiting: set[_Deferral] = set()
        self._pool = ThreadPoolExecutor(threads, "wsgi")

    def decide(self, head: Head) -> Accept | Reply:
        """Every body is read, within its limit."""
        return self._accept

    def refusal(self, status: int, reason: str) -> Reply:
        """See :class:`~trove.httpserver.application.Application`."""
        reply = self._refusal(status, reason)
        if status != 503:
            return reply
        return Reply(status, [*reply.headers, ("Retry-After", _RETRY_AFTER)], reply.body)

    def stopping(self) -> None:
        """End what waits: it is answered with what is known."""
        for deferral in self._waiting:
            deferral.end()

    @property
    def full(self) -> bool:
        """Whether the next request is refused, because no thread and no place in the queue is free."""
        return self._room <= 0

    async def answer(self, request: Request) -> Reply:
        """Have the application answer in a thread."""
        assert isinstance(request.body, bytes)
        if self.full:
            return self.refusal(503, "The service is busy; try again.")
        answer = await self._answer(request.head, request.body)
        if answer.rest is None:
            return Reply(answer.status, answer.headers, answer.data)
        stream = self._stream(answer.data, answer.rest)
        await anext(stream)  # begun, it closes the application's answer whatever becomes of it
        return Reply(answer.status, answer.headers, stream)

    async def _answer(self, head: Head, body: bytes) -> _Answer:
        resumed = None
        earlier: _Deferral | None = None
        while True:
            deferral = _Deferral(asyncio.get_running_loop())
            try:
                answer = await self._in_thread(self._call, environ(head, body), deferral, resumed)
            except asyncio.CancelledError:
                # It may never have come to a thread, and then nobody else tells whom it has waited for.
                if earlier is not None:
                    earlier.abandon()
                raise
            if isinstance(answer, _Answer):
                return answer
            self._waiting.add(deferral)
            try:
                await deferral.wait()
            finally:
                self._waiting.discard(deferral)
            resumed, earlier = deferral.resumed, deferral

    async def _in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        with self._lock:
            self._room -= 1
        submitted = self._pool.submit(function, *args)
        submitted.add_done_callback(self._ended)
        try:
            return await asyncio.wrap_future(submitted)
        except asyncio.CancelledError:
            submitted.add_done_callback(_discard)
            raise

    def _ended(self, _: object) -> None:
        with self._lock:
            self._room += 1

    def _call(self, environ: Environ, deferral: _Deferral, resumed: object) -> _Answer | _Deferral:
        started = _Start()
        environ[DEFER] = deferral
        if resumed is not None:
            environ[RESUMED] = resumed
        parts = _Parts(self._app(environ, started))
        try:
            data = started.written + parts.more()
            status, headers = started.line()
        except BaseException:
            parts.close()
            deferral.abandon()
            raise
        if deferral.used:
            parts.close()
            return deferral
        if parts.ended:
            parts.close()
        return _Answer(status, headers, data, None if parts.ended else parts)

    async def _stream(self, data: bytes, parts: _Parts) -> AsyncGenerator[bytes, None]:
        try:
            yield b""
            yield data
            while not parts.ended:
                yield await self._in_thread(parts.more)
        finally:
            # In a thread, because it may do what takes time, and to its end, because nobody else does it.
            await asyncio.shield(self._in_thread(parts.close))


def _discard(submitted: "Future[Any]") -> None:
    """Close the answer that nobody waits for any more."""
    answer = None if submitted.cancelled() or submitted.exception() else submitted.result()
    if isinstance(answer, _Deferral):
        answer.abandon()
    if isinstance(answer, _Answer) and answer.rest is not None:
        answer.rest.close()


class _Start:
    """``start_response`` of one call."""

    def __init__(self) -> None:
        self._status: str | None = None
        self._headers: Headers = ()
        self.written = b""

    def __call__(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        if self._status is not None and exc_info is None:
            raise AssertionError("start_response() was called twice")
        self._status, self._headers = status, headers
        return self._write

    def _write(self, data: bytes) -> None:
        self.written += data

    def line(self) -> tuple[int, Headers]:
        """Return status and headers.

        :raises AssertionError: when the application has not called it.
        """
        if self._status is None:
            raise AssertionError("the application has not called start_response()")
        return int(self._status[:3]), self._headers


def environ(head: Head, body: bytes) -> Environ:
    """Return the WSGI environment of a request whose body is complete.

    Headers with an underscore in their name are left out: they would pose as those with a hyphen.
    """
    found: Environ = {
        "REQUEST_METHOD": head.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(head.path, "latin-1"),
        "QUERY_STRING": head.query,
        "REQUEST_URI": head.target,
        "SERVER_NAME": head.local[0],
        "SERVER_PORT": str(head.local[1]),
        "SERVER_PROTOCOL": head.version,
        "REMOTE_ADDR": head.address,
        "REMOTE_PORT": str(head.port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": head.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in head.headers.items():
        if "_" not in name:
            found[f"HTTP_{name.upper().replace('-', '_')}"] = value
    found.pop("HTTP_TRANSFER_ENCODING", None)
    found.pop("HTTP_CONTENT_LENGTH", None)
    if body or "Content-Length" in head.headers:
        found["CONTENT_LENGTH"] = str(len(body))
    if "HTTP_CONTENT_TYPE" in found:
        found["CONTENT_TYPE"] = found.pop("HTTP_CONTENT_TYPE")
    return found
