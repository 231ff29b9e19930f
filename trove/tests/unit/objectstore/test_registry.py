# SPDX-License-Identifier: Apache-2.0
"""Which store the options open; nothing is asked over the network."""

from typing import Any

from trove.objectstore import base as objectstore
from trove.objectstore import registry
from trove.objectstore.filesystem import FilesystemStore
from trove.objectstore.swift import SwiftStore
from trove.tests import base

SWIFT = {
    "object_store__driver": "swift", "service_credentials__auth_url": "https://keystone.example/v3",
    "service_credentials__username": "trove", "service_credentials__password": "secret",
    "service_credentials__project_name": "service",
}  # fmt: skip


class OpenStoreTest(base.UnitTestCase):
    def open(self, **options: Any) -> Any:
        return registry.open_store(self.new_conf(**options))

    def refusal(self, **options: Any) -> str:
        return str(self.assertRaises(objectstore.StoreRefused, self.open, **options))

    def test_none(self) -> None:
        self.assertIsNone(self.open())

    def test_directory(self) -> None:
        path = self.tempdir() / "objects"
        store = self.open(object_store__driver="filesystem", object_store__path=str(path))
        self.assertIsInstance(store, FilesystemStore)
        self.assertIn("needs the option path", self.refusal(object_store__driver="filesystem"))

    def test_swift(self) -> None:
        self.assertIsInstance(self.open(**SWIFT), SwiftStore)
        by_id = {**SWIFT, "service_credentials__project_name": None, "service_credentials__project_id": "p"}
        self.assertIsInstance(self.open(**by_id), SwiftStore)

    def test_all_that_swift_lacks_is_named_at_once(self) -> None:
        given = {"service_credentials__auth_url": SWIFT["service_credentials__auth_url"]}
        said = self.refusal(object_store__driver="swift", **given)
        self.assertTrue(said.endswith("needs [service_credentials] username, password, project_name"), said)
