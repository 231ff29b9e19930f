# SPDX-License-Identifier: Apache-2.0
"""Schemas of limits."""

from trove.api.schemas import atoms

_COUNT = {"type": "integer", "minimum": -1}
_ABSOLUTE = atoms.document(
    {
        "verb": {"const": "ABSOLUTE"},
        "max_instances": _COUNT,
        "max_ram": _COUNT,
        "max_backups": _COUNT,
        "max_volumes": _COUNT,
    }
)
_RATE = atoms.document(
    {
        "verb": {"enum": ["POST", "PUT", "DELETE", "GET"]},
        "uri": {"enum": ["*", "*/mgmt"]},
        "regex": {"enum": [".*", "^/mgmt"]},
        "value": {"type": "integer", "minimum": 1},
        "remaining": {"type": "integer", "minimum": 0},
        "unit": {"const": "MINUTE"},
        "nextAvailable": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"},
    }
)

SCHEMAS = {
    # The absolute block is the first element: clients take that one for it, whatever it says.
    "limits": atoms.document({"limits": {"type": "array", "items": {"oneOf": [_ABSOLUTE, _RATE]}, "minItems": 1}}),
}
