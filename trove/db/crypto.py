# SPDX-License-Identifier: Apache-2.0
"""Encryption of columns at rest with key-encryption keys (KEK).

A key is 32 random bytes; there is no default. Values are AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D). What
is stored is text in one of two formats:

=======  ===========================================  ==========================================================
Format   Text                                         Associated data
=======  ===========================================  ==========================================================
1        ``BASE64``                                   the column, as ``table.column``
2        ``v2.KEYID.BASE64``                          JSON ``["v2", KEYID, "table.column", primary key, ...]``
=======  ===========================================  ==========================================================

``BASE64`` is nonce, ciphertext and tag. No text of format 1 begins with ``v2.``, because base64 has no dot. A value of
format 2 that was moved to another table, column or row does not open; one of format 1 is bound to its column only. The
previous release knows format 1 only, and the one key that writes.

One key of a :class:`Keyring` writes, and all of them open. A key id is a fingerprint of the key, so that no
configuration can give one id to two keys.
"""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import stat
from collections.abc import Iterable
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
#: Formats of what is stored.
FORMATS = (1, 2)
#: The format that names its key and is bound to its row.
BOUND = 2

_NONCE_BYTES = 12
_TAG_BYTES = 16
_PREFIX = "v2."
_ID_DIGITS = 16


class KeyUnavailable(Exception):
    """A key-encryption key is missing, malformed or readable by others; the service must not start."""


class DecryptionFailed(Exception):
    """A stored value does not open under the configured keys. The text names the place, never the value."""


class Place(NamedTuple):
    """Where a value is stored.

    :ivar column: ``table.column``.
    :ivar row: the primary key, as text, in the order of its columns.
    """

    column: str
    row: tuple[str, ...]

    def __str__(self) -> str:
        return f"'{self.column}' in row {','.join(self.row)}"


class KeyEncryptionKey:
    """Seals and opens bytes for a given use.

    :param key: exactly :data:`KEY_BYTES` bytes.
    :ivar id: its fingerprint, 16 hexadecimal digits; tells nothing of the key.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise KeyUnavailable(f"the key-encryption key must have {KEY_BYTES} bytes, not {len(key)}")
        self._aead = AESGCM(key)
        self.id = hmac.new(key, b"trove key id", hashlib.sha256).hexdigest()[:_ID_DIGITS]

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "KeyEncryptionKey":
        """Read a key file: 64 hexadecimal digits, readable by nobody but its owner.

        :raises KeyUnavailable: when it is missing, malformed, or open to group or others.
        """
        file = pathlib.Path(path)
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
            text = file.read_text("ascii").strip()
        except (OSError, UnicodeError) as err:
            raise KeyUnavailable(f"cannot read the key-encryption key file {file}: {err}") from err
        if mode & 0o077:
            raise KeyUnavailable(f"{file} is readable by others (mode {mode:o}); run: chmod 600 {file}")
        try:
            return cls(bytes.fromhex(text))
        except ValueError:
            # Not chained: the text could quote a part of the key.
            raise KeyUnavailable(f"{file} must hold {KEY_BYTES * 2} hexadecimal digits") from None

    @staticmethod
    def create_file(path: str | os.PathLike[str]) -> None:
        """Write a new random key to ``path`` with mode 0600; an existing file is left alone."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        with os.fdopen(descriptor, "w") as file:
            file.write(os.urandom(KEY_BYTES).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())

    def encrypt(self, plain: bytes, associated: bytes) -> str:
        """Return base64 of nonce and ciphertext."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._aead.encrypt(nonce, plain, associated)).decode()

    def decrypt(self, text: str, associated: bytes) -> bytes | None:
        """Return the plain bytes, or ``None`` when ``text`` is not what :meth:`encrypt` made for the same use."""
        try:
            raw = base64.b64decode(text, validate=True)
            if len(raw) < _NONCE_BYTES + _TAG_BYTES:
                return None
            return self._aead.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], associated)
        except (InvalidTag, ValueError):
            return None

    def __repr__(self) -> str:
        return f"<KeyEncryptionKey {self.id}>"


class Keyring:
    """Seals column values under one key and opens what any of several has sealed.

    :param writer: the key that seals.
    :param others: keys that open as well.
    :param version: the format to write, one of :data:`FORMATS`.
    """

    def __init__(
        self, writer: KeyEncryptionKey, others: Iterable[KeyEncryptionKey] = (), *, version: int = BOUND
    ) -> None:
        if version not in FORMATS:
            raise ValueError(f"there is no ciphertext format {version}")
        self.writer = writer
        self.version = version
        self._keys = {key.id: key for key in (writer, *others)}

    @property
    def ids(self) -> list[str]:
        """Ids of all keys, the writer's first."""
        return list(self._keys)

    @property
    def prefix(self) -> str:
        """What begins every text that :meth:`seal` makes in format 2."""
        return f"{_PREFIX}{self.writer.id}."

    def seal(self, plain: bytes, place: Place) -> str:
        """Encrypt ``plain`` for ``place``; the result is ASCII text."""
        if self.version == BOUND:
            return self.prefix + self.writer.encrypt(plain, _bound(self.writer.id, place))
        return self.writer.encrypt(plain, place.column.encode())

    def open(self, text: str, place: Place) -> bytes:
        """Decrypt what is stored in ``place``, in either format.

        :raises DecryptionFailed: when the text was tampered with, belongs elsewhere, or was sealed under a key that is
            not here; then the message names the id of that key.
        """
        key_id = id_of(text)
        if key_id is None:
            found = (key.decrypt(text, place.column.encode()) for key in self._keys.values())
            plain = next((item for item in found if item is not None), None)
        elif key_id not in self._keys:
            raise DecryptionFailed(f"the value of {place} needs key {key_id}, which is not configured")
        else:
            body = text[len(_PREFIX) + _ID_DIGITS + 1 :]
            plain = self._keys[key_id].decrypt(body, _bound(key_id, place))
        if plain is None:
            under = "any configured key" if key_id is None else f"key {key_id}"
            raise DecryptionFailed(f"the value of {place} does not open under {under}")
        return plain

    def __repr__(self) -> str:
        return f"<Keyring {self.ids} format {self.version}>"


def id_of(text: str) -> str | None:
    """Return the id of the key that a stored text of format 2 names, ``None`` for one of format 1."""
    if not text.startswith(_PREFIX):
        return None
    key_id = text[len(_PREFIX) :].partition(".")[0]
    # Not one of ours: never echoed at length, because it ends in a message.
    return key_id if len(key_id) == _ID_DIGITS and key_id.isalnum() and key_id.isascii() else "malformed"


def _bound(key_id: str, place: Place) -> bytes:
    return json.dumps(["v2", key_id, place.column, *place.row]).encode()


_current: Keyring | None = None


def install(keyring: Keyring) -> None:
    """Make ``keyring`` the one that encrypted columns of this process use."""
    global _current
    _current = keyring


def current() -> Keyring:
    """Return the installed keys.

    :raises KeyUnavailable: when none were installed.
    """
    if _current is None:
        raise KeyUnavailable("no key-encryption key is installed; set [security] key_encryption_key_file")
    return _current
