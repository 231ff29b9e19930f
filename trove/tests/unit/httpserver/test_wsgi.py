# SPDX-License-Identifier: Apache-2.0
import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any

from trove.httpserver import wsgi
from trove.httpserver.application import Head, Reply, Request
from trove.tests import base


class DeferralTest(base.UnitTestCase):
    """Who waits is told when nobody waits any more."""

    def setUp(self) -> None:
        super().setUp()
        self.abandoned: list[object] = []
        self.wake: Callable[[], None]
        self.calls: list[object] = []
        self.release = threading.Event()
        self.addCleanup(self.release.set)
        self.server = wsgi.WSGIApplication(
            self.application, lambda status, reason: Reply(status), max_body=10, threads=1, queue=10
        )

    def application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.calls.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] == "/occupy":
            self.release.wait(60)
        elif wsgi.RESUMED not in environ:
            self.wake = environ[wsgi.DEFER]("place", lambda: self.abandoned.append("place"))
        start_response("200 OK", [])
        return [b""]

    def ask(self, path: str) -> "asyncio.Task[Reply]":
        head = Head("GET", path, "HTTP/1.1", {}, "", 0, ("localhost", 0), "http")
        return asyncio.get_running_loop().create_task(self.server.answer(Request(head, b"")))

    async def parked(self) -> "asyncio.Task[Reply]":
        task = self.ask("/wait")
        while not self.server._waiting:
            await asyncio.sleep(0)
        return task

    def test_the_client_goes_while_it_waits(self) -> None:
        async def main() -> None:
            task = await self.parked()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(main())
        self.assertEqual(["place"], self.abandoned)

    def test_the_client_goes_when_the_wait_is_over_and_no_thread_is_free(self) -> None:
        async def main() -> None:
            task = await self.parked()
            occupying = self.ask("/occupy")
            while "/occupy" not in self.calls:
                await asyncio.sleep(0)
            self.wake()
            while self.server._waiting:
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.release.set()
            await occupying

        asyncio.run(main())
        self.assertEqual(["/wait", "/occupy"], self.calls)
        self.assertEqual(["place"], self.abandoned)

    def test_a_client_that_stays_has_its_answer(self) -> None:
        async def main() -> Reply:
            task = await self.parked()
            self.wake()
            return await task

        self.assertEqual(200, asyncio.run(main()).status)
        self.assertEqual([], self.abandoned)
