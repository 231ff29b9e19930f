# SPDX-License-Identifier: Apache-2.0
"""Encryption of columns at rest with the key-encryption key (KEK).

The key is 32 random bytes in a file that only the service may read; there is no default. Values are AES-256-GCM with
a random 96-bit nonce (NIST SP 800-38D) and bound to their column by associated data, so that a ciphertext moved to
another column does not open.
"""

import base64
import os
import pathlib
import stat

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12


class KeyUnavailable(Exception):
    """The key-encryption key is missing, malformed or readable by others; the service must not start."""


class DecryptionFailed(Exception):
    """A stored value does not open under the configured key."""


class KeyEncryptionKey:
    """Seals and opens column values.

    :param key: exactly :data:`KEY_BYTES` bytes.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise KeyUnavailable(f"the key-encryption key must have {KEY_BYTES} bytes, not {len(key)}")
        self._aead = AESGCM(key)

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
        except ValueError as err:
            raise KeyUnavailable(f"{file} must hold {KEY_BYTES * 2} hexadecimal digits") from err

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

    def seal(self, plain: bytes, purpose: str) -> str:
        """Encrypt ``plain`` for the column ``purpose``; the result is ASCII text."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._aead.encrypt(nonce, plain, purpose.encode())).decode()

    def open(self, sealed: str, purpose: str) -> bytes:
        """Decrypt what :meth:`seal` made for the same ``purpose``.

        :raises DecryptionFailed: when the text was tampered with, belongs elsewhere or was sealed under another key.
        """
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._aead.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], purpose.encode())
        except (InvalidTag, ValueError) as err:
            raise DecryptionFailed(f"a stored value of '{purpose}' does not open under the configured key") from err


_current: KeyEncryptionKey | None = None


def install(key: KeyEncryptionKey) -> None:
    """Make ``key`` the one that encrypted columns of this process use."""
    global _current
    _current = key


def current() -> KeyEncryptionKey:
    """Return the installed key.

    :raises KeyUnavailable: when none was installed.
    """
    if _current is None:
        raise KeyUnavailable("no key-encryption key is installed; set [security] key_encryption_key_file")
    return _current
