# SPDX-License-Identifier: Apache-2.0
"""Schemas of datastore versions as operators see, make and change them. Unknown members are refused at every version:
a misspelt one would silently leave something as it is."""

from typing import Any

from trove.api.schemas import atoms


def _name(longest: int) -> atoms.Schema:
    message = f"must have 1 to {longest} characters, among them a letter or a digit"
    return {**atoms.NAME, "maxLength": longest, "x-message": message}


_SETTINGS: dict[str, Any] = {
    "datastore_manager": _name(64),
    "packages": {"type": "array", "items": {"type": "string", "maxLength": 255}, "maxItems": 100},
    "image": atoms.UUID,
    "image_tags": {"type": "array", "items": _name(20), "maxItems": 5},
    "registry_ext": _name(255),
    "repl_strategy": _name(255),
    "active": atoms.BOOLEAN,
    "default": atoms.BOOLEAN,
    "name": _name(128),
}
_REQUIRED = ("name", "datastore_name", "datastore_manager", "active")
_NEW: dict[str, Any] = {**_SETTINGS, "datastore_name": _name(255), "version": _name(64)}

_VERSION = atoms.document(
    {
        "id": atoms.UUID,
        "name": {"type": "string"},
        "version": {"type": "string"},
        "datastore_id": atoms.UUID,
        "datastore_name": {"type": "string"},
        "datastore_manager": {"type": "string"},
        "image": {"type": ["string", "null"]},
        "image_tags": {"type": "array", "items": {"type": "string"}},
        "packages": {"type": "array", "items": {"type": "string"}},
        "active": atoms.BOOLEAN,
        "registry_ext": {"type": "string"},
        "repl_strategy": {"type": "string"},
        "default": atoms.BOOLEAN,
    }
)

SCHEMAS = {
    "mgmt_datastore_versions": atoms.collection("versions", _VERSION),
    "mgmt_datastore_version": atoms.document({"version": _VERSION}),
    "mgmt_datastore_version.create": atoms.document(
        {"version": atoms.document(_NEW, optional=tuple(name for name in _NEW if name not in _REQUIRED))}
    ),
    "mgmt_datastore_version.edit": atoms.document(_SETTINGS, optional=tuple(_SETTINGS)),
}
