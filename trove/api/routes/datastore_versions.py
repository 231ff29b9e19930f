# SPDX-License-Identifier: Apache-2.0
"""Versions of datastores, and what they may be used with."""

from trove.api.routes.paths import DATASTORE, DATASTORES, VERSION
from trove.api.routes.route import Route as R

ROUTES = (
    R(
        "GET",
        f"{DATASTORES}/versions/{{version}}",
        "datastore_versions:show_by_id",
        "datastore:version_show_by_uuid",
        response="datastore_version",
    ),
    R(
        "GET",
        f"{DATASTORE}/versions",
        "datastore_versions:index",
        "datastore:version_index",
        response="datastore_versions",
    ),
    R("GET", VERSION, "datastore_versions:show", "datastore:version_show", response="datastore_version"),
    R(
        "GET",
        f"{VERSION}/flavors",
        "datastore_versions:flavors",
        "datastore:list_associated_flavors",
        response="flavors",
    ),
    R(
        "GET",
        f"{VERSION}/volume-types",
        "datastore_versions:volume_types",
        "datastore:list_associated_volume_types",
        response="volume_types",
    ),
)
