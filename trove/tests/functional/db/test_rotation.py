# SPDX-License-Identifier: Apache-2.0
# covers: trove/db/rotation.py
"""Rotation of the key-encryption key while others write."""

import os
import threading
from typing import Any

import fixtures
import sqlalchemy as sa

from trove.db import crypto, rotation, sealed
from trove.objects import guest_command, secret
from trove.objects.guest_identity import GuestIdentity
from trove.objects.module import Module
from trove.tests.functional.db import case
from trove.wire import command


class Rotation(case.EveryDatabase):
    def setUp(self) -> None:
        super().setUp()
        self.old = crypto.KeyEncryptionKey(os.urandom(32))
        self.new = crypto.KeyEncryptionKey(os.urandom(32))
        self.before = crypto.Keyring(self.old, [self.new], version=1)
        self.after = crypto.Keyring(self.new, [self.old])
        self.use(self.before)

    def use(self, keyring: crypto.Keyring) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.db.crypto._current", keyring))

    def rotate(self, limit: int = 3) -> tuple[int, list[str]]:
        """Walk everything; return how many values were written, and what does not open."""
        written, broken = 0, []
        for column in rotation.columns():
            for batch in rotation.batches(self.db, column, limit):
                written, broken = written + batch.written, [*broken, *batch.broken]
        return written, broken

    def uses(self) -> dict[tuple[str, str | None], int]:
        with self.db.reader() as session:
            return {(use.column, use.key_id): use.values for use in rotation.uses(session)}

    def fill(self) -> dict[str, Any]:
        """Store something in every encrypted column; return the ids."""
        guest = self.make_guest()
        module = Module(
            name="m", type="t", description=None, project_id=None, datastore_id=None, datastore_version_id=None,
            auto_apply=False, visible=True, live_update=False, priority_apply=False, apply_order=0, is_admin=True,
        )  # fmt: skip
        with self.db.writer() as session:
            module.create(session, "licence")
            secrets = [secret.put(session, guest, "p", number) for number in range(10)]
            cmd = guest_command.submit(
                session, instance_id=guest, command=command.DropDatabase(database="db"), deadline_seconds=60,
                now=self.db.now(session),
            )  # fmt: skip
        return {"guest": guest, "secrets": secrets, "command": cmd}

    def test_everything_is_encrypted_anew_and_still_there(self) -> None:
        found = self.fill()
        columns = {column.label for column in rotation.columns()}
        self.assertEqual({(name, None) for name in columns}, set(self.uses()))
        self.use(self.after)
        self.assertEqual((13, []), self.rotate())
        self.assertEqual({(name, self.new.id) for name in columns}, set(self.uses()))
        self.assertEqual((0, []), self.rotate())
        self.use(crypto.Keyring(self.new))
        with self.db.reader() as session:
            self.assertEqual(list(range(10)), [secret.get(session, item) for item in found["secrets"]])
            self.assertIn("one_time", GuestIdentity.get(session, found["guest"], for_update=False).keys)
            self.assertEqual({"database": "db"}, guest_command.get(session, found["command"]).args)

    def test_an_interrupted_run_is_continued(self) -> None:
        self.fill()
        self.use(self.after)
        column = next(item for item in rotation.columns() if item.label == "secrets.value")
        self.assertEqual(4, rotation.rotate_batch(self.db, column, None, 4).written)
        self.assertEqual({("secrets.value", None): 6, ("secrets.value", self.new.id): 4},
                         {key: n for key, n in self.uses().items() if key[0] == "secrets.value"})  # fmt: skip
        self.assertEqual((9, []), self.rotate())

    def test_from_key_to_key_in_the_bound_format(self) -> None:
        self.use(crypto.Keyring(self.old))
        self.fill()
        self.use(self.after)
        self.assertEqual((13, []), self.rotate())

    def test_what_does_not_open_is_named_and_left_alone(self) -> None:
        found = self.fill()
        lost = crypto.KeyEncryptionKey(os.urandom(32))
        self.use(crypto.Keyring(lost))
        with self.db.writer() as session:
            orphan = secret.put(session, found["guest"], "p", "lost")
        self.use(self.after)
        written, broken = self.rotate(limit=2)
        self.assertEqual(13, written)
        self.assertEqual(1, len(broken))
        self.assertIn(orphan, broken[0])
        self.assertIn(lost.id, broken[0])
        self.assertEqual(1, self.uses()["secrets.value", lost.id])

    def test_whether_keys_are_those_of_the_database(self) -> None:
        def fit() -> bool:
            with self.db.reader() as session:
                return rotation.keys_fit(session)

        self.assertTrue(fit())  # nothing is stored yet
        self.fill()
        self.assertTrue(fit())
        self.use(crypto.Keyring(self.new))
        self.assertFalse(fit())
        self.use(self.after)
        self.assertTrue(fit())
        self.rotate()
        self.use(crypto.Keyring(self.old))
        self.assertFalse(fit())

    def test_a_change_made_meanwhile_is_not_overwritten(self) -> None:
        found = self.fill()
        self.use(self.after)
        column = next(item for item in rotation.columns() if item.label == "guest_identities.keys")
        seal, changes = sealed.seal_value, [{"one_time": "changed"}]

        def change_first(*args: Any) -> Any:
            if changes:
                keys = changes.pop()
                with self.db.writer() as session:
                    identity = GuestIdentity.get(session, found["guest"], for_update=True)
                    identity.keys = keys
                    identity.save(session)
            return seal(*args)

        self.useFixture(fixtures.MonkeyPatch("trove.db.sealed.seal_value", change_first))
        batch = rotation.rotate_batch(self.db, column, None, 10)
        self.assertEqual((1, 0), (batch.looked, batch.written))
        with self.db.reader() as session:
            identity = GuestIdentity.get(session, found["guest"], for_update=False)
        self.assertEqual({"one_time": "changed"}, identity.keys)

    def test_with_somebody_who_writes_the_same_rows(self) -> None:
        guests = [self.make_guest() for _ in range(4)]
        self.use(self.after)
        done, written = threading.Event(), dict.fromkeys(guests, 0)

        def write() -> None:
            while not done.is_set():
                for guest in guests:
                    with self.db.writer() as session:
                        identity = GuestIdentity.get(session, guest, for_update=True)
                        identity.keys = {"count": written[guest] + 1}
                        identity.save(session)
                    written[guest] += 1

        def rotate() -> None:
            try:
                for number in range(30):
                    self.rotate(limit=2)
                    # A value of the former key appears again, as from a process that was not restarted yet.
                    key = (self.old, self.new)[number % 2]
                    crypto.install(crypto.Keyring(key, [self.old, self.new]))
            finally:
                crypto.install(self.after)
                done.set()

        self.assertEqual([None, None], self.at_once(write, rotate))
        with self.db.reader() as session:
            for guest in guests:
                identity = GuestIdentity.get(session, guest, for_update=False)
                self.assertEqual({"count": written[guest]}, identity.keys)
        self.rotate()
        self.assertEqual({self.new.id}, {key for _, key in self.uses()})

    def test_moved_text_is_noticed_by_the_rotation_too(self) -> None:
        self.use(crypto.Keyring(self.old))
        found = self.fill()
        first, second = found["secrets"][:2]
        with self.db.writer() as session:
            text = session.execute(sa.text("SELECT value FROM secrets WHERE id = :id"), {"id": first}).scalar_one()
            session.execute(sa.text("UPDATE secrets SET value = :text WHERE id = :id"), {"text": text, "id": second})
        self.use(self.after)
        _, broken = self.rotate()
        self.assertEqual([True], [second in reason for reason in broken])


class NoRows(case.EveryDatabase):
    def test_an_empty_database(self) -> None:
        for column in rotation.columns():
            self.assertEqual([rotation.Batch(0, 0, (), None)], list(rotation.batches(self.db, column, 5)))
        with self.db.reader() as session:
            self.assertEqual([], rotation.uses(session))
