# SPDX-License-Identifier: Apache-2.0
"""Samples of datastore versions as operators make and change them."""

from typing import Any

from trove.tests.functional.samples import base
from trove.tests.functional.samples.base import documents

PATH = "/mgmt/datastore-versions"
IMAGE = "5c4b1f0e-6a0f-4d3e-8a21-9d3c6f0b7e55"


class MgmtVersionSamples(base.SampleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.names[IMAGE] = IMAGE

    def send(self, path: str, body: Any = None) -> None:
        """Record one call of an administrator."""
        self.record(path, body, app=self.admin)

    @documents("mgmt_datastore_versions:index")
    def test_index(self) -> None:
        self.send(PATH)

    @documents("mgmt_datastore_versions:create")
    def test_create(self) -> None:
        self.send(
            PATH,
            {
                "version": {
                    "name": "18.5",
                    "datastore_name": "postgresql",
                    "datastore_manager": "postgresql",
                    "image": IMAGE,
                    "packages": [],
                    "active": True,
                    "default": False,
                }
            },
        )

    @documents("mgmt_datastore_versions:show")
    def test_show(self) -> None:
        self.send(f"{PATH}/{self.version.id}")

    @documents("mgmt_datastore_versions:edit")
    def test_edit(self) -> None:
        self.send(f"{PATH}/{self.version.id}", {"image": IMAGE, "active": False})

    @documents("mgmt_datastore_versions:delete")
    def test_delete(self) -> None:
        self.send(f"{PATH}/{self.version.id}")
