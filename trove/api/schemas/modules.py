# SPDX-License-Identifier: Apache-2.0
"""Schemas of modules, and of the modules of instances."""

from typing import Any

from trove.api.schemas import atoms
from trove.api.schemas.instances import SHORT

_TYPE = {
    "type": "string",
    "minLength": 1,
    "maxLength": 64,
    "pattern": "^[A-Za-z0-9_]+$",
    "x-message": "must have 1 to 64 letters, digits or _",
}
#: As clients send them: Base64, which is a third longer. What they amount to is judged afterwards.
_CONTENTS = {"type": "string", "minLength": 1, "maxLength": 65536}
_MD5 = {"type": "string", "pattern": "^[0-9a-fA-F]{32}$", "x-message": "must be an MD5 digest, 32 hexadecimal digits"}
_DATASTORE = atoms.document(
    {"type": atoms.NULLABLE_NAME, "version": atoms.NULLABLE_NAME}, optional=("type", "version"), **atoms.TOLERANT
)
_SETTINGS: dict[str, Any] = {
    "description": {"type": ["string", "null"], "maxLength": 1024},
    "datastore": _DATASTORE,
    "auto_apply": atoms.BOOL_INT,
    "all_tenants": atoms.BOOL_INT,
    "visible": atoms.BOOL_INT,
    "live_update": atoms.BOOL_INT,
    "priority_apply": atoms.BOOL_INT,
    "full_access": atoms.BOOL_INT,
    "apply_order": {"type": "integer", "minimum": 0, "maximum": 9},
}
_CREATE = {"name": atoms.NAME, "module_type": _TYPE, "contents": _CONTENTS, **_SETTINGS}
_UPDATE = {
    "name": atoms.NAME,
    #: The type of a module is for life; clients send it along.
    "type": {"type": ["string", "null"], "maxLength": 255},
    "module_type": {"type": ["string", "null"], "maxLength": 255},
    "contents": _CONTENTS,
    "all_datastores": atoms.BOOL_INT,
    "all_datastore_versions": atoms.BOOL_INT,
    **_SETTINGS,
}
#: Modules that a request refers to.
REFERENCES: dict[str, Any] = {
    "type": "array",
    "items": atoms.document({"id": atoms.UUID}, **atoms.TOLERANT),
    "maxItems": 50,
}


def _body(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    return atoms.document({"module": atoms.document(properties, optional=optional, **atoms.TOLERANT)}, **atoms.TOLERANT)


_TEXT_OR_NULL = {"type": ["string", "null"]}
_SHOWN_MD5 = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_ITEM: dict[str, Any] = {
    "id": atoms.UUID,
    "name": {"type": "string"},
    "type": {"type": "string"},
    "description": _TEXT_OR_NULL,
    "tenant_id": _TEXT_OR_NULL,
    "tenant": {"type": "string"},
    "datastore_id": atoms.NULLABLE_UUID,
    "datastore": {"type": "string"},
    "datastore_version_id": atoms.NULLABLE_UUID,
    "datastore_version": {"type": "string"},
    "auto_apply": atoms.BOOLEAN,
    "priority_apply": atoms.BOOLEAN,
    "apply_order": {"type": "integer", "minimum": 0, "maximum": 9},
    "is_admin": atoms.BOOLEAN,
    "visible": atoms.BOOLEAN,
    "md5": _SHOWN_MD5,
    "created": atoms.TIMESTAMP,
    "updated": atoms.TIMESTAMP,
}
_CHANGED = {**_ITEM, "live_update": atoms.BOOLEAN}
_COUNT = {"type": "integer", "minimum": 0}
_USAGE = atoms.document(
    {
        "module_name": {"type": "string"},
        "module_id": atoms.UUID,
        "module_md5": _SHOWN_MD5,
        "instance_count": _COUNT,
        "current": atoms.BOOLEAN,
        "min_updated_date": atoms.TIMESTAMP,
        "max_updated_date": atoms.TIMESTAMP,
    }
)
_APPLIED = atoms.document(
    {
        "id": atoms.UUID,
        "name": {"type": "string"},
        "type": {"type": "string"},
        "datastore": {"type": "string"},
        "datastore_version": {"type": "string"},
        "tenant": {"type": "string"},
        "md5": _SHOWN_MD5,
        "status": {"enum": ["OK", "ERROR", "PENDING"]},
        "message": _TEXT_OR_NULL,
        "created": atoms.TIMESTAMP,
        "updated": atoms.TIMESTAMP,
        "removed": {"type": "null"},
        "auto_apply": atoms.BOOLEAN,
        "visible": atoms.BOOLEAN,
        "is_admin": atoms.BOOLEAN,
        "contents": {"type": "string"},
    },
    optional=("contents",),
)
_REAPPLY = {
    "md5": {"anyOf": [_MD5, {"type": "null"}], "x-message": _MD5["x-message"]},
    "include_clustered": atoms.BOOL_INT,
    "batch_size": {"type": ["integer", "null"], "minimum": 1, "maximum": 2**31 - 1},
    "batch_delay": {"type": ["integer", "null"], "minimum": 0, "maximum": 3600},
    "force": atoms.BOOL_INT,
}

SCHEMAS = {
    "module.query": atoms.query({"datastore": {"type": "string", "maxLength": 255}}),
    "module.create": _body(_CREATE, *_SETTINGS),
    "module.update": _body(_UPDATE, *_UPDATE),
    "modules": atoms.collection("modules", atoms.document(_ITEM)),
    "module.changed": atoms.document({"module": atoms.document(_CHANGED)}),
    "module": atoms.document({"module": atoms.document({**_CHANGED, "instance_count": _COUNT})}),
    "module.instances.query": atoms.query(
        {
            "limit": atoms.LIMIT,
            "marker": atoms.MARKER,
            "include_clustered": atoms.BOOLEAN,
            "count_only": atoms.BOOLEAN,
        }
    ),
    "module.instances": {
        "anyOf": [
            atoms.collection("instances", SHORT, paged=True),
            atoms.collection("instances", _USAGE),
        ]
    },
    "module.reapply": atoms.document(
        {"reapply": atoms.document(_REAPPLY, optional=tuple(_REAPPLY), **atoms.TOLERANT)}, **atoms.TOLERANT
    ),
    "instance_modules.query": atoms.query({"from_guest": atoms.BOOLEAN, "include_contents": atoms.BOOLEAN}),
    "instance_modules.apply": atoms.document({"modules": {**REFERENCES, "minItems": 1}}, **atoms.TOLERANT),
    "instance_modules": atoms.collection("modules", _APPLIED),
}
