# SPDX-License-Identifier: Apache-2.0
"""Datastores and versions as clients know them."""

from collections.abc import Sequence
from typing import Any

from trove.api import links
from trove.api.request import ApiRequest
from trove.objects.catalog import Datastore, DatastoreVersion


def datastore(req: ApiRequest, row: Datastore, versions: Sequence[DatastoreVersion]) -> dict[str, Any]:
    """Return one datastore with ``versions``.

    The default is only named when it is among them: clients look it up there and fail when it is missing.
    """
    document: dict[str, Any] = {
        "id": row.id,
        "name": row.name,
        "links": links.resource(req.base_url, req.project_id, "datastores", row.id),
        "versions": [_nested(req, version) for version in versions],
    }
    if any(version.id == row.default_version_id for version in versions):
        document["default_version"] = row.default_version_id
    return document


def version(req: ApiRequest, row: DatastoreVersion) -> dict[str, Any]:
    """Return one version on its own."""
    return {**_nested(req, row), "datastore": row.datastore_id}


def _nested(req: ApiRequest, row: DatastoreVersion) -> dict[str, Any]:
    document = {
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "links": links.resource(req.base_url, req.project_id, "datastores/versions", row.id),
    }
    if req.context.is_admin:
        document |= {
            "active": row.active,
            "packages": row.packages,
            "image": row.image_id,
            "image_tags": list(row.image_tags),
            # What handles the engine: the name of its plugin.
            "registry_ext": row.manager,
            "repl_strategy": "",
        }
    return document
