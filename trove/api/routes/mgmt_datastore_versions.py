# SPDX-License-Identifier: Apache-2.0
"""What operators do to versions of datastores."""

from trove.api.routes.paths import P
from trove.api.routes.route import Route as R

MGMT_VERSIONS = f"{P}/mgmt/datastore-versions"

ROUTES = (
    R(
        "GET",
        MGMT_VERSIONS,
        "mgmt_datastore_versions:index",
        "mgmt:datastore_version:index",
        response="mgmt_datastore_versions",
        admin=True,
    ),
    R(
        "POST",
        MGMT_VERSIONS,
        "mgmt_datastore_versions:create",
        "mgmt:datastore_version:create",
        status=202,
        request="mgmt_datastore_version.create",
        admin=True,
    ),
    R(
        "GET",
        f"{MGMT_VERSIONS}/{{version}}",
        "mgmt_datastore_versions:show",
        "mgmt:datastore_version:show",
        response="mgmt_datastore_version",
        admin=True,
    ),
    R(
        "PATCH",
        f"{MGMT_VERSIONS}/{{version}}",
        "mgmt_datastore_versions:edit",
        "mgmt:datastore_version:edit",
        status=202,
        request="mgmt_datastore_version.edit",
        admin=True,
    ),
    R(
        "DELETE",
        f"{MGMT_VERSIONS}/{{version}}",
        "mgmt_datastore_versions:delete",
        "mgmt:datastore_version:delete",
        status=202,
        admin=True,
    ),
)
