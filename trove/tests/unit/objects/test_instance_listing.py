# SPDX-License-Identifier: Apache-2.0
import sqlalchemy as sa

from trove.db import models
from trove.objects import instance_listing
from trove.objects.scope import Scope
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.fixtures.rows import make_instance


class Listing(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture()).db
        with self.db.writer() as session:
            for _ in range(5):
                make_instance(session)
        self.statements: list[tuple[str, object]] = []
        sa.event.listen(
            self.db._reader_engine,
            "before_cursor_execute",
            lambda c, cur, statement, parameters, ctx, many: self.statements.append((statement, parameters)),
        )

    def test_every_column_of_an_instance_is_in_the_row(self) -> None:
        self.assertEqual(
            set(), {c.name for c in models.Instance.__table__.columns} - set(instance_listing.InstanceRow._fields)
        )

    def test_a_page_is_one_query(self) -> None:
        with self.db.reader() as session:
            instance_listing.list_rows(session, Scope.project("p"), limit=3)
            instance_listing.get_row(session, Scope.ALL, instance_listing.list_rows(session, Scope.ALL, limit=1)[0].id)
        self.assertEqual(3, len([s for s, _ in self.statements if s.startswith("SELECT")]))

    def test_the_ids_of_a_page_come_from_an_index_alone(self) -> None:
        for scope in (Scope.project("p"), Scope.ALL):
            self.statements.clear()
            with self.db.reader() as session:
                marker = instance_listing.list_rows(session, scope, limit=1)[0].id
                instance_listing.list_rows(session, scope, limit=3, marker=marker)
            statement, parameters = self.statements[-1]
            with self.db.engine.connect() as connection:
                plan = str(connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters).all())
            self.assertIn("USING COVERING INDEX ix_instances", plan)
            self.assertNotIn("SCAN instances", plan)
