# SPDX-License-Identifier: Apache-2.0
"""Schemas of volume types."""

from trove.api.schemas import atoms

_VOLUME_TYPE = atoms.document(
    {
        "id": {"type": "string"},
        "name": {"type": "string"},
        "is_public": {"type": "boolean"},
        "description": {"type": ["string", "null"]},
    }
)

SCHEMAS = {
    "volume_types": atoms.collection("volume_types", _VOLUME_TYPE),
    "volume_type": atoms.document({"volume_type": _VOLUME_TYPE}),
}
