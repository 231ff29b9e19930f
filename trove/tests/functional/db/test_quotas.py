# SPDX-License-Identifier: Apache-2.0
# covers: trove/objects/quota.py
"""Quota by compare-and-set."""

from trove.common import exception
from trove.db import api
from trove.objects import quota
from trove.tests.functional.db import case

DEFAULTS = {"instances": 3, "ram": -1, "volumes": 10, "backups": 5}


class Quotas(case.EveryDatabase):
    def _consume(self, **deltas: int) -> None:
        with self.db.writer() as session:
            quota.consume(session, "p", deltas, DEFAULTS)

    def _usages(self, project: str = "p") -> dict[str, int]:
        with self.db.reader() as session:
            return quota.usages(session, project)

    def test_up_to_the_limit_and_not_beyond(self) -> None:
        self._consume(instances=3, volumes=10, ram=10**6)
        self.assertRaises(exception.QuotaExceeded, self._consume, instances=1)
        self.assertEqual({"instances": 3, "ram": 10**6, "volumes": 10, "backups": 0}, self._usages())
        self.assertEqual(0, self._usages("q")["instances"])

    def test_every_exceeded_resource_is_named_and_nothing_is_taken(self) -> None:
        self._consume(instances=2, volumes=9)
        err = self.assertRaises(exception.QuotaExceeded, self._consume, instances=2, volumes=2, ram=5)
        self.assertIn("instances: requested 2, in use 2, limit 3", err.message)
        self.assertIn("volumes: requested 2, in use 9, limit 10", err.message)
        self.assertNotIn("ram", err.message)
        self.assertEqual({"instances": 2, "ram": 0, "volumes": 9, "backups": 0}, self._usages())

    def test_a_projects_own_limit_wins_over_the_default(self) -> None:
        with self.db.writer() as session:
            quota.set_limit(session, "p", "instances", 9)
            quota.set_limit(session, "p", "instances", 1)
            self.assertEqual({**DEFAULTS, "instances": 1}, quota.limits(session, "p", DEFAULTS))
        self._consume(instances=1)
        self.assertRaises(exception.QuotaExceeded, self._consume, instances=1)

    def test_release_stops_at_zero(self) -> None:
        self._consume(instances=2, volumes=4)
        with self.db.writer() as session:
            quota.release(session, "p", {"instances": 1, "volumes": 99, "ram": 5})
        self.assertEqual({"instances": 1, "ram": 0, "volumes": 0, "backups": 0}, self._usages())

    def test_a_negative_delta_gives_back_even_above_a_lowered_limit(self) -> None:
        self._consume(volumes=10)
        with self.db.writer() as session:
            quota.set_limit(session, "p", "volumes", 2)
        self._consume(volumes=-4, instances=1)
        self.assertEqual((6, 1), (self._usages()["volumes"], self._usages()["instances"]))


class Race(case.EveryDatabase):
    def setUp(self) -> None:
        super().setUp()
        self.others = [api.Database(self.url) for _ in range(2)]
        for other in self.others:
            self.addCleanup(other.dispose)

    def _take(self, db: api.Database) -> None:
        @api.retry_on_conflict
        def consume() -> None:
            with db.writer() as session:
                quota.consume(session, "p", {"instances": 1, "volumes": 1}, {"instances": 1, "volumes": 10})

        consume()

    def test_of_two_requests_for_the_last_unit_exactly_one_wins(self) -> None:
        # Also the first use ever: both find no row and insert it.
        for _ in range(5):
            results = self.at_once(*(lambda db=other: self._take(db) for other in self.others))
            self.assertEqual(["NoneType", "QuotaExceeded"], sorted(type(r).__name__ for r in results))
            with self.db.writer() as session:
                self.assertEqual(
                    (1, 1), (quota.usages(session, "p")["instances"], quota.usages(session, "p")["volumes"])
                )
                quota.release(session, "p", {"instances": 1, "volumes": 1})
