# SPDX-License-Identifier: Apache-2.0
"""One request and its answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from tornado import httputil, iostream

from trove.common import clock
from trove.httpserver import answers
from trove.httpserver.application import Accept, BodyReader, Head, Reply, Request
from trove.httpserver.deadlines import Phase

if TYPE_CHECKING:
    from tornado.http1connection import HTTP1Connection

    from trove.httpserver.connection import Connection

LOG = logging.getLogger(__name__)

#: For Tornado, which must not count: beyond any length that :mod:`trove.httpserver.framing` lets pass.
_UNBOUNDED = 1 << 62


class Exchange(httputil.HTTPMessageDelegate):
    """Reads a request as the application decides, has it answered, and writes the answer.

    Tornado calls :meth:`headers_received`, :meth:`data_received` for each part of the body, and :meth:`finish`; or
    :meth:`on_connection_close` when the request stays incomplete.
    """

    def __init__(self, connection: Connection, http: HTTP1Connection) -> None:
        self._connection = connection
        self._http = http
        self._head: Head
        self._accept: Accept | None = None
        self._decided: Reply | None = None
        self._data = bytearray()
        self._size = 0
        self._reader: BodyReader | None = None
        self._task: asyncio.Task[None] | None = None
        self._complete = False
        self._sent = False

    def headers_received(
        self, start_line: httputil.RequestStartLine | httputil.ResponseStartLine, headers: httputil.HTTPHeaders
    ) -> None:
        """Ask the application what shall become of the request."""
        assert isinstance(start_line, httputil.RequestStartLine)
        connection = self._connection
        connection.method = start_line.method
        head = self._head = Head(
            *start_line, headers, *connection.address, connection.local, connection.scheme
        )  # fmt: skip
        has_body = head.length != 0
        _settle_expectation(headers, head.version, has_body)
        try:
            decision = connection.application.decide(head)
        except Exception:  # boundary: whatever it is, this client is told, and the others are served
            LOG.exception("An application could not decide about a request")
            decision = connection.application.refusal(500, "The service failed to process the request.")
        if isinstance(decision, Reply):
            if has_body:
                connection.refuse_with(decision)
            self._decided = decision
            return
        self._accept = decision
        if head.length is not None and head.length > decision.max_bytes:
            self._too_large()
        self._http.set_max_body_size(_UNBOUNDED)
        if has_body:
            connection.deadlines.enter(Phase.BODY, clock.monotonic())
        if decision.stream:
            loop = asyncio.get_running_loop()
            self._reader = BodyReader(loop, connection.consumed)
            self._task = loop.create_task(self._run(Request(head, self._reader)))

    async def data_received(self, chunk: bytes) -> None:
        """Keep, or pass on, a part of the body."""
        if self._sent:
            raise httputil.HTTPInputError  # answered early: the rest is not wanted
        assert self._accept is not None
        self._size += len(chunk)
        if self._size > self._accept.max_bytes:
            self._too_large()
        if self._reader is None:
            self._data += chunk
            return
        if not self._reader.feed(chunk):
            # It is not the client now that lets us wait.
            self._connection.deadlines.enter(Phase.BUSY, clock.monotonic())
            await self._reader.room()
            self._connection.deadlines.enter(Phase.BODY, clock.monotonic())

    def finish(self) -> None:
        """The request is complete."""
        connection = self._connection
        self._complete = True
        if self._reader is not None:
            self._reader.end()
        if self._sent:
            connection.close()
            return
        self._http.set_close_callback(self._gone)
        if connection.answered:
            return
        taken = connection.take()
        if self._reader is not None:
            return
        loop = asyncio.get_running_loop()
        if not taken:
            connection.last = True
            self._decided = connection.application.refusal(503, "The service is busy; try again.")
        if self._decided is not None:
            self._task = loop.create_task(self._send(self._decided))
        else:
            body, self._data = bytes(self._data), bytearray()
            self._task = loop.create_task(self._run(Request(self._head, body)))

    def on_connection_close(self) -> None:
        """The request stays incomplete."""
        self._gone()

    def _gone(self) -> None:
        if self._reader is not None:
            self._reader.abort()
        if self._task is not None:
            self._task.cancel()

    def _too_large(self) -> None:
        assert self._accept is not None
        reason = f"The request body is too large; at most {self._accept.max_bytes} bytes are accepted."
        self._connection.refuse_with(self._connection.application.refusal(413, reason))

    async def _run(self, request: Request) -> None:
        application = self._connection.application
        try:
            answering = application.answer(request)
            del request  # its body, above all: an answer may take long, and many be under way
            reply = await answering
        except Exception:  # boundary: the client gets an answer, the operator the traceback
            LOG.exception("An application could not answer a request")
            reply = application.refusal(500, "The service failed to process the request.")
        await self._send(reply)

    async def _send(self, reply: Reply) -> None:
        async with contextlib.AsyncExitStack() as stack:
            if not isinstance(reply.body, bytes):
                await stack.enter_async_context(contextlib.aclosing(reply.body))
            try:
                headers = answers.headers(reply)
            except httputil.HTTPInputError:
                LOG.error("An answer with status %d had a header that cannot be sent", reply.status)
                reply = self._connection.application.refusal(500, "The service failed to process the request.")
                headers = answers.headers(reply)
            try:
                await self._write(reply, headers)
            except iostream.StreamClosedError:
                pass
            except Exception:  # boundary: what the client has is not complete, and it can see that
                LOG.exception("An answer could not be completed")
                self._connection.close()

    async def _write(self, reply: Reply, headers: httputil.HTTPHeaders) -> None:
        connection, http = self._connection, self._http
        # Nobody knows where an answer ends that has neither a length nor, in HTTP/1.0, chunks.
        endless = "Content-Length" not in headers and self._head.version == "HTTP/1.0"
        connection.last = connection.last or endless or not self._complete
        if connection.last:
            headers["Connection"] = "close"
        connection.answer()
        wanted = self._head.method != "HEAD" and reply.status not in answers.EMPTY
        first = reply.body if wanted and isinstance(reply.body, bytes) else None
        written = http.write_headers(answers.start_line(reply.status), headers, first)
        if wanted and not isinstance(reply.body, bytes):
            async for part in reply.body:
                await written
                if part:
                    written = http.write(part)
        self._sent = True
        if self._complete:
            http.finish()
        else:
            # What is left of the body is thrown away by the next data_received(), or the deadline comes.
            await written
            connection.deadlines.enter(Phase.LINGER, clock.monotonic())


def _settle_expectation(headers: httputil.HTTPHeaders, version: str, has_body: bool) -> None:
    """Leave the header Expect to Tornado, which sends the interim answer unless there is a final one, only where it
    means something, and as Tornado knows it."""
    if "Expect" not in headers:
        return
    if version == "HTTP/1.0" or not has_body:
        del headers["Expect"]
    else:
        headers["Expect"] = "100-continue"
