# SPDX-License-Identifier: Apache-2.0
"""Configuration groups and parameters as clients know them."""

from typing import Any

from trove.api import microversions
from trove.api.request import ApiRequest
from trove.common import clock
from trove.datastores.parameters import Parameter
from trove.objects.configuration import ConfigurationRow, Revision


def summary(req: ApiRequest, row: ConfigurationRow) -> dict[str, Any]:
    """Return the short form, as in a list. It has every column that clients show, so that they need not ask for each
    group again."""
    shown = {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "created": clock.isoformat(row.created_at),
        "updated": clock.isoformat(row.updated_at),
        "datastore_version_id": row.datastore_version_id,
        "datastore_name": row.datastore_name,
        "datastore_version_name": row.version_name,
        "datastore_version_number": row.version_number,
    }
    if req.context.is_admin and req.version >= microversions.DETAILED:
        shown["tenant_id"] = row.project_id
    return shown


def detail(req: ApiRequest, row: ConfigurationRow) -> dict[str, Any]:
    """Return one group with its values."""
    return {**summary(req, row), "values": row.values, "instance_count": row.instance_count}


def revision(row: Revision) -> dict[str, Any]:
    """Return what the values of a group were at one time."""
    return {
        "revision": row.revision,
        "values": row.values,
        "user_id": row.user_id,
        "created": clock.isoformat(row.created_at),
    }


def parameter(row: Parameter, version_id: str) -> dict[str, Any]:
    """Return one parameter for whoever sets it. Of its bounds, those that clients expect as numbers are shown."""
    return _parameter(row, version_id, "min", "max")


def managed_parameter(row: Parameter, version_id: str) -> dict[str, Any]:
    """Return one parameter for operators, who know the bounds by other names."""
    return _parameter(row, version_id, "min_size", "max_size")


def _parameter(row: Parameter, version_id: str, low: str, high: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": row.name,
        "datastore_version_id": version_id,
        "restart_required": row.restart,
        "type": row.public_type,
    }
    if row.public_type in ("integer", "float"):
        bounds = {low: row.min, high: row.max}
        shown |= {name: value for name, value in bounds.items() if value is not None}
    return shown
