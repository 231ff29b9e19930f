# SPDX-License-Identifier: Apache-2.0
"""Flavors as clients know them."""

from typing import Any

from trove.api import links
from trove.objects.catalog import Flavor


def flavor(row: Flavor, base_url: str, project_id: str) -> dict[str, Any]:
    """Return one flavor. ``id`` is a number, or null when the flavor's id is none; ``str_id`` is always the id."""
    return {
        "id": _number(row.id),
        "str_id": row.id,
        "name": row.name,
        "ram": row.ram_mib,
        "vcpus": row.vcpus,
        "disk": row.disk_gib,
        "ephemeral": row.ephemeral_gib,
        "links": links.resource(base_url, project_id, "flavors", row.id),
    }


def _number(flavor_id: str) -> int | None:
    # Only what reads the same both ways and fits every client's integer type: '007' is not 7.
    plain = flavor_id.isascii() and flavor_id.isdigit() and len(flavor_id) <= 18
    return int(flavor_id) if plain and str(int(flavor_id)) == flavor_id else None
