# SPDX-License-Identifier: Apache-2.0
"""Quotas as clients know them."""

from typing import Any


def quota(resource: str, in_use: int, limit: int) -> dict[str, Any]:
    """Return one resource; -1 means no limit. What is being made counts as in use, so nothing is ever reserved."""
    return {"resource": resource, "in_use": in_use, "reserved": 0, "limit": limit}
