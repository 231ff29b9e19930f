# SPDX-License-Identifier: Apache-2.0
"""What one request takes out of a project's quota, and what it gives back; races are tested on every database."""

from collections.abc import Mapping

import sqlalchemy as sa

from trove.common import exception
from trove.domain import quota as domain
from trove.objects import quota
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture

DEFAULTS = {"instances": 3, "ram": domain.UNLIMITED, "volumes": 10}


class QuotaTestCase(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture()).db

    def consume(self, deltas: Mapping[str, int], names: Mapping[str, str] | None = None, project: str = "p") -> None:
        with self.db.writer() as session:
            quota.consume(session, project, deltas, DEFAULTS, names or {})

    def refusal(self, deltas: Mapping[str, int], names: Mapping[str, str] | None = None) -> str:
        return str(self.assertRaises(exception.QuotaExceeded, self.consume, deltas, names))

    def used(self, project: str = "p") -> dict[str, int]:
        """Return what is in use, without what is not."""
        with self.db.reader() as session:
            return {name: count for name, count in quota.usages(session, project).items() if count}

    def limit(self, resource: str, hard_limit: int, project: str = "p") -> None:
        with self.db.writer() as session:
            quota.set_limit(session, project, resource, hard_limit)


class ConsumeTest(QuotaTestCase):
    def test_the_limit_itself_fits_and_one_more_does_not(self) -> None:
        self.consume({"instances": 2})
        self.consume({"instances": 1})
        self.assertEqual("Quota exceeded: instances: requested 1, in use 3, limit 3.", self.refusal({"instances": 1}))
        self.assertEqual({"instances": 3}, self.used())

    def test_a_refused_request_takes_and_gives_back_nothing(self) -> None:
        self.consume({"instances": 1, "volumes": 9})
        self.assertIn("volumes: requested 2", self.refusal({"instances": -1, "ram": 7, "volumes": 2}))
        self.assertEqual({"instances": 1, "volumes": 9}, self.used())

    def test_projects_are_apart(self) -> None:
        self.consume({"instances": 3})
        self.consume({"instances": 3}, project="q")
        self.limit("instances", 4, project="q")
        self.refusal({"instances": 1})
        self.consume({"instances": 1}, project="q")
        with self.db.reader() as session:
            self.assertEqual(["p", "q"], quota.list_projects(session, after="", limit=9))
            self.assertEqual(["q"], quota.list_projects(session, after="p", limit=9))
            self.assertEqual(["p"], quota.list_projects(session, after="", limit=1))

    def test_nothing_writes_nothing(self) -> None:
        self.consume({})
        self.consume({"instances": 0})
        with self.db.reader() as session:
            self.assertEqual([], quota.list_projects(session, after="", limit=9))

    def test_what_has_no_limit_is_counted(self) -> None:
        self.consume({"ram": 10**9, "backups": 5})  # the one unlimited, the other without a default
        self.assertEqual({"ram": 10**9, "backups": 5}, self.used())

    def test_an_own_limit_wins_also_one_that_is_none(self) -> None:
        self.limit("instances", domain.UNLIMITED)
        self.consume({"instances": 30})
        self.limit("instances", 0)
        self.assertIn("in use 30, limit 0", self.refusal({"instances": 1}))
        self.consume({"instances": -29})
        self.assertEqual({"instances": 1}, self.used())

    def test_a_datastores_instances_are_limited_where_somebody_says_so_and_called_by_its_name(self) -> None:
        mysql = domain.of_datastore("d1")
        self.consume({"instances": 1, mysql: 1})
        self.limit(mysql, 1)
        said = self.refusal({"instances": 1, mysql: 1}, {mysql: "instances of mysql"})
        self.assertEqual("Quota exceeded: instances of mysql: requested 1, in use 1, limit 1.", said)
        with self.db.reader() as session:
            self.assertEqual({"d1": 1}, quota.datastore_limits(session, "p"))
            self.assertEqual(DEFAULTS, quota.limits(session, "p", DEFAULTS))


class ReleaseTest(QuotaTestCase):
    def test_it_ends_at_zero_and_never_makes_a_row(self) -> None:
        self.consume({"instances": 2})
        with self.db.writer() as session:
            quota.release(session, "p", {"instances": 1, "volumes": 3})
            quota.release(session, "q", {"instances": 1})
        self.assertEqual({"instances": 1}, self.used())
        with self.db.writer() as session:
            quota.release(session, "p", {"instances": 5})
            self.assertEqual(["p"], quota.list_projects(session, after="", limit=9))
        self.assertEqual({}, self.used())


class LockTest(QuotaTestCase):
    def test_it_changes_no_use(self) -> None:
        self.consume({"instances": 2})
        with self.db.writer() as session:
            for project in ("p", "q"):
                quota.lock(session, project)
                quota.lock(session, project)
            rows = session.execute(sa.select(quota._USAGES.c.project_id, quota._USAGES.c.in_use)).all()
        self.assertEqual([("p", 2), ("q", 0)], sorted(map(tuple, rows)))
