# SPDX-License-Identifier: Apache-2.0
# covers: trove/workflow/worker.py
"""Several workers at once, on every database system: races, takeovers, hints, stopping."""

import collections
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from oslo_db import exception as db_exception

from trove.common import clock, ids
from trove.common.backoff import Backoff
from trove.db.api import Database, retry_on_conflict
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.unit.workflow import flows
from trove.tests.unit.workflow.flows import KIND, Call
from trove.workflow.model import AwaitSignal, ClaimHeld, Done, Result, State, StepContext
from trove.workflow.registry import Registry
from trove.workflow.store import Store
from trove.workflow.worker import Worker


class _Workers:
    dialect = ""

    def setUp(self) -> None:
        super().setUp()
        fixture = self.useFixture(DatabaseFixture(self.dialect))
        self.db = Database(fixture.url, max_pool_size=40)
        self.addCleanup(self.db.dispose)
        self.store = Store(self.db)

    def worker(self, flow: Any, **options: Any) -> Worker:
        options = {"owner": ids.new_id(), "threads": 2, "lease_ttl": 30.0, "poll_interval": 0.2, **options}
        return Worker(self.db, self.store, Registry([flow]), None, backoff=Backoff(0.05, 0.2), **options)

    @contextlib.contextmanager
    def running(self, *workers: Worker) -> Iterator[None]:
        for worker in workers:
            worker.start()
        try:
            yield
        finally:
            for worker in workers:
                worker.stop(60.0)

    @retry_on_conflict
    def submit(self, **options: Any) -> str:
        with self.db.writer() as session:
            return self.store.submit(
                session,
                kind=KIND,
                resource_type="sample",
                resource_id="r",
                project_id=ids.new_id(),
                request_id=None,
                inputs={},
                **options,
            )

    @retry_on_conflict
    def signal(self, workflow_id: str, name: str) -> None:
        with self.db.writer() as session:
            self.store.signal(session, workflow_id, name, {"x": 1})

    def row(self, workflow_id: str) -> dict[str, Any]:
        with self.db.reader() as session:
            return self.store.describe(session, workflow_id)

    def await_(self, check: Callable[[], bool], seconds: float = 60.0) -> None:
        until = clock.monotonic() + seconds
        while not check():
            self.assertLess(clock.monotonic(), until, "it did not happen in time")
            clock.sleep(0.02)

    def await_states(self, *workflow_ids: str, state: State = State.SUCCEEDED, seconds: float = 60.0) -> None:
        left = set(workflow_ids)

        def arrived() -> bool:
            with self.db.reader() as session:
                rows = self.store.list_workflows(session, limit=1000)
            left.difference_update(row["id"] for row in rows if row["state"] == state.value)
            return not left

        self.await_(arrived, seconds)

    def at_once(self, *acts: Callable[[], object]) -> list[object]:
        """Run ``acts`` in threads that start together; return their results or exceptions."""
        barrier = threading.Barrier(len(acts))
        results: list[object] = [None] * len(acts)

        def work(i: int, act: Callable[[], object]) -> None:
            barrier.wait()
            try:
                results[i] = act()
            except (ClaimHeld, db_exception.DBError) as err:
                results[i] = err

        threads = [threading.Thread(target=work, args=item) for item in enumerate(acts)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    def test_every_step_runs_once_under_competition(self) -> None:
        runs: collections.Counter[tuple[str, str]] = collections.Counter()
        lock = threading.Lock()

        def act(ctx: StepContext) -> Result:
            with lock:
                runs[ctx.workflow_id, ctx.step] += 1
            return Done()

        flow = flows.flow(KIND, *[Call(name, act) for name in "abcde"])
        made = [self.submit() for _ in range(40)]
        with self.running(*[self.worker(flow) for _ in range(4)]):
            self.await_states(*made)
        self.assertEqual({(i, name): 1 for i in made for name in "abcde"}, dict(runs))
        self.assertEqual({1}, {self.row(i)["epoch"] for i in made})

    def test_no_signal_is_lost(self) -> None:
        def act(ctx: StepContext) -> Result:
            return Done() if ctx.signal is not None else AwaitSignal(f"s:{ctx.step}", 500.0)

        flow = flows.flow(KIND, *[Call(name, act) for name in "abcd"])
        made = [self.submit() for _ in range(10)]
        senders = [lambda name=name: [self.signal(i, f"s:{name}") for i in made] for name in "abcd"]
        with self.running(self.worker(flow), self.worker(flow)):
            self.at_once(*senders)
            self.await_states(*made)

    def test_one_of_many_claims_wins(self) -> None:
        kinds = [(KIND.name, KIND.version)]
        for _ in range(10):
            made = self.submit()
            got = self.at_once(*[lambda i=i, made=made: self.store.claim(made, f"w{i}", 30.0, kinds) for i in range(4)])
            self.assertEqual(1, len([run for run in got if run is not None]), got)

    def test_one_of_many_submits_gets_the_claim(self) -> None:
        for i in range(10):
            got = self.at_once(*[lambda i=i: self.submit(claim=f"c{i}")] * 4)
            won = [item for item in got if isinstance(item, str)]
            self.assertEqual(1, len(won), got)
            self.assertEqual(3, len([item for item in got if isinstance(item, ClaimHeld)]), got)

    def test_claims_are_taken_together_or_not_at_all(self) -> None:
        for i in range(10):
            a, b, c = f"a{i}", f"b{i}", f"c{i}"
            sets = [(a, b), (c, b), (c, a), (b, a, c)]
            got = self.at_once(*[lambda wanted=wanted: self.submit(claims=wanted) for wanted in sets])
            self.assertEqual(1, len([item for item in got if isinstance(item, str)]), got)
            self.assertEqual(3, len([item for item in got if isinstance(item, ClaimHeld)]), got)
            won = next(n for n, item in enumerate(got) if isinstance(item, str))
            with self.db.reader() as session:
                held = [key for key in (a, b, c) if self.store.active(session, key) is not None]
            self.assertEqual(sorted(sets[won]), held)

    def test_a_successor_gets_all_its_claims_however_the_ends_fall(self) -> None:
        flow = flows.flow(KIND, Call("a", lambda ctx: Done()))
        workers = [self.worker(flow) for _ in range(2)]
        for i in range(15):
            a, b = f"a{i}", f"b{i}"
            first, _ = self.submit(claim=a), self.submit(claim=b)
            last = self.submit(claims=(a, b), after=first)
            self.at_once(*[worker.drain for worker in workers], lambda b=b: self.submit(claim=b))
            workers[0].drain()
            self.assertEqual("SUCCEEDED", self.row(last)["state"])

    def test_children_are_carried_out_once_each_under_competition(self) -> None:
        case = flows.SampleCase(self.db, self.store, flows.FAMILY)
        registry = Registry([flows.family_flow(), flows.member_flow()])
        options: dict[str, Any] = {"threads": 3, "poll_interval": 0.2, "backoff": Backoff(0.05, 0.2)}
        with self.running(
            *[Worker(self.db, self.store, registry, case.env, owner=ids.new_id(), **options) for _ in range(3)]
        ):
            self.await_(lambda: case.answer() or case.row()["state"] == "SUCCEEDED")
        self.assertEqual(2 * flows.MEMBERS + 1, case.snapshot()[-1])
        self.assertEqual(["SUCCEEDED"] * flows.MEMBERS, [child["state"] for child in case.row()["children"]])

    def test_a_successor_starts_however_the_end_of_its_predecessor_falls(self) -> None:
        flow = flows.flow(KIND, Call("a", lambda ctx: Done()))
        worker = self.worker(flow)
        for i in range(15):
            first = self.submit(claim=f"c{i}")
            _, second = self.at_once(worker.drain, lambda first=first, i=i: self.submit(claim=f"c{i}", after=first))
            worker.drain()
            self.assertEqual("SUCCEEDED", self.row(str(second))["state"])

    def test_a_paused_worker_is_replaced_and_cannot_write(self) -> None:
        paused, go_on, tokens = threading.Event(), threading.Event(), []

        def act(ctx: StepContext) -> Result:
            ctx.at_checkpoint(lambda session: flows.count(session, ctx.project_id, "written"))
            if ctx.epoch == 1:
                tokens.append(ctx.cancel)
                paused.set()
                go_on.wait(60.0)
            return Done()

        flow = flows.flow(KIND, Call("a", act))
        case = flows.SampleCase(self.db, self.store, KIND)
        made = case.workflow_id
        first = self.worker(flow, lease_ttl=1.0)
        first._store = Store(self.db)  # its own, which cannot renew any more
        failure = db_exception.DBConnectionError("away")
        with (
            mock.patch.object(first._store, "renew", autospec=True, side_effect=failure),
            self.running(first),
        ):
            self.assertTrue(paused.wait(60.0))
            with self.running(self.worker(flow, lease_ttl=1.0)):  # only now, or it might be the one that is paused
                self.await_states(made)
                self.await_(tokens[0].is_set)
                go_on.set()
                self.await_(lambda: "no longer held" in self.logs.text())
        self.assertEqual({"written": 1, "success": 1}, case.numbers())

    def test_leases_are_renewed_while_a_long_step_runs(self) -> None:
        flow = flows.flow(KIND, Call("a", lambda ctx: clock.sleep(4.5) or Done()))
        made = self.submit()
        with self.running(self.worker(flow, lease_ttl=3.0), self.worker(flow, lease_ttl=3.0)):
            self.await_states(made)
        self.assertEqual(1, self.row(made)["epoch"])

    def test_stopping_finishes_the_step_and_others_go_on(self) -> None:
        started, done_by = threading.Event(), []

        def act(ctx: StepContext) -> Result:
            started.set()
            clock.sleep(0.5)
            done_by.append((ctx.step, ctx.epoch))
            return Done()

        flow = flows.flow(KIND, Call("a", act), Call("b", act))
        made = self.submit()
        first = self.worker(flow)
        first.start()
        self.assertTrue(started.wait(60.0))
        first.stop(60.0)
        row = self.row(made)
        self.assertEqual((None, ["DONE", "PENDING"]), (row["owner"], [s["state"] for s in row["steps"]]))
        with self.running(self.worker(flow)):
            self.await_states(made, seconds=45.0)
        self.assertEqual([("a", 1), ("b", 2)], done_by)

    def test_stopping_does_not_wait_for_ever(self) -> None:
        started, go_on = threading.Event(), threading.Event()
        self.addCleanup(go_on.set)

        def act(ctx: StepContext) -> Result:
            if ctx.epoch == 1:
                started.set()
                while not ctx.cancel.is_set():
                    clock.sleep(0.01)
                go_on.wait(30.0)
            return Done()

        flow = flows.flow(KIND, Call("a", act))
        made = self.submit()
        first = self.worker(flow)
        first.start()
        self.assertTrue(started.wait(60.0))
        first.stop(0.2)
        with self.running(self.worker(flow)):
            self.await_states(made)
        # Before the database goes: the late step still asks it, in vain.
        go_on.set()
        first.stop(30.0)

    def test_a_hint_is_faster_than_the_poll(self) -> None:
        flow = flows.flow(KIND, Call("a", lambda ctx: Done()))
        worker = self.worker(flow, poll_interval=60.0)
        with self.running(worker):
            clock.sleep(0.3)
            made = self.submit()
            worker.wake(made)
            self.await_states(made, seconds=45.0)
            worker.wake(made)
            worker.wake(ids.new_id())
            made = self.submit()
            worker.wake(made)
            self.await_states(made, seconds=45.0)

    def test_a_sleeper_is_woken_at_its_time_not_at_the_poll(self) -> None:
        flow = flows.flow(KIND, flows.Call("a", lambda ctx: flows.Sleep(0.5) if self._first(ctx) else Done()))
        self.seen: set[str] = set()
        made = self.submit()
        with self.running(self.worker(flow, poll_interval=60.0)):
            self.await_states(made, seconds=45.0)

    def _first(self, ctx: StepContext) -> bool:
        new = ctx.workflow_id not in self.seen
        self.seen.add(ctx.workflow_id)
        return new

    def test_an_idle_worker_is_idle(self) -> None:
        flow = flows.flow(KIND, Call("a", lambda ctx: AwaitSignal("s", 500.0)))
        made = self.submit()
        worker = self.worker(flow, poll_interval=0.5)
        with (
            mock.patch.object(self.store, "due", autospec=True, side_effect=self.store.due) as due,
            self.running(worker),
        ):
            self.await_states(made, state=State.WAITING)
            before, began = due.call_count, clock.monotonic()
            clock.sleep(2.0)
            looks = due.call_count - before
            self.assertLessEqual(looks, 7 * (clock.monotonic() - began) / 2.0)

    def test_a_process_with_the_same_name_takes_up_at_once(self) -> None:
        flow = flows.flow(KIND, Call("a", lambda ctx: Done()))
        made = self.submit()
        self.store.claim(made, "host-1", 600.0, [(KIND.name, KIND.version)])
        with self.running(self.worker(flow, owner="host-1")):
            self.await_states(made, seconds=45.0)


class TestSQLite(_Workers, base.FunctionalTestCase):
    dialect = "sqlite"


class TestMySQL(_Workers, base.FunctionalTestCase):
    dialect = "mysql"


class TestPostgreSQL(_Workers, base.FunctionalTestCase):
    dialect = "postgresql"
