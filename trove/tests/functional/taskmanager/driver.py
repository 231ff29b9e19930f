# SPDX-License-Identifier: Apache-2.0
"""Runs the workflows of one instance, as far as a test wants."""

import threading
from typing import Any

import trove.conf
from trove.common.backoff import Backoff
from trove.db.api import Database
from trove.objects.scope import Scope
from trove.operations import interrupting
from trove.operations.caller import Caller
from trove.operations.work import Work
from trove.taskmanager.abandon import abandon
from trove.tests.functional.taskmanager.scenarios import REGISTRY, TRIALS, InstanceCase
from trove.workflow.engine import Engine
from trove.workflow.model import FINAL, Failed, State
from trove.workflow.store import Store
from trove.workflow.testing import MovableClock

_ROUNDS_MAX = 1000


class Driver:
    """The taskmanagers, the guest and the API of one database.

    :ivar lost: set by a test to tell the taskmanager that runs a step that its lease has ended.
    """

    def __init__(self, db: Database) -> None:
        self.db = db
        self.store = Store(db)
        self.clock = MovableClock(db)
        self.lost = threading.Event()
        self.conf = trove.conf.new(files=[])

    def case(self, name: str, script: Any = lambda _provider: None) -> InstanceCase:
        """Submit one of :data:`TRIALS` on an instance of its own."""
        return InstanceCase(self.db, self.store, TRIALS[name], script)

    def run(self, case: InstanceCase, steps: int = 10_000) -> int:
        """Run all that is due, the guest answering and the time passing, until ``steps`` were run or all has ended.

        :returns: how many steps were run.
        """
        left = [steps]

        def stopping() -> bool:
            left[0] -= 1
            return left[0] < 0

        engine = Engine(self.store, REGISTRY, case.env, backoff=Backoff(0.0, 0.0))
        for _ in range(_ROUNDS_MAX):
            if left[0] <= 0:
                return steps
            if self._run_due(case, engine, stopping):
                continue
            waiting = [row["wake_at"] for row in self.active(case) if row["wake_at"] is not None]
            if not waiting:
                return steps - left[0]
            case.answer()
            if not self._run_due(case, engine, stopping):
                self.clock.advance_to(min(waiting))
        raise AssertionError(f"the work does not end within {_ROUNDS_MAX} rounds: {self.active(case)}")

    def _run_due(self, case: InstanceCase, engine: Engine, stopping: Any) -> bool:
        for row in self.active(case):
            run = self.store.claim(row["id"], "me", 30.0, REGISTRY.keys())
            if run is not None:
                self.lost = threading.Event()
                engine.run_one(run, self.lost, stopping)
                return True
        return False

    def active(self, case: InstanceCase) -> list[dict[str, Any]]:
        """Return the rows of the case's workflows that have not ended."""
        states = [state for state in State if state not in FINAL]
        with self.db.reader() as session:
            return [
                row
                for resource_id in case.resources
                for row in self.store.list_workflows(session, states=states, resource_id=resource_id)
            ]

    def state(self, case: InstanceCase) -> State:
        """Return the state of the case's own workflow."""
        with self.db.reader() as session:
            return State(self.store.describe(session, case.workflow_id)["state"])

    def delete(self, case: InstanceCase) -> None:
        """Do what DELETE does."""
        with self.db.writer() as session:
            interrupting.delete(self.work(session), case.instance(session))

    def reset(self, case: InstanceCase) -> None:
        """Do what an operator's reset does."""
        with self.db.writer() as session:
            interrupting.reset(self.work(session), case.instance(session))

    def abort(self, case: InstanceCase) -> bool:
        """Do what ``trove-manage workflow abort --force`` does."""
        error = Failed("workflow.aborted", "Ended by the operator.", "by force")
        with self.db.writer() as session:
            return abandon(self.work(session), case.workflow_id, error)

    def work(self, session: Any) -> Work:
        """Return a transaction on behalf of an operator."""
        return Work(Caller("manage", "a test", Scope.ALL), self.conf, self.store, session)
