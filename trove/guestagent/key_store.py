# SPDX-License-Identifier: Apache-2.0
"""The guest's keys, kept in the journal: one file to lose, one file to refuse."""

import msgspec

from trove.guestagent import journal as journals
from trove.guestbus.key_store import KeyState, KeyStoreError


class JournalKeyStore:
    """A :class:`trove.guestbus.key_store.KeyStore`."""

    def __init__(self, journal: journals.Journal) -> None:
        self._journal = journal

    def load(self) -> KeyState | None:
        """See :meth:`trove.guestbus.key_store.KeyStore.load`."""
        try:
            value = self._journal.keys()
            return None if value is None else msgspec.convert(value, KeyState)
        except (journals.JournalError, msgspec.ValidationError) as err:
            raise KeyStoreError(f"the keys in the journal cannot be read ({type(err).__name__})") from None

    def save(self, state: KeyState) -> None:
        """See :meth:`trove.guestbus.key_store.KeyStore.save`."""
        try:
            self._journal.set_keys(msgspec.to_builtins(state))
        except journals.JournalRefused:
            raise
        except journals.JournalError as err:
            raise OSError(f"the keys cannot be saved: {err}") from err
