# SPDX-License-Identifier: Apache-2.0
"""Volume types as clients know them."""

from typing import Any

from trove.objects.catalog import VolumeType


def volume_type(row: VolumeType) -> dict[str, Any]:
    """Return one volume type."""
    return {"id": row.id, "name": row.name, "is_public": row.is_public, "description": row.description}
