# SPDX-License-Identifier: Apache-2.0
"""Schemas of datastores and their versions."""

from trove.api.schemas import atoms

_NESTED = {
    "id": atoms.UUID,
    "name": {"type": "string"},
    "version": {"type": "string"},
    "links": atoms.LINKS,
    "active": {"type": "boolean"},
    "packages": {"type": ["string", "null"]},
    "image": {"type": ["string", "null"]},
    "image_tags": {"type": "array", "items": {"type": "string"}},
    "registry_ext": {"type": "string"},
    "repl_strategy": {"type": "string"},
}
_ADMIN = ("active", "packages", "image", "image_tags", "registry_ext", "repl_strategy")

_VERSION = atoms.document({**_NESTED, "datastore": atoms.UUID}, optional=_ADMIN)
_DATASTORE = atoms.document(
    {
        "id": atoms.UUID,
        "name": {"type": "string"},
        "links": atoms.LINKS,
        "versions": {"type": "array", "items": atoms.document(_NESTED, optional=_ADMIN)},
        "default_version": atoms.UUID,
    },
    optional=("default_version",),
)

SCHEMAS = {
    "datastores": atoms.collection("datastores", _DATASTORE),
    "datastore": atoms.document({"datastore": _DATASTORE}),
    "datastore_versions": atoms.collection("versions", _VERSION),
    "datastore_version": atoms.document({"version": _VERSION}),
}
