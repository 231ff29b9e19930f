# SPDX-License-Identifier: Apache-2.0
"""The key file: atomic, private, and never silently empty."""

import stat

from trove.guestbus.key_store import FileKeyStore, KeyState, KeyStoreError
from trove.tests import base

STATE = KeyState(boot=3, generation=1, master="ab" * 32, confirmed=True, heard_at=5)


class FileKeyStoreTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.tempdir() / "keys"
        self.store = FileKeyStore(self.path)

    def test_round_trip(self) -> None:
        self.assertIsNone(self.store.load())
        for state in (KeyState(boot=1), STATE):
            self.store.save(state)
            self.assertEqual(state, FileKeyStore(self.path).load())
        self.assertEqual(0o600, stat.S_IMODE(self.path.stat().st_mode))
        self.assertEqual([self.path], list(self.path.parent.iterdir()))

    def test_a_file_of_a_release_without_rotation(self) -> None:
        self.path.write_text(f'{{"boot":3,"generation":1,"master":"{"ab" * 32}","confirmed":true,"heard_at":5}}')
        self.assertEqual(STATE, self.store.load())

    def test_what_a_crash_left_is_no_obstacle(self) -> None:
        self.path.with_name("keys.new").write_text("half a st")
        self.store.save(STATE)
        self.assertEqual(STATE, self.store.load())

    def test_damage_is_an_error_that_quotes_nothing(self) -> None:
        self.store.save(STATE)
        whole = self.path.read_bytes()
        for data in (b"", whole[:-5], whole.replace(b"abab", b"zzzz"), b"[]"):
            self.path.write_bytes(data)
            error = self.assertRaises(KeyStoreError, self.store.load)
            self.assertNotIn("abab", str(error))

    def test_repr_holds_no_key(self) -> None:
        self.assertNotIn("abab", repr(STATE))
