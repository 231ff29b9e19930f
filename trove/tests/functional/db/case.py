# SPDX-License-Identifier: Apache-2.0
"""The base of tests that run on every database."""

import threading
from collections.abc import Callable
from typing import Any

import testscenarios

from trove.objects.guest_identity import GuestIdentity
from trove.objects.instance import Instance
from trove.tests import base
from trove.tests.fixtures import rows
from trove.tests.fixtures.databases import DIALECTS, DatabaseFixture


class EveryDatabase(testscenarios.WithScenarios, base.FunctionalTestCase):
    """Runs each test once per dialect; ``self.db`` is a database with all tables."""

    scenarios = [(dialect, {"dialect": dialect}) for dialect in DIALECTS]
    dialect: str
    create_tables = True

    def setUp(self) -> None:
        super().setUp()
        fixture = self.useFixture(DatabaseFixture(self.dialect, create_tables=self.create_tables))
        self.url, self.db = fixture.url, fixture.db

    def make_instance(self, project: str = "p", **columns: Any) -> Instance:
        """Store an instance in a transaction of its own, with its version."""
        with self.db.writer() as session:
            return rows.make_instance(session, project, **columns)

    def make_guest(self) -> str:
        """Store an instance with a guest identity and return its id."""
        instance = self.make_instance()
        with self.db.writer() as session:
            GuestIdentity.issue(session, instance.id, "gateway")
        return str(instance.id)

    def at_once(self, *calls: Callable[[], Any]) -> list[Any]:
        """Call all in threads of their own that start together; return results or exceptions in the same order."""
        barrier = threading.Barrier(len(calls))
        results: list[Any] = [None] * len(calls)

        def run(index: int, call: Callable[[], Any]) -> None:
            barrier.wait(30)
            try:
                results[index] = call()
            except Exception as err:  # boundary: the test looks at what came out of each thread
                results[index] = err

        threads = [threading.Thread(target=run, args=item, daemon=True) for item in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual([], [t.name for t in threads if t.is_alive()])
        return results
