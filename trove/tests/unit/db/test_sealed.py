# SPDX-License-Identifier: Apache-2.0
"""All encrypted columns of the models go one way, and what was moved does not open."""

import fixtures
import sqlalchemy as sa

from trove.common import clock, ids
from trove.db import crypto, models, rotation, sealed
from trove.db.types import EncryptedJSON, Sealed
from trove.objects import secret
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture

#: What a name holds that speaks of a secret.
_TELLTALE = ("password", "secret", "token", "private")
#: Columns whose name sounds so, and why they are plain.
_HARMLESS = {"workflow_steps.token": "makes a repeated step harmless, and opens nothing"}


class Models(base.UnitTestCase):
    def test_every_encrypted_column_is_bound_to_its_own_name_and_to_a_key_that_is_known(self) -> None:
        found = rotation.columns()
        self.assertLess(3, len(found))
        for column in found:
            kind = column.table.c[column.name].type
            assert isinstance(kind, EncryptedJSON)
            self.assertEqual(column.label, kind.name)
            self.assertTrue(all(not part.nullable for part in column.table.primary_key))
            self.assertNotIn(column.name, [part.name for part in column.table.primary_key])

    def test_no_column_that_sounds_secret_is_plain(self) -> None:
        for table in models.Base.metadata.tables.values():
            for column in table.columns:
                name = f"{table.name}.{column.name}"
                if name not in _HARMLESS and any(word in column.name for word in _TELLTALE):
                    self.assertIsInstance(column.type, EncryptedJSON, name)

    def test_every_model_round_trips_through_the_one_way(self) -> None:
        self.useFixture(DatabaseFixture(create_tables=False))
        for column in rotation.columns():
            row = {part.name: ids.new_id() for part in column.table.primary_key}
            stored = sealed.seal(column.table, {**row, column.name: {"a": [1, "ä"]}})
            self.assertIsInstance(stored[column.name], Sealed)
            self.assertEqual({**row, column.name: {"a": [1, "ä"]}}, sealed.reveal(column.table, stored))
            other = {**stored, **{part.name: ids.new_id() for part in column.table.primary_key}}
            self.assertRaises(crypto.DecryptionFailed, sealed.reveal, column.table, other)

    def test_without_the_primary_key_nothing_is_sealed(self) -> None:
        self.useFixture(DatabaseFixture(create_tables=False))
        table = rotation.columns()[0].table
        name = rotation.columns()[0].name
        self.assertRaises(KeyError, sealed.seal, table, {name: {"a": 1}})
        self.assertEqual({name: None}, sealed.seal(table, {name: None}))


class Moved(base.UnitTestCase):
    """A ciphertext that somebody with access to the database has moved."""

    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture()).db
        with self.db.writer() as session:
            self.mine = secret.put(session, ids.new_id(), "admin-password", "mine")
            self.other = secret.put(session, ids.new_id(), "admin-password", "other")

    def move(self) -> None:
        with self.db.writer() as session:
            text = session.execute(sa.text("SELECT value FROM secrets WHERE id = :id"), {"id": self.mine}).scalar_one()
            self.assertNotIn("mine", text)
            swap = sa.text("UPDATE secrets SET value = :text WHERE id = :id")
            session.execute(swap, {"text": text, "id": self.other})

    def test_it_does_not_open_in_another_row(self) -> None:
        self.move()
        with self.db.reader() as session:
            self.assertEqual("mine", secret.get(session, self.mine))
            err = self.assertRaises(crypto.DecryptionFailed, secret.get, session, self.other)
        self.assertIn(self.other, str(err))

    def test_the_former_format_is_still_read(self) -> None:
        key = crypto.current().writer
        self.useFixture(fixtures.MonkeyPatch("trove.db.crypto._current", crypto.Keyring(key, version=1)))
        with self.db.writer() as session:
            old = secret.put(session, ids.new_id(), "create", {"written": str(clock.utcnow())})
        crypto.install(crypto.Keyring(key))
        with self.db.reader() as session:
            self.assertIn("written", secret.get(session, old))
