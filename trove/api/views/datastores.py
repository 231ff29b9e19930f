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
            **_strategies(row),
        }
    return document


def management(row: DatastoreVersion) -> dict[str, Any]:
    """Return one version as operators see it in the management calls."""
    return {
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "datastore_id": row.datastore_id,
        "datastore_name": row.datastore_name,
        "datastore_manager": row.manager,
        "image": row.image_id,
        "image_tags": list(row.image_tags),
        "packages": row.packages.split(",") if row.packages else [],
        "active": row.active,
        "default": row.is_default,
        **_strategies(row),
    }


def _strategies(row: DatastoreVersion) -> dict[str, str]:
    # What an operator has stored is shown and means nothing; what handles the engine is its plugin.
    return {"registry_ext": row.registry_ext or row.manager, "repl_strategy": row.repl_strategy or ""}
