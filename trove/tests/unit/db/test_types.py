# SPDX-License-Identifier: Apache-2.0
import datetime

import sqlalchemy as sa
from oslo_db import exception as db_exception
from sqlalchemy.dialects import mysql

from trove.db import types
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture

TABLE = sa.Table(
    "t",
    sa.MetaData(),
    sa.Column("at", types.UTCDateTime),
    sa.Column("doc", types.JSONText),
    sa.Column("sealed", types.EncryptedJSON("t.sealed")),
)


class Types(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture(create_tables=False)).db
        TABLE.metadata.create_all(self.db.engine)

    def _round_trip(self, **values: object) -> sa.Row[tuple[object, ...]]:
        with self.db.writer() as session:
            session.execute(sa.insert(TABLE).values(**values))
            return session.execute(sa.select(TABLE)).one()

    def test_aware_times_become_naive_utc(self) -> None:
        zone = datetime.timezone(datetime.timedelta(hours=2))
        row = self._round_trip(at=datetime.datetime(2026, 5, 2, 10, 0, 0, 123456, zone))
        self.assertEqual(datetime.datetime(2026, 5, 2, 8, 0, 0, 123456), row.at)

    def test_json_values(self) -> None:
        document = {"b": [1, None, True], "a": "Ç📚"}
        self.assertEqual(document, self._round_trip(doc=document).doc)

    def test_what_is_not_sealed_cannot_be_stored(self) -> None:
        err = self.assertRaises(db_exception.DBError, self._round_trip, sealed={"password": "very-secret"})
        self.assertIn("a value for t.sealed is not sealed", str(err))
        self.assertNotIn("very-secret", str(err))

    def test_what_is_sealed_is_stored_and_shown_as_such(self) -> None:
        row = self._round_trip(sealed=types.Sealed("text"))
        self.assertEqual(("text", "<Sealed>"), (row.sealed.text, repr(row.sealed)))

    def test_mysql_keeps_fractions_of_a_second(self) -> None:
        self.assertEqual("DATETIME(6)", types.UTCDateTime().compile(dialect=mysql.dialect()))
        self.assertEqual("MEDIUMTEXT", types.JSONText().compile(dialect=mysql.dialect()))
