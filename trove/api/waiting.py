# SPDX-License-Identifier: Apache-2.0
"""Answers that come when a short operation has ended, where existing clients expect the outcome in the answer.

Whoever waits has a place, taken before anything is submitted, because a project has only so many; and names what
makes the answer then. No thread waits under the server of ``trove-api``, which calls the application once more when
the operation has ended (:mod:`trove.httpserver.wsgi`). Under another WSGI server the request's thread waits, so there
may be only so many of these in all.

>>> def create(req):                                                                          # doctest: +SKIP
...     with waiting.place(req) as place:
...         operation_id = transactions.perform(req, accept)
...         return place.reply_when_ended(operation_id, lambda ended: Reply(view.shown(ended)))
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from trove.api.request import ApiRequest, Reply
from trove.api.watcher import Watch, Watcher
from trove.common import clock, exception

if TYPE_CHECKING:
    from types import TracebackType

    from oslo_config import cfg

    from trove.db.api import Database
    from trove.workflow.listing import Operation
    from trove.workflow.store import Store

#: Seconds that a request waits at most.
SECONDS = 10.0

#: Makes the answer: from the operation when it has ended, ``None`` when it takes longer than :data:`SECONDS`.
Then = Callable[["Operation | None"], Reply]


class TooManyWaiting(exception.RateLimited):
    code = 429
    symbol = "rate.waiting"
    default = "Too many requests wait for operations to end; try again when one of them has its answer."

    def __init__(self) -> None:
        super().__init__(self.default, retry_after=1)


class Waits:
    """All waiting requests of one process."""

    def __init__(self, conf: cfg.ConfigOpts, db: Database, store: Store) -> None:
        self._per_project: int = conf.api_waits_per_project
        self._threads = max(1, int(conf.api_threads) // 4)
        self._db = db
        self._store = store
        self.watcher = Watcher(self._ended)
        self._lock = threading.Lock()
        self._projects: Counter[str] = Counter()
        self._in_threads = 0

    def place(self, project_id: str, *, parked: bool) -> Place:
        """Take a place.

        :param parked: whether no thread will wait.
        :raises TooManyWaiting: when the project has no more, or too many threads wait.
        """
        with self._lock:
            if self._projects[project_id] >= self._per_project or (not parked and self._in_threads >= self._threads):
                raise TooManyWaiting
            self._projects[project_id] += 1
            self._in_threads += not parked
        return Place(self, project_id, parked)

    def release(self, project_id: str, parked: bool) -> None:
        """Give a place back."""
        with self._lock:
            self._projects[project_id] -= 1
            if not self._projects[project_id]:
                del self._projects[project_id]
            self._in_threads -= not parked

    def _ended(self, operation_ids: Collection[str]) -> list[Operation]:
        with self._db.reader() as session:
            found: list[Operation] = self._store.ended(session, operation_ids)
            return found


class Place:
    """The right to wait, for a ``with`` statement that ends with a waiting reply or gives it back."""

    def __init__(self, waits: Waits, project_id: str, parked: bool) -> None:
        self._waits = waits
        self._project_id = project_id
        self._parked = parked
        self._used = False
        self._lock = threading.Lock()
        self._given_back = False

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._used or kind is not None:
            self.give_back()

    def reply_when_ended(self, operation_id: str, then: Then) -> Reply:
        """Return the reply that ``then`` makes when an operation has ended; ``then`` may raise as a handler may.

        :param operation_id: of an operation that is committed.
        """
        self._used = True
        return Reply(wait=Wait(self._waits.watcher, self, operation_id, then))

    def give_back(self) -> None:
        """Let another request wait; a second time is no error."""
        with self._lock:
            if self._given_back:
                return
            self._given_back = True
        self._waits.release(self._project_id, self._parked)


class Wait:
    """One request that waits. For the dispatcher."""

    def __init__(self, watcher: Watcher, place: Place, operation_id: str, then: Then) -> None:
        self._watcher = watcher
        self._place = place
        self._operation_id = operation_id
        self._then = then
        self._watch: Watch | None = None
        self._operation: Operation | None = None

    def start(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, in another thread, when :meth:`reply` can be called."""

        def told(operation: Operation | None) -> None:
            self._operation = operation
            wake()

        self._watch = self._watcher.watch(self._operation_id, SECONDS, told)

    def block(self) -> Reply:
        """Wait in the calling thread, and return the reply."""
        told = threading.Event()
        self.start(told.set)
        clock.wait(told, SECONDS + 1)
        return self.reply()

    def reply(self) -> Reply:
        """Return the reply: whatever is known by now has to do."""
        self.cancel()
        return self._then(self._operation)

    def cancel(self) -> None:
        """Nobody waits any more."""
        if self._watch is not None:
            self._watcher.forget(self._watch)
        self._place.give_back()


def place(req: ApiRequest) -> Place:
    """Return a place for a request.

    :raises TooManyWaiting: before anything is submitted.
    """
    return req.waits.place(req.context.project_id, parked=req.parks)
