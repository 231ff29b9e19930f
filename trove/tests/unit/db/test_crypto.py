# SPDX-License-Identifier: Apache-2.0
import base64
import os

import fixtures

from trove.db import crypto
from trove.tests import base


class Key(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.key = crypto.KeyEncryptionKey(os.urandom(32))

    def test_what_is_sealed_opens_under_the_same_key_and_purpose_only(self) -> None:
        sealed = self.key.seal(b"plain", "a.b")
        self.assertEqual(b"plain", self.key.open(sealed, "a.b"))
        self.assertRaises(crypto.DecryptionFailed, self.key.open, sealed, "a.c")
        self.assertRaises(crypto.DecryptionFailed, crypto.KeyEncryptionKey(os.urandom(32)).open, sealed, "a.b")

    def test_any_changed_byte_is_noticed(self) -> None:
        raw = bytearray(base64.b64decode(self.key.seal(b"plain", "p")))
        for index in range(len(raw)):
            raw[index] ^= 1
            self.assertRaises(crypto.DecryptionFailed, self.key.open, base64.b64encode(bytes(raw)).decode(), "p")
            raw[index] ^= 1
        for nonsense in ("", "%%", "QUJD", "ä"):
            self.assertRaises(crypto.DecryptionFailed, self.key.open, nonsense, "p")

    def test_the_same_text_is_never_sealed_alike(self) -> None:
        self.assertEqual(50, len({self.key.seal(b"x", "p") for _ in range(50)}))

    def test_keys_of_another_size_are_refused(self) -> None:
        for size in (0, 16, 31, 33):
            self.assertRaises(crypto.KeyUnavailable, crypto.KeyEncryptionKey, bytes(size))


class File(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.tempdir() / "kek"

    def test_a_made_file_is_private_readable_and_never_replaced(self) -> None:
        crypto.KeyEncryptionKey.create_file(self.path)
        text = self.path.read_text()
        crypto.KeyEncryptionKey.create_file(self.path)
        self.assertEqual((text, 0o600), (self.path.read_text(), self.path.stat().st_mode & 0o777))
        sealed = crypto.KeyEncryptionKey.from_file(self.path).seal(b"x", "p")
        self.assertEqual(b"x", crypto.KeyEncryptionKey(bytes.fromhex(text)).open(sealed, "p"))

    def test_bad_files_are_refused_without_showing_the_key(self) -> None:
        self.assertRaises(crypto.KeyUnavailable, crypto.KeyEncryptionKey.from_file, self.path)
        for content, mode in (("zz" * 32, 0o600), ("ab" * 16, 0o600), ("ab" * 32, 0o640), ("ab" * 32, 0o604)):
            self.path.write_text(content)
            self.path.chmod(mode)
            err = self.assertRaises(crypto.KeyUnavailable, crypto.KeyEncryptionKey.from_file, self.path)
            self.assertNotIn(content, str(err))


class Current(base.UnitTestCase):
    def test_without_a_key_nothing_works(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.db.crypto._current", None))
        self.assertRaisesRegex(crypto.KeyUnavailable, "key_encryption_key_file", crypto.current)
        key = crypto.KeyEncryptionKey(bytes(32))
        crypto.install(key)
        self.assertIs(key, crypto.current())
