# SPDX-License-Identifier: Apache-2.0
"""Schemas of quotas."""

from trove.api.schemas import atoms

#: No column holds more.
_MOST = 2**31 - 1
_LIMIT = {"type": "integer", "minimum": -1, "maximum": _MOST}

SCHEMAS = {
    # Which resources there are depends on the version, and on the datastores: the handler answers for unknown ones.
    "quotas.update": atoms.document(
        {
            "quotas": {
                "type": "object",
                "maxProperties": 1000,
                "additionalProperties": {**_LIMIT, "type": ["integer", "null"]},
            }
        }
    ),
    "quotas.updated": atoms.document({"quotas": {"type": "object", "additionalProperties": _LIMIT}}),
    "quotas": atoms.collection(
        "quotas",
        atoms.document(
            {
                "resource": {"type": "string"},
                "in_use": {"type": "integer", "minimum": 0},
                "reserved": {"type": "integer", "minimum": 0},
                "limit": _LIMIT,
            }
        ),
    ),
}
