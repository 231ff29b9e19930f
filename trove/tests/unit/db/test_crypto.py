# SPDX-License-Identifier: Apache-2.0
import base64
import os

import fixtures
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from trove.db import crypto
from trove.db.crypto import DecryptionFailed, KeyEncryptionKey, Keyring, Place
from trove.tests import base

PLACE = Place("a.b", ("row-1",))


class Bound(base.UnitTestCase):
    """Format 2."""

    def setUp(self) -> None:
        super().setUp()
        self.key = KeyEncryptionKey(os.urandom(32))
        self.ring = Keyring(self.key)

    def test_what_is_sealed_opens_in_its_place_only(self) -> None:
        sealed = self.ring.seal(b"plain", PLACE)
        self.assertTrue(sealed.startswith(f"v2.{self.key.id}."))
        self.assertEqual(b"plain", self.ring.open(sealed, PLACE))
        for other in (Place("a.c", PLACE.row), Place("x.b", PLACE.row), Place("a.b", ("row-2",)),
                      Place("a.b", ("row-1", "")), Place("a.b", ())):  # fmt: skip
            self.assertRaises(DecryptionFailed, self.ring.open, sealed, other)

    def test_parts_of_a_key_do_not_run_together(self) -> None:
        sealed = self.ring.seal(b"plain", Place("t.c", ("ab", "c")))
        self.assertRaises(DecryptionFailed, self.ring.open, sealed, Place("t.c", ("a", "bc")))

    def test_another_key_is_named_and_nothing_else(self) -> None:
        other = Keyring(KeyEncryptionKey(os.urandom(32)))
        sealed = other.seal(b"plain", PLACE)
        err = self.assertRaises(DecryptionFailed, self.ring.open, sealed, PLACE)
        self.assertEqual(
            f"the value of 'a.b' in row row-1 needs key {other.writer.id}, which is not configured", str(err)
        )

    def test_a_text_in_the_name_of_another_key_does_not_open(self) -> None:
        other = KeyEncryptionKey(os.urandom(32))
        ring = Keyring(self.key, [other])
        body = self.ring.seal(b"plain", PLACE).rpartition(".")[2]
        self.assertRaisesRegex(DecryptionFailed, other.id, ring.open, f"v2.{other.id}.{body}", PLACE)

    def test_any_changed_or_missing_byte_is_noticed(self) -> None:
        head, _, body = self.ring.seal(b"plain", PLACE).rpartition(".")
        raw = bytearray(base64.b64decode(body))
        for index in range(len(raw)):
            raw[index] ^= 1
            text = base64.b64encode(bytes(raw)).decode()
            self.assertRaises(DecryptionFailed, self.ring.open, f"{head}.{text}", PLACE)
            raw[index] ^= 1
            text = base64.b64encode(bytes(raw[:index])).decode()
            self.assertRaises(DecryptionFailed, self.ring.open, f"{head}.{text}", PLACE)

    def test_nonsense_is_refused_and_not_repeated(self) -> None:
        for nonsense in ("", "%%", "QUJD", "ä", "v2.", "v2..", "v2.x.y", f"v2.{'z' * 5000}.QUJD", "v3.x.y",
                         f"v2.{self.key.id}", f"v2.{self.key.id}.", f"v2.{self.key.id}.%%"):  # fmt: skip
            err = self.assertRaises(DecryptionFailed, self.ring.open, nonsense, PLACE)
            self.assertLess(len(str(err)), 120)

    def test_the_same_text_is_never_sealed_alike(self) -> None:
        self.assertEqual(50, len({self.ring.seal(b"x", PLACE) for _ in range(50)}))


class Former(base.UnitTestCase):
    """Format 1, which the former release reads and writes."""

    def test_it_is_bound_to_its_column_and_opens_under_any_key(self) -> None:
        old, new = KeyEncryptionKey(os.urandom(32)), KeyEncryptionKey(os.urandom(32))
        sealed = Keyring(old, version=1).seal(b"plain", PLACE)
        self.assertNotIn(".", sealed)
        ring = Keyring(new, [old])
        self.assertEqual(b"plain", ring.open(sealed, PLACE))
        self.assertEqual(b"plain", ring.open(sealed, PLACE._replace(row=("row-2",))))
        self.assertRaises(DecryptionFailed, ring.open, sealed, Place("a.c", PLACE.row))
        self.assertRaises(DecryptionFailed, Keyring(new).open, sealed, PLACE)

    def test_a_text_of_the_former_release_still_opens(self) -> None:
        sealed = "CQkJCQkJCQkJCQkJw3RpUunLubA8Hx1l7vioH386e4f1"
        self.assertEqual(b"plain", Keyring(KeyEncryptionKey(bytes(range(32)))).open(sealed, PLACE))

    def test_the_former_release_opens_what_is_written_until_it_is_told_otherwise(self) -> None:
        key = os.urandom(32)
        raw = base64.b64decode(Keyring(KeyEncryptionKey(key), version=1).seal(b"plain", PLACE), validate=True)
        # As that release does it.
        self.assertEqual(b"plain", AESGCM(key).decrypt(raw[:12], raw[12:], b"a.b"))

    def test_only_known_formats_are_written(self) -> None:
        self.assertRaises(ValueError, Keyring, KeyEncryptionKey(bytes(32)), version=3)


class Key(base.UnitTestCase):
    def test_keys_of_another_size_are_refused(self) -> None:
        for size in (0, 16, 31, 33):
            self.assertRaises(crypto.KeyUnavailable, KeyEncryptionKey, bytes(size))

    def test_the_id_is_of_the_key_and_not_part_of_it(self) -> None:
        secret = os.urandom(32)
        key = KeyEncryptionKey(secret)
        self.assertEqual(key.id, KeyEncryptionKey(secret).id)
        self.assertNotIn(key.id, secret.hex())
        self.assertEqual(16, len(key.id))
        self.assertEqual(1, len(Keyring(key, [KeyEncryptionKey(secret)]).ids))
        self.assertNotIn(secret.hex(), repr(key) + repr(Keyring(key)))


class File(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.tempdir() / "kek"

    def test_a_made_file_is_private_readable_and_never_replaced(self) -> None:
        KeyEncryptionKey.create_file(self.path)
        text = self.path.read_text()
        KeyEncryptionKey.create_file(self.path)
        self.assertEqual((text, 0o600), (self.path.read_text(), self.path.stat().st_mode & 0o777))
        self.assertEqual(KeyEncryptionKey(bytes.fromhex(text)).id, KeyEncryptionKey.from_file(self.path).id)

    def test_bad_files_are_refused_without_showing_the_key(self) -> None:
        self.assertRaises(crypto.KeyUnavailable, KeyEncryptionKey.from_file, self.path)
        for content, mode in (("zz" * 32, 0o600), ("ab" * 16, 0o600), ("ab" * 32, 0o640), ("ab" * 32, 0o604)):
            self.path.write_text(content)
            self.path.chmod(mode)
            err = self.assertRaises(crypto.KeyUnavailable, KeyEncryptionKey.from_file, self.path)
            self.assertNotIn(content, str(err))


class Current(base.UnitTestCase):
    def test_without_a_key_nothing_works(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.db.crypto._current", None))
        self.assertRaisesRegex(crypto.KeyUnavailable, "key_encryption_key_file", crypto.current)
        keyring = Keyring(KeyEncryptionKey(bytes(32)))
        crypto.install(keyring)
        self.assertIs(keyring, crypto.current())
