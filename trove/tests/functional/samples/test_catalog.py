# SPDX-License-Identifier: Apache-2.0
"""Samples of discovery, limits, flavors and datastores."""

from trove.objects import catalog
from trove.tests.functional.samples import base
from trove.tests.functional.samples.base import documents


class CatalogSamples(base.SampleTestCase):
    @documents("versions:index")
    def test_versions(self) -> None:
        self.record("//")

    @documents("versions:show")
    def test_version(self) -> None:
        self.record("//v1.0")

    @documents("openapi:show")
    def test_openapi(self) -> None:
        self.record("//v1.0/openapi.json")

    @documents("limits:index")
    def test_limits(self) -> None:
        self.record("/limits")

    @documents("flavors:index")
    def test_flavors(self) -> None:
        self.record("/flavors")

    @documents("flavors:show")
    def test_flavor(self) -> None:
        self.record("/flavors/2")

    @documents("datastores:index")
    def test_datastores(self) -> None:
        self.record("/datastores")

    @documents("datastores:show")
    def test_datastore(self) -> None:
        self.record("/datastores/postgresql")

    @documents("datastores:delete")
    def test_delete_a_datastore(self) -> None:
        with self.db.writer() as session:
            catalog.ensure_datastore(session, "retired")
        self.record("/datastores/retired", app=self.admin)

    @documents("volume_types:index")
    def test_volume_types(self) -> None:
        self.record("/volume-types")

    @documents("volume_types:show")
    def test_volume_type(self) -> None:
        self.record("/volume-types/local")

    @documents("datastore_versions:index")
    def test_versions_of_a_datastore(self) -> None:
        self.record("/datastores/postgresql/versions")

    @documents("datastore_versions:show")
    def test_version_of_a_datastore(self) -> None:
        self.record("/datastores/postgresql/versions/18.4")

    @documents("datastore_versions:show_by_id")
    def test_version_by_id(self) -> None:
        self.record(f"/datastores/versions/{self.version.id}")

    @documents("datastore_versions:flavors")
    def test_flavors_of_a_version(self) -> None:
        self.record("/datastores/postgresql/versions/18.4/flavors")

    @documents("datastore_versions:volume_types")
    def test_volume_types_of_a_version(self) -> None:
        self.record("/datastores/postgresql/versions/18.4/volume-types")
