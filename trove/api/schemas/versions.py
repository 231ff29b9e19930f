# SPDX-License-Identifier: Apache-2.0
"""Schemas of discovery."""

from trove.api.schemas import atoms

_VERSION = atoms.document(
    {
        "id": {"type": "string"},
        "status": {"enum": ["CURRENT", "SUPPORTED", "DEPRECATED"]},
        "updated": {"type": "string"},
        "min_version": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+$"},
        "version": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+$"},
        "links": {
            "type": "array",
            "items": atoms.document({"rel": {"const": "self"}, "href": {"type": "string"}}),
            "minItems": 1,
            "maxItems": 1,
        },
    }
)

SCHEMAS = {
    "versions": atoms.document({"versions": {"type": "array", "items": _VERSION, "minItems": 1}}),
    "version": atoms.document({"version": _VERSION}),
    "openapi": {
        "type": "object",
        "properties": {"openapi": {"type": "string"}, "info": {"type": "object"}, "paths": {"type": "object"}},
        "required": ["openapi", "info", "paths"],
    },
}
