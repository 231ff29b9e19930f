# SPDX-License-Identifier: Apache-2.0
"""Schemas of configuration groups and of the parameters that they may set."""

from typing import Any

from trove.api.schemas import atoms

#: Objects that 1.0 clients may decorate with members the service does not know.
_TOLERANT: dict[str, Any] = {"x-ignore-unknown-until": "1.1"}

_DESCRIPTION = {"type": ["string", "null"], "maxLength": 1024}
#: What a value may be depends on its parameter; the engine's rules judge it, and answer 422.
_VALUES = {
    "type": "object",
    "maxProperties": 2000,
    "propertyNames": {"minLength": 1, "maxLength": 128},
    "additionalProperties": {"type": ["string", "number", "boolean", "null", "array", "object"]},
}
_DATASTORE = atoms.document(
    {"type": atoms.NAME, "version": atoms.NULLABLE_NAME, "version_number": atoms.NULLABLE_NAME},
    optional=("type", "version", "version_number"),
    **_TOLERANT,
)
_CREATE = {"name": atoms.NAME, "values": _VALUES, "description": _DESCRIPTION, "datastore": _DATASTORE}
_UPDATE = {"name": atoms.NAME, "values": _VALUES, "description": _DESCRIPTION}


def _body(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    inner = atoms.document(properties, optional=optional, **_TOLERANT)
    return atoms.document({"configuration": inner}, **_TOLERANT)


_ITEM = {
    "id": atoms.UUID,
    "name": {"type": "string"},
    "description": {"type": ["string", "null"]},
    "created": atoms.TIMESTAMP,
    "updated": atoms.TIMESTAMP,
    "datastore_version_id": atoms.UUID,
    "datastore_name": {"type": "string"},
    "datastore_version_name": {"type": "string"},
    "datastore_version_number": {"type": "string"},
    "tenant_id": {"type": "string"},
}
_SHOWN_VALUES = {
    "type": "object",
    "additionalProperties": {"type": ["string", "integer", "number", "boolean"]},
}
_GROUP = atoms.document(
    {**_ITEM, "values": _SHOWN_VALUES, "instance_count": {"type": "integer", "minimum": 0}}, optional=("tenant_id",)
)
_INSTANCE = atoms.document({"id": atoms.UUID, "name": {"type": "string"}})
_REVISION = atoms.document(
    {
        "revision": {"type": "integer", "minimum": 1},
        "values": _SHOWN_VALUES,
        "user_id": {"type": ["string", "null"]},
        "created": atoms.TIMESTAMP,
    }
)

_PARAMETER = {
    "name": {"type": "string"},
    "datastore_version_id": atoms.UUID,
    "restart_required": {"type": "boolean"},
    "type": {"enum": ["integer", "float", "boolean", "string"]},
}
_BOUND = {"type": "number"}
_SHOWN_PARAMETER = atoms.document({**_PARAMETER, "min": _BOUND, "max": _BOUND}, optional=("min", "max"))
_MANAGED_PARAMETER = atoms.document(
    {**_PARAMETER, "min_size": _BOUND, "max_size": _BOUND}, optional=("min_size", "max_size")
)
_SIZE = {"type": ["number", "null"], "minimum": -(2**63), "maximum": 2**64 - 1}
_RULE = atoms.document(
    {
        "name": {
            "type": "string",
            "maxLength": 128,
            "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.:-]*$",
            "x-message": "must have 1 to 128 letters, digits, or any of _ . : -",
        },
        "data_type": {
            "type": "string",
            "maxLength": 64,
            "pattern": "integer|string|boolean|float",
            "x-message": "must be integer, float, boolean or string",
        },
        "restart_required": atoms.BOOL_INT,
        "max_size": _SIZE,
        "min_size": _SIZE,
        "max": _SIZE,
        "min": _SIZE,
    },
    optional=("max_size", "min_size", "max", "min"),
    **_TOLERANT,
)

SCHEMAS = {
    "configuration.create": _body(_CREATE, "description", "datastore"),
    "configuration.update": _body(_UPDATE, "name", "values", "description"),
    "configuration.edit": _body({"values": _VALUES}),
    "configurations": atoms.collection("configurations", atoms.document(_ITEM, optional=("tenant_id",)), paged=True),
    "configuration": atoms.document({"configuration": _GROUP}),
    "configuration.instances": atoms.collection("instances", _INSTANCE, paged=True),
    "configuration.history": atoms.collection("history", _REVISION, paged=True),
    "configuration.default": atoms.document({"instance": atoms.document({"configuration": _SHOWN_VALUES})}),
    "parameters": atoms.collection("configuration-parameters", _SHOWN_PARAMETER),
    "parameter": _SHOWN_PARAMETER,
    "mgmt.parameters": atoms.collection("configuration-parameters", _MANAGED_PARAMETER),
    "mgmt.parameter": _MANAGED_PARAMETER,
    "mgmt.parameter.rule": atoms.document({"configuration-parameter": _RULE}, **_TOLERANT),
}
