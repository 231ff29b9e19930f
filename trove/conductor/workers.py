# SPDX-License-Identifier: Apache-2.0
"""Threads for what may not be done in the gateway's own, because it waits for the database: a few of them, and a bound
on what waits for one."""

import asyncio
import functools
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V")

#: Pause (seconds) between two look-ups, for each key of the one before, and at most.
_PAUSE_PER_KEY = 0.001
_MAX_PAUSE = 0.05


class Busy(Exception):
    """Too much waits already; nothing was done."""


class Workers:
    """A bounded number of threads with a bounded queue. Its methods are for one event loop.

    :param waiting: calls that may wait for a thread.
    """

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._pool = futures.ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._limit = threads + waiting
        self._count = 0

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call ``function`` in a thread and return what it returns. Once taken a call is carried out, whether or not
        somebody still waits for it.

        :raises Busy: when it would have to wait behind too many others.
        """
        if self._count >= self._limit:
            raise Busy
        self._count += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, functools.partial(function, *args, **kwargs))
        future.add_done_callback(self._done)
        return await asyncio.shield(future)

    def _done(self, future: "asyncio.Future[R]") -> None:
        self._count -= 1
        if not future.cancelled():
            future.exception()  # whoever waits for it gets it, but there may be nobody

    def stop(self) -> None:
        """Take no more calls; those under way end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class Lookup(Generic[V]):
    """Answers many questions with one query.

    The first question is asked at once; those that come while it is answered, and for a moment after, are asked
    together. There is never more than one query at a time, and each question is asked after it came.

    :param find: returns what is found for keys; called in a thread of ``workers``.
    :param keys: of one query.
    :param waiting: keys that may wait.
    """

    def __init__(
        self, find: Callable[[Sequence[str]], dict[str, V]], workers: Workers, *, keys: int = 500, waiting: int = 20000
    ) -> None:
        self._find = find
        self._workers = workers
        self._keys = keys
        self._limit = waiting
        self._waiting: dict[str, asyncio.Future[V | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def get(self, key: str) -> V | None:
        """Return what is found for ``key``; ``None`` for nothing.

        :raises Busy: when too many wait.
        :raises Exception: what ``find`` raised.
        """
        future = self._waiting.get(key)
        if future is None:
            if len(self._waiting) >= self._limit:
                raise Busy
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._task is None:
                self._task = asyncio.create_task(self._run())
        return await asyncio.shield(future)  # others may wait for it too

    async def _run(self) -> None:
        try:
            while self._waiting:
                chosen = list(self._waiting)[: self._keys]
                await self._answer({key: self._waiting.pop(key) for key in chosen})
                await asyncio.sleep(min(_MAX_PAUSE, _PAUSE_PER_KEY * len(chosen)))
        finally:
            self._task = None

    async def _answer(self, asked: dict[str, "asyncio.Future[V | None]"]) -> None:
        try:
            found = await self._workers.run(self._find, list(asked))
        except Exception as err:  # boundary: everybody who asked gets it
            for future in asked.values():
                future.set_exception(err)
                future.exception()  # whoever asked may have gone
            return
        for key, future in asked.items():
            future.set_result(found.get(key))
