# SPDX-License-Identifier: Apache-2.0
"""Keys in the journal."""

from trove.guestagent.journal import Journal, JournalError, JournalRefused
from trove.guestagent.key_store import JournalKeyStore
from trove.guestbus.key_store import KeyState, KeyStoreError
from trove.tests.base import UnitTestCase


class TestJournalKeyStore(UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.tempdir() / "journal.sqlite"
        self.journal = Journal.open(self.path, "i")
        self.addCleanup(self.journal.close)

    def test_round_trip_over_a_restart(self) -> None:
        self.assertIsNone(JournalKeyStore(self.journal).load())
        state = KeyState(boot=3, generation=1, master="ab" * 32, confirmed=True, heard_at=5)
        JournalKeyStore(self.journal).save(state)
        self.journal.close()
        self.assertEqual(state, JournalKeyStore(Journal.open(self.path, "i")).load())

    def test_damaged_keys_are_refused_without_being_told(self) -> None:
        self.journal.set_keys({"master": "no-key-at-all"})
        error = self.assertRaises(KeyStoreError, JournalKeyStore(self.journal).load)
        self.assertNotIn("no-key", str(error))

    def test_unwritable_is_an_os_error_and_damage_is_not(self) -> None:
        for error, seen in ((JournalError("disk full"), OSError), (JournalRefused("damaged"), JournalRefused)):

            def fail(_value: object, error: Exception = error) -> None:
                raise error

            self.journal.set_keys = fail  # type: ignore[method-assign]
            self.assertRaises(seen, JournalKeyStore(self.journal).save, KeyState())
