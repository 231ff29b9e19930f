# SPDX-License-Identifier: Apache-2.0
"""A server with small limits, and clients that say exactly what they are told."""

import asyncio
import contextlib
import dataclasses
import json
import re
import socket
import ssl
import threading
from collections.abc import AsyncGenerator
from typing import Any, ClassVar

from trove.common import clock
from trove.httpserver import server, sockets
from trove.httpserver.application import Accept, Application, BodyReader, Head, Reply, Request
from trove.httpserver.limits import Limits
from trove.tests import base

#: Short, and still long enough for an honest client on a busy machine.
LIMITS = Limits(head_seconds=2, idle_seconds=3, grace_seconds=2, linger_seconds=1, stop_seconds=5)

#: Bytes of an answer that no socket buffers.
LARGE = 320 * 65536


def refusal(status: int, reason: str) -> Reply:
    """Return an error document."""
    return Reply(status, [("Content-Type", "application/json")], json.dumps({"refused": reason}).encode())


class Echo:
    """Answers with what it got. ``/hold`` is held until told, ``/large`` is large, ``/refuse`` refuses bodies,
    ``/stream`` counts the body while it comes."""

    def __init__(self) -> None:
        self.held = 0
        self.gone = 0
        self.heads: list[Head] = []
        self._go = asyncio.Event()

    def decide(self, head: Head) -> Accept | Reply:
        self.heads.append(head)
        if head.path == "/refuse":
            return Reply(404, [], b"no")
        return Accept(10_000_000 if head.path == "/stream" else 1000, stream=head.path == "/stream")

    async def answer(self, request: Request) -> Reply:
        path = request.head.path
        if path == "/hold":
            self.held += 1
            try:
                await self._go.wait()
            except asyncio.CancelledError:
                self.gone += 1
                raise
            finally:
                self.held -= 1
        if path == "/large":
            return Reply(200, [], _large())
        if path == "/early":
            return Reply(200, [("X-Bad", "a\r\nb")], b"")
        if isinstance(request.body, BodyReader):
            return Reply(200, [], b"%d" % await asyncio.to_thread(_count, request.body))
        return Reply(200, [("Content-Type", "text/plain")], b"echo " + request.body)

    def refusal(self, status: int, reason: str) -> Reply:
        return refusal(status, reason)

    def stopping(self) -> None:
        self._go.set()


async def _large() -> AsyncGenerator[bytes, None]:
    for _ in range(LARGE // 65536):
        yield b"x" * 65536


def _count(reader: BodyReader) -> int:
    size = 0
    while part := reader.read(5000):
        size += len(part)
    return size


class ServerTestCase(base.FunctionalTestCase):
    """:attr:`server` runs :attr:`application`."""

    limits: ClassVar[Limits] = LIMITS

    def setUp(self) -> None:
        super().setUp()
        self.application = self.make_application()
        self.server = self.serve([sockets.TCP("127.0.0.1", 0)])

    def make_application(self) -> Application:
        """Return what the server shall serve."""
        return Echo()

    def serve(self, listeners: list[sockets.Listener], **limits: Any) -> server.Server:
        """Return a running server."""
        served = server.Server(listeners, self.application, dataclasses.replace(self.limits, **limits), name="test")
        served.start()
        self.addCleanup(served.stop)
        return served

    def connect(self, *, tls: ssl.SSLContext | None = None, port: int | None = None) -> socket.socket:
        """Return a connection."""
        client = socket.create_connection(("127.0.0.1", port or self.server.port), timeout=30)
        if tls is not None:
            client = tls.wrap_socket(client)
        self.addCleanup(client.close)
        return client

    def say(self, data: bytes, **options: object) -> bytes:
        """Send bytes on a new connection and return all that comes until the server closes."""
        client = self.connect(**options)  # type: ignore[arg-type]
        client.sendall(data)
        return read_all(client)

    def ask(self, path: str = "/", body: bytes = b"", method: str = "GET") -> tuple[int, bytes, float]:
        """Ask as an honest client does; return status, body and the seconds it took."""
        began = clock.monotonic()
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        answer = self.say(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{length}\r\n".encode() + body)
        head, _, content = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), content, clock.monotonic() - began

    def wait_for(self, condition: "object", what: str) -> None:
        """Wait until ``condition()`` is true."""
        give_up = clock.monotonic() + 60
        while not condition():  # type: ignore[operator]
            self.assertLess(clock.monotonic(), give_up, f"waited in vain for {what}")
            clock.sleep(0.02)


def read_all(client: socket.socket) -> bytes:
    """Return what comes until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts)


def statuses(data: bytes) -> list[int]:
    """Return the statuses of all answers in ``data``."""
    return [int(number) for number in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


class Attackers:
    """Threads that run ``attack(stopping)`` again and again until the end of a ``with`` statement."""

    def __init__(self, count: int, attack: "object") -> None:
        self._stopping = threading.Event()
        self._attack = attack
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]

    def __enter__(self) -> "Attackers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(OSError):
                self._attack(self._stopping)  # type: ignore[operator]
