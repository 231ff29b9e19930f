# SPDX-License-Identifier: Apache-2.0
"""Many questions, few queries; a bound on what waits."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from trove.common import clock
from trove.conductor.workers import Busy, Lookup, Workers
from trove.tests import base


class WorkersCase(base.UnitTestCase):
    def run_with(self, test: Callable[[Workers], Awaitable[Any]], waiting: int = 5) -> Any:
        async def run() -> Any:
            workers = Workers("test", 1, waiting)
            try:
                return await test(workers)
            finally:
                workers.stop()

        return asyncio.run(run())


class WorkersTest(WorkersCase):
    def test_bound(self) -> None:
        leave = threading.Event()

        async def test(workers: Workers) -> None:
            calls = [asyncio.ensure_future(workers.run(clock.wait, leave, 30)) for _ in range(3)]
            await asyncio.sleep(0)
            try:
                await workers.run(int)
                self.fail("it was taken")
            except Busy:
                pass
            leave.set()
            self.assertEqual([True] * 3, await asyncio.gather(*calls))
            self.assertEqual(0, await workers.run(int))

        self.run_with(test, waiting=2)

    def test_call_goes_on_without_who_asked(self) -> None:
        done, leave = threading.Event(), threading.Event()

        def call() -> None:
            clock.wait(leave, 30)
            done.set()

        async def test(workers: Workers) -> None:
            task = asyncio.ensure_future(workers.run(call))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            leave.set()
            await workers.run(int)  # behind it

        self.run_with(test)
        self.assertTrue(done.is_set())


class LookupTest(WorkersCase):
    def setUp(self) -> None:
        super().setUp()
        self.asked: list[list[str]] = []
        self.leave = threading.Event()

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        self.asked.append(list(keys))
        clock.wait(self.leave, 30)
        return {key: key.upper() for key in keys if key != "nobody"}

    def test_those_that_come_meanwhile_are_asked_together(self) -> None:
        async def test(workers: Workers) -> list[Any]:
            lookup = Lookup(self.find, workers)
            first = asyncio.ensure_future(lookup.get("a"))
            while not self.asked:
                await asyncio.sleep(0)
            rest = [asyncio.ensure_future(lookup.get(key)) for key in ("b", "a", "b", "nobody")]
            await asyncio.sleep(0)
            self.leave.set()
            return list(await asyncio.gather(first, *rest))

        self.assertEqual(["A", "B", "A", "B", None], self.run_with(test))
        self.assertEqual([["a"], ["b", "a", "nobody"]], self.asked)

    def test_bounds(self) -> None:
        self.leave.set()

        async def test(workers: Workers) -> list[Any]:
            lookup = Lookup(self.find, workers, keys=2, waiting=3)
            asks = [asyncio.ensure_future(lookup.get(key)) for key in "abcde"]
            return list(await asyncio.gather(*asks, return_exceptions=True))

        found = self.run_with(test)
        self.assertEqual(["A", "B", "C"], found[:3])
        self.assertIsInstance(found[4], Busy)
        self.assertEqual([2, 1], [len(keys) for keys in self.asked])

    def test_failure_is_everybodys_and_the_next_one_is_asked(self) -> None:
        self.leave.set()
        good = self.find

        def fails(_keys: Sequence[str]) -> dict[str, str]:
            raise OSError("gone")

        async def test(workers: Workers) -> Any:
            lookup = Lookup(fails, workers)
            found = await asyncio.gather(lookup.get("a"), lookup.get("b"), return_exceptions=True)
            self.assertEqual([OSError, OSError], [type(item) for item in found])
            lookup._find = good
            return await lookup.get("a")

        self.assertEqual("A", self.run_with(test))

    def test_one_that_goes_away_does_not_take_the_answer_along(self) -> None:
        async def test(workers: Workers) -> Any:
            lookup = Lookup(self.find, workers)
            gone, stays = (asyncio.ensure_future(lookup.get("a")) for _ in range(2))
            while not self.asked:
                await asyncio.sleep(0)
            gone.cancel()
            self.leave.set()
            return await stays

        self.assertEqual("A", self.run_with(test))
