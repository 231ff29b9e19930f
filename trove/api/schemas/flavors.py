# SPDX-License-Identifier: Apache-2.0
"""Schemas of flavors."""

from trove.api.schemas import atoms

_SIZE = {"type": "integer", "minimum": 0}
_FLAVOR = atoms.document(
    {
        "id": {"type": ["integer", "null"]},
        "str_id": {"type": "string"},
        "name": {"type": "string"},
        "ram": _SIZE,
        "vcpus": _SIZE,
        "disk": _SIZE,
        "ephemeral": _SIZE,
        "links": atoms.LINKS,
    }
)

SCHEMAS = {
    "flavors": atoms.collection("flavors", _FLAVOR),
    "flavor": atoms.document({"flavor": _FLAVOR}),
}
