# SPDX-License-Identifier: Apache-2.0
"""Schemas that belong to no single noun."""

from trove.api import errors
from trove.api.schemas import atoms

_FAULT = atoms.document(
    {
        "code": {"type": "integer", "minimum": 400, "maximum": 599},
        "message": {"type": "string", "minLength": 1},
        "details": {"type": "string"},
        "retryAfter": {"type": "string", "pattern": "^[0-9]+$"},
        "symbol": {"type": "string", "pattern": "^[a-z0-9_]+(\\.[a-z0-9_]+)+$"},
    },
    optional=("details", "retryAfter", "symbol"),
)

SCHEMAS = {
    "page": atoms.query({"limit": atoms.LIMIT, "marker": atoms.MARKER}),
    "error": {
        "type": "object",
        "properties": dict.fromkeys((*errors.KEYS.values(), errors.UNCAUGHT_KEY), _FAULT),
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    },
}
