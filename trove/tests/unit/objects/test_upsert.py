# SPDX-License-Identifier: Apache-2.0
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import mysql, postgresql, sqlite

from trove.objects import upsert
from trove.tests import base

TABLE = sa.Table("t", sa.MetaData(), sa.Column("k", sa.Integer, primary_key=True), sa.Column("v", sa.String(9)))


class Statements(base.UnitTestCase):
    def _sql(self, dialect: sa.Dialect, update: tuple[str, ...], unless_newer: str | None = None) -> str:
        statement = upsert._statement(dialect.name, TABLE, [{"k": 1, "v": "a"}], (["k"], update), unless_newer)
        return " ".join(str(statement.compile(dialect=dialect)).split())

    def test_update(self) -> None:
        for dialect in (sqlite.dialect(), postgresql.dialect()):
            self.assertIn("ON CONFLICT (k) DO UPDATE SET v = excluded.v", self._sql(dialect, ("v",)))
        self.assertIn("ON DUPLICATE KEY UPDATE v = VALUES(v)", self._sql(mysql.dialect(), ("v",)))

    def test_insert_missing(self) -> None:
        for dialect in (sqlite.dialect(), postgresql.dialect()):
            self.assertIn("ON CONFLICT (k) DO NOTHING", self._sql(dialect, ()))
        self.assertIn("ON DUPLICATE KEY UPDATE k = t.k", self._sql(mysql.dialect(), ()))


    def test_newer_rows_stay(self) -> None:
        condition = "t.v IS NULL OR t.v <= "
        for dialect in (sqlite.dialect(), postgresql.dialect()):
            wanted = f"SET k = excluded.k, v = excluded.v WHERE {condition}excluded.v"
            self.assertIn(wanted, self._sql(dialect, ("k", "v"), "v"))
        # The column that decides is assigned last: MySQL sees what it has assigned before.
        self.assertIn(
            f"UPDATE k = IF({condition}VALUES(v), VALUES(k), t.k), v = IF({condition}VALUES(v), VALUES(v), t.v)",
            self._sql(mysql.dialect(), ("v", "k"), "v"),
        )


class Behaviour(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.engine = sa.create_engine("sqlite://")
        TABLE.metadata.create_all(self.engine)
        self.session = self.enterContext(orm.Session(self.engine))

    def test_existing_rows_change_only_where_named(self) -> None:
        upsert.upsert(self.session, TABLE, [{"k": 2, "v": "b"}, {"k": 1, "v": "a"}], ["v"])
        upsert.insert_missing(self.session, TABLE, [{"k": 1, "v": "x"}, {"k": 3, "v": "c"}])
        upsert.upsert(self.session, TABLE, [{"k": 2, "v": "z"}], ["v"])
        self.assertEqual([(1, "a"), (2, "z"), (3, "c")], self.session.execute(sa.select(TABLE).order_by("k")).all())

    def test_newer_rows_stay(self) -> None:
        upsert.upsert(self.session, TABLE, [{"k": 1, "v": "m"}, {"k": 2, "v": None}], ["v"])
        offered = [{"k": 1, "v": "b"}, {"k": 2, "v": "b"}, {"k": 3, "v": "b"}]
        upsert.upsert(self.session, TABLE, offered, ["v"], unless_newer="v")
        self.assertEqual([(1, "m"), (2, "b"), (3, "b")], self.session.execute(sa.select(TABLE).order_by("k")).all())
        upsert.upsert(self.session, TABLE, [{"k": 1, "v": "n"}], ["v"], unless_newer="v")
        self.assertEqual("n", self.session.scalar(sa.select(TABLE.c.v).where(TABLE.c.k == 1)))

    def test_more_rows_than_one_statement_holds(self) -> None:
        upsert.upsert(self.session, TABLE, [{"k": k, "v": "a"} for k in range(1234)], ["v"])
        self.assertEqual(1234, self.session.scalar(sa.select(sa.func.count()).select_from(TABLE)))
