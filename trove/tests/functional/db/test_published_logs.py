# SPDX-License-Identifier: Apache-2.0
# covers: trove/objects/published_log.py
"""What published logs take, on every database: never more than the limits, whoever publishes at once."""

import datetime

from trove.common import ids
from trove.domain import guest_logs
from trove.objects import published_log
from trove.tests.functional.db import case

MIB = 2**20
LIMITS = guest_logs.Limits(publication=4 * MIB, instance=6 * MIB, project=10 * MIB)


class PublishedLogsTest(case.EveryDatabase):
    def reserve(self, instance_id: str, ticket_id: str | None = None, project: str = "p", days: int = 30) -> int:
        """Begin a publication; return what it may take."""
        made = published_log.Publication(ticket_id or ids.new_id(), project, instance_id, "general")
        with self.db.writer() as session:
            now = self.db.now(session)
            later = now + datetime.timedelta(days=days)
            return published_log.reserve(session, made, LIMITS, now, expires_at=later)

    def take(self, ticket_id: str, size: int) -> None:
        with self.db.writer() as session:
            later = self.db.now(session) + datetime.timedelta(days=30)
            published_log.take(session, ticket_id, size, later)

    def close(self, ticket_id: str) -> None:
        with self.db.writer() as session:
            published_log.close(session, ticket_id)

    def use(self, instance_id: str = "one", project: str = "p") -> tuple[int, int]:
        with self.db.reader() as session:
            found = published_log.use(session, project, instance_id, self.db.now(session))
        return found.instance, found.project

    def test_life(self) -> None:
        self.assertEqual(4 * MIB, self.reserve("one", "t1"))
        self.assertEqual((4 * MIB, 4 * MIB), self.use())
        self.take("t1", MIB)
        self.assertEqual((4 * MIB, 4 * MIB), self.use(), "taken out of what is reserved")
        self.close("t1")
        self.assertEqual((MIB, MIB), self.use())
        self.assertEqual(4 * MIB, self.reserve("one", "t2"))
        self.assertEqual(MIB, self.reserve("one", "t3"), "what the instance has left")
        self.assertEqual(0, self.reserve("one", "t4"))
        self.assertEqual(4 * MIB, self.reserve("two", "t5"))
        self.assertEqual(0, self.reserve("three", "t6"), "what the project has left")
        self.assertEqual(4 * MIB, self.reserve("one", "t7", project="q"))
        self.close("t5")
        self.assertEqual((0, 6 * MIB), self.use("two"))
        with self.db.writer() as session:
            published_log.discard(session, "one", "slow_query")
            self.assertEqual(6 * MIB, published_log.use(session, "p", "one", self.db.now(session)).instance)
            published_log.discard(session, "one", "general")
        self.assertEqual((0, 0), self.use())

    def test_a_step_that_runs_again(self) -> None:
        self.reserve("one", "t1")
        self.take("t1", MIB)
        self.assertEqual(4 * MIB, self.reserve("one", "t1"))
        self.assertEqual((5 * MIB, 5 * MIB), self.use(), "what is stored stays, what was reserved is not counted twice")

    def test_what_has_expired_does_not_count(self) -> None:
        self.reserve("one", days=-1)
        self.assertEqual((0, 0), self.use())
        self.assertEqual(4 * MIB, self.reserve("one"))

    def test_nobody_gets_what_another_has(self) -> None:
        for _ in range(3):
            calls = [lambda name=name: self.reserve(f"i{name}") for name in range(8)]
            results = self.at_once(*calls)
            self.assertEqual([0, 0, 0, 0, 0, 2 * MIB, 4 * MIB, 4 * MIB], sorted(results))
            self.assertEqual(10 * MIB, self.use()[1])
            with self.db.writer() as session:
                for name in range(8):
                    published_log.discard(session, f"i{name}", "general")
