# SPDX-License-Identifier: Apache-2.0
"""Keys from a key manager over HTTP, through castellan's own driver for Vault."""

import os
import threading

from trove.db import key_source
from trove.db.crypto import KeyEncryptionKey, KeyUnavailable
from trove.tests import base
from trove.tests.fixtures.key_managers import Contract, Vault


class OverHTTP(Contract, base.FunctionalTestCase):
    missing = "0e5c0c4e-0000-4000-8000-000000000000"

    def setUp(self) -> None:
        super().setUp()
        self.vault = self.useFixture(Vault())
        conf = self.new_conf()
        self.vault.configure(conf)
        self.source = key_source.KeyManager.from_conf(conf)

    def store(self, key: bytes) -> str:
        self.vault.values["some-id"] = key.hex()
        return "some-id"


class Load(base.FunctionalTestCase):
    def test_the_key_manager_takes_over_from_a_file(self) -> None:
        key = os.urandom(32)
        path = str(self.tempdir() / "former")
        KeyEncryptionKey.create_file(path)
        vault = self.useFixture(Vault())
        vault.values["some-id"] = key.hex()
        conf = self.new_conf(security__key_encryption_key_id="some-id", security__accepted_key_files=[path])
        vault.configure(conf)
        found = key_source.load(conf)
        self.assertEqual([KeyEncryptionKey(key).id, KeyEncryptionKey.from_file(path).id], found.ids)

    def test_a_key_manager_that_hangs_is_not_waited_for_longer_than_said(self) -> None:
        let_go = threading.Event()
        self.addCleanup(let_go.set)
        vault = self.useFixture(Vault(lambda: let_go.wait(60)))
        conf = self.new_conf(security__key_encryption_key_id="some-id")
        conf.set_override("key_manager_timeout", 1.0, group="security")
        vault.configure(conf)
        self.assertRaisesRegex(KeyUnavailable, "key_manager_timeout of 1 seconds", key_source.load, conf)

    def test_a_key_manager_that_is_away(self) -> None:
        vault = self.useFixture(Vault())
        conf = self.new_conf(security__key_encryption_key_id="some-id")
        vault.configure(conf)
        conf.set_override("vault_url", "http://127.0.0.1:1", group="vault")
        self.assertRaisesRegex(KeyUnavailable, "does not give key some-id", key_source.load, conf)
