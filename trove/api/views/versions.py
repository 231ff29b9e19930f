# SPDX-License-Identifier: Apache-2.0
"""The one version this API has, as clients discover it. ``min_version`` and ``version`` are the range of
microversions."""

from typing import Any

from trove.api import microversions


def entry(base_url: str) -> dict[str, Any]:
    """Return the description of v1.0."""
    return {
        "id": "v1.0",
        "status": "CURRENT",
        "updated": "2012-08-01T00:00:00Z",
        "min_version": str(microversions.MIN),
        "version": str(microversions.MAX),
        "links": [{"rel": "self", "href": f"{base_url}/v1.0/"}],
    }
