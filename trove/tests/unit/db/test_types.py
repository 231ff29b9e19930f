# SPDX-License-Identifier: Apache-2.0
import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from trove.db import crypto, types
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture

TABLE = sa.Table(
    "t",
    sa.MetaData(),
    sa.Column("at", types.UTCDateTime),
    sa.Column("doc", types.JSONText),
    sa.Column("sealed", types.EncryptedJSON("t.sealed")),
    sa.Column("other", types.EncryptedJSON("t.other")),
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
        row = self._round_trip(doc=document, sealed=document)
        self.assertEqual((document, document, None), (row.doc, row.sealed, row.other))

    def test_sealed_text_is_not_readable_and_not_movable(self) -> None:
        self._round_trip(sealed={"password": "very-secret"})
        with self.db.writer() as session:
            raw = session.execute(sa.text("SELECT sealed FROM t")).scalar_one()
            self.assertNotIn("very-secret", raw)
            session.execute(sa.text("UPDATE t SET other = sealed"))
            self.assertRaises(crypto.DecryptionFailed, session.execute(sa.select(TABLE.c.other)).scalar_one)

    def test_mysql_keeps_fractions_of_a_second(self) -> None:
        self.assertEqual("DATETIME(6)", types.UTCDateTime().compile(dialect=mysql.dialect()))
        self.assertEqual("MEDIUMTEXT", types.JSONText().compile(dialect=mysql.dialect()))
