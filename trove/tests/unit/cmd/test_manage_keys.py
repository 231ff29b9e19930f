# SPDX-License-Identifier: Apache-2.0
"""``trove-manage keys``, through its parser, from the first key to the end of the second's introduction."""

import json

import fixtures

from trove.common import ids
from trove.db import crypto, key_source
from trove.db.api import Database
from trove.objects import secret
from trove.tests.fixtures.clock import ManualClock
from trove.tests.unit.cmd import case


class ManageKeysTest(case.ManageCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch("trove.db.crypto._current", None))
        self.paths = [self.conf.parent / name for name in ("first", "second")]
        for path in self.paths:
            crypto.KeyEncryptionKey.create_file(path)
        self.ids = [crypto.KeyEncryptionKey.from_file(path).id for path in self.paths]
        self.configure(self.paths[0], version=1)
        self.done("db_sync")

    def configure(self, writer: object, *accepted: object, version: int = 2) -> None:
        self.conf.write_text(
            f"[database]\nconnection = sqlite:///{self.database}\n[security]\nciphertext_version = {version}\n"
            f"key_encryption_key_file = {writer}\naccepted_key_files = {','.join(map(str, accepted))}\n"
        )

    def put(self, count: int) -> list[str]:
        """Store secrets as a service with this configuration does."""
        crypto.install(key_source.load(self.new_conf(
            security__key_encryption_key_file=str(self.paths[0]), security__ciphertext_version=1
        )))  # fmt: skip
        db = Database(f"sqlite:///{self.database}")
        self.addCleanup(db.dispose)
        with db.writer() as session:
            return [secret.put(session, ids.new_id(), "p", number) for number in range(count)]

    def test_a_whole_rotation(self) -> None:
        self.put(5)
        self.assertIn("secrets.value  format 1, no key id  5", self.done("keys", "status"))
        self.configure(self.paths[1], self.paths[0])
        out = self.done("keys", "rotate", "--batch-size", "2", "--pause", "0")
        self.assertIn("secrets.value: 2 encrypted anew so far", out)
        self.assertIn("secrets.value: 5 encrypted anew", out)
        self.assertIn(f"Key {self.ids[0]} is not needed any more.", out)
        found = json.loads(self.done("keys", "status", "--json"))
        self.assertEqual(
            [{"column": "secrets.value", "key_id": self.ids[1], "values": 5}], found["values"]
        )
        self.configure(self.paths[1])
        self.assertIn("No other key is needed.", self.done("keys", "status"))
        self.configure(self.paths[0])
        self.assertIn(f"Key {self.ids[1]} is needed and not configured.", self.done("keys", "status"))

    def test_it_pauses_between_batches(self) -> None:
        self.put(5)
        self.configure(self.paths[1], self.paths[0])
        hands = self.useFixture(ManualClock())
        self.done("keys", "rotate", "--batch-size", "2", "--pause", "7")
        self.assertEqual([7.0, 7.0], hands.pauses)

    def test_the_former_format_is_not_left_by_accident(self) -> None:
        self.assertIn("set [security] ciphertext_version to 2", self.refused("keys", "rotate"))

    def test_what_does_not_open_ends_in_an_error_and_shows_nothing(self) -> None:
        self.put(25)
        self.configure(self.paths[1])
        code, out, err = self.manage("keys", "rotate", "--pause", "0", "--batch-size", "3")
        self.assertEqual((1, 20), (code, err.count("'secrets.value' in row")))
        self.assertIn("5 more do not open", err)
        self.assertIn("keep every key", out)
        for path in self.paths:
            self.assertNotIn(path.read_text().strip(), out + err)

    def test_without_a_key(self) -> None:
        self.conf.write_text(f"[database]\nconnection = sqlite:///{self.database}\n")
        self.assertIn("key_encryption_key_file", self.refused("keys", "status"))
