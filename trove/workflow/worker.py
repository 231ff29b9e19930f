# SPDX-License-Identifier: Apache-2.0
"""The threads of a process that run workflows.

One thread looks for due workflows, one renews leases, N run steps. A workflow that waits is only a row: it holds no
thread. A lost hint costs at most one poll interval, a dead process at most one lease.

>>> worker = Worker(db, store, registry, env, owner="host-1", threads=4)                    # doctest: +SKIP
>>> worker.start(); ...; worker.stop(timeout=20.0)                                          # doctest: +SKIP
"""

import logging
import queue
import random
import threading
from typing import Any, TypedDict, Unpack

from trove.common import clock
from trove.common.backoff import Backoff
from trove.common.lease import Lease
from trove.db import api
from trove.workflow.engine import Engine
from trove.workflow.model import LeaseLost
from trove.workflow.registry import Registry
from trove.workflow.store import Store

LOG = logging.getLogger(__name__)

_HINTS_MAX = 1000
#: How many due workflows a look covers, per thread.
_WINDOW = 32
_PAUSE_AFTER_ERROR = 1.0
_POLL_JITTER = 0.02


class Pace(TypedDict, total=False):
    """How fast a worker works.

    :ivar threads: how many steps may run at the same time; 4 unless told.
    :ivar lease_ttl: seconds, renewed three times within it; 30 unless told.
    :ivar poll_interval: longest time in seconds between two looks for due workflows; 2 unless told.
    :ivar backoff: waits between attempts of a step.
    """

    threads: int
    lease_ttl: float
    poll_interval: float
    backoff: Backoff


class Worker:
    """Claims and runs workflows.

    :param env: handed to the steps as ``ctx.env``.
    :param owner: name in the leases. It must differ between live processes; one that stays the same over a restart lets
        the new process take up at once what the old one held.
    :param pace: see :class:`Pace`.
    """

    def __init__(
        self, db: api.Database, store: Store, registry: Registry, env: Any, *, owner: str, **pace: Unpack[Pace]
    ) -> None:
        self.owner = owner
        self._store = store
        self._kinds = registry.keys()
        self._engine = Engine(store, registry, env, backoff=pace.get("backoff"))
        self._count = pace.get("threads", 4)
        self._ttl = pace.get("lease_ttl", 30.0)
        self._poll_interval = pace.get("poll_interval", 2.0)
        self._ready: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._held: dict[str, Lease] = {}  # by workflow id, each its cancel token; under _lock
        self._look = threading.Event()
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads."""
        # Before anything is claimed: the other way round this would give away our own new leases.
        if stale := self._store.give_back(self.owner):
            LOG.warning("Released %d workflows that a former process of %s had held", stale, self.owner)
        for i, target in enumerate([self._renew_loop, self._poll_loop, *[self._run_loop] * self._count]):
            thread = threading.Thread(target=target, name=f"workflow-{i}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Finish the current steps, for at most ``timeout`` seconds, and give all leases back.

        A step that takes longer sees its cancel token set; its checkpoint will fail, and another worker runs it again.
        """
        until = clock.monotonic() + timeout
        self._stopping.set()
        self._look.set()
        for _ in range(self._count):
            self._ready.put(None)
        for thread in self._threads[1:]:
            thread.join(max(0.0, until - clock.monotonic()))
        self._stopped.set()  # only now: leases are renewed while steps finish
        for thread in self._threads[:1]:
            thread.join(max(1.0, until - clock.monotonic()))
        with self._lock:
            late = dict(self._held)
        for token in late.values():
            token.set()
        if late:
            LOG.warning(
                "Giving back %d workflows whose step did not finish within %s s: %s",
                len(late),
                timeout,
                ", ".join(late),
            )
        self._store.give_back(self.owner)

    def wake(self, workflow_id: str) -> None:
        """Look at this workflow soon; a hint, harmless when wrong."""
        if self._ready.qsize() < _HINTS_MAX:
            self._ready.put(workflow_id)

    def drain(self, timeout: float = 0.0) -> int:
        """Run all that is due in the calling thread, and what becomes due within ``timeout`` seconds; return how many
        claims ran.

        For tests, without :meth:`start`. Errors of the engine are raised.
        """
        until = clock.monotonic() + timeout
        count = 0
        while True:
            found, later = self._store.due(self._kinds, 100)
            count += sum(self._claim_and_run(workflow_id) for workflow_id in found)
            if not found:
                if later is None or clock.monotonic() + later > until:
                    return count
                clock.sleep(later)

    # -- threads

    def _poll_loop(self) -> None:
        while not self._stopping.is_set():
            self._look.clear()
            clock.wait(self._look, self._poll())

    def _poll(self) -> float:
        """Queue due workflows and return how long to wait for the next look, in seconds."""
        # Jitter, so that the workers of a deployment that was started by one command do not look in the same instant
        # for ever.
        pause = self._poll_interval * random.uniform(0.75, 1.25)  # spreads load, protects nothing
        room = 2 * self._count - self._ready.qsize()
        if room <= 0:
            return pause  # whoever empties the queue wakes us
        try:
            found, later = self._store.due(self._kinds, _WINDOW * self._count)
        except Exception:  # boundary: the database is away; the loop must outlive that
            LOG.exception("Looking for due workflows failed")
            return max(pause, _PAUSE_AFTER_ERROR)
        # At random from the oldest: several workers see the same list, and would go for the same first rows.
        for workflow_id in random.sample(found, min(room, len(found))):
            self._ready.put(workflow_id)
        return pause if later is None else min(pause, later + random.uniform(0, _POLL_JITTER))

    def _run_loop(self) -> None:
        while (workflow_id := self._ready.get()) is not None:
            try:
                self._claim_and_run(workflow_id)
            except LeaseLost as err:
                LOG.warning("%s; what it did since its last checkpoint was not recorded", err)
            except Exception:  # boundary: the thread must live on; the workflow runs again from its last checkpoint
                LOG.exception("Running workflow %s failed; it will be claimed again", workflow_id)
                self._let_go(workflow_id)
                clock.wait(self._stopping, _PAUSE_AFTER_ERROR)
            if self._ready.empty():
                self._look.set()

    def _claim_and_run(self, workflow_id: str) -> bool:
        if self._stopping.is_set():
            return False
        token = Lease(clock.boottime() + self._ttl)  # a process that was frozen knows before it has renewed in vain
        run = self._store.claim(workflow_id, self.owner, self._ttl, self._kinds)
        if run is None:
            return False
        with self._lock:
            self._held[workflow_id] = token
        try:
            self._engine.run_one(run, token, self._stopping.is_set)
        finally:
            with self._lock:
                if self._held.get(workflow_id) is token:
                    del self._held[workflow_id]
        return True

    def _let_go(self, workflow_id: str) -> None:
        try:
            self._store.give_back(self.owner, [workflow_id])
        except Exception:  # boundary: the database is away; then the lease runs out by itself
            LOG.warning("The lease of workflow %s could not be given back; it runs out by itself", workflow_id)

    def _renew_loop(self) -> None:
        renewed = clock.monotonic()
        pause = self._ttl / 3
        while not clock.wait(self._stopped, pause):
            with self._lock:
                held = dict(self._held)
            until = clock.boottime() + self._ttl
            try:
                lost = self._store.renew(self.owner, held, self._ttl) if held else set()
                for workflow_id in set(held) - lost:
                    held[workflow_id].extend(until)
                renewed = clock.monotonic()
                pause = self._ttl / 3
            except Exception:  # boundary: the database is away; the loop must outlive that
                LOG.exception("Renewing %d leases failed", len(held))
                pause = self._ttl / 10
                # Still ours for the rest of the lease; one failure must not interrupt what goes well, a second one may
                # come too late.
                lost = set(held) if clock.monotonic() - renewed >= self._ttl * 0.6 else set()
            for workflow_id in lost:
                held[workflow_id].set()
