# SPDX-License-Identifier: Apache-2.0
"""Keys from files and from castellan's manager in memory; ``functional/db/test_key_manager.py`` has Vault's driver."""

import sys
from unittest import mock

from castellan import options
from castellan.common.objects import symmetric_key
from castellan.tests.unit.key_manager import mock_key_manager

from trove.db import key_source
from trove.db.crypto import KeyEncryptionKey, KeyUnavailable, Place
from trove.tests import base
from trove.tests.fixtures.key_managers import Contract

PLACE = Place("a.b", ("row-1",))


class Files(Contract, base.UnitTestCase):
    missing = "/nonexistent/key"

    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir()
        self.source = key_source.Files()

    def store(self, key: bytes) -> str:
        path = self.directory / "key"
        path.write_text(key.hex())
        path.chmod(0o600)
        return str(path)


class InMemory(Contract, base.UnitTestCase):
    missing = "0e5c0c4e-0000-4000-8000-000000000000"

    def setUp(self) -> None:
        super().setUp()
        self.manager = mock_key_manager.MockKeyManager()
        self.source = key_source.KeyManager(self.manager, object())

    def store(self, key: bytes) -> str:
        return str(self.manager.store(object(), symmetric_key.SymmetricKey("AES", 8 * len(key), key)))


class Load(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir()
        self.paths = [str(self.directory / name) for name in "ab"]
        for path in self.paths:
            KeyEncryptionKey.create_file(path)

    def test_one_writes_and_all_open(self) -> None:
        first, second = (KeyEncryptionKey.from_file(path) for path in self.paths)
        before = key_source.load(self.new_conf(security__key_encryption_key_file=self.paths[0]))
        self.assertEqual(([first.id], 1), (before.ids, before.version))
        conf = self.new_conf(
            security__key_encryption_key_file=self.paths[1],
            security__accepted_key_files=[self.paths[0]],
            security__ciphertext_version=2,
        )
        after = key_source.load(conf)
        self.assertEqual(([second.id, first.id], 2), (after.ids, after.version))
        self.assertEqual(b"x", after.open(before.seal(b"x", PLACE), PLACE))

    def test_none_and_two_writers_are_refused(self) -> None:
        self.assertRaisesRegex(KeyUnavailable, "openssl rand", key_source.load, self.new_conf())
        conf = self.new_conf(
            security__key_encryption_key_file=self.paths[0], security__key_encryption_key_id="some-id"
        )
        self.assertRaisesRegex(KeyUnavailable, "only one key writes", key_source.load, conf)

    def test_an_unknown_key_manager_is_refused_without_its_text(self) -> None:
        conf = self.new_conf(security__key_encryption_key_id="some-id")
        options.set_defaults(conf, backend="no.such.backend")
        self.assertRaisesRegex(KeyUnavailable, "cannot be used", key_source.load, conf)

    def test_without_castellan_it_says_what_to_install(self) -> None:
        missing = {name: None for name in (*sys.modules, "castellan") if name.partition(".")[0] == "castellan"}
        conf = self.new_conf(security__key_encryption_key_id="some-id")
        with mock.patch.dict(sys.modules, missing):
            self.assertRaisesRegex(KeyUnavailable, r"trove\[castellan\]", key_source.load, conf)
