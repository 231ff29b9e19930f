# SPDX-License-Identifier: Apache-2.0
"""Schemas of instances as operators see them, and of what they do to them."""

from typing import Any

from trove.api.schemas import atoms, instances

_HOST = {
    "type": ["string", "null"],
    "minLength": 1,
    "maxLength": 255,
    "x-message": "must be the name of a host, with 1 to 255 characters",
}

_SERVER = {
    "anyOf": [
        {"type": "null"},
        atoms.document(
            {
                "id": {"type": "string"},
                "name": {"type": "string"},
                "tenant_id": {"type": "string"},
                "addresses": {"type": "array", "items": instances.ADDRESS},
            },
            optional=("addresses",),
        ),
    ]
}

#: What operators see of an instance in a list, beyond its details.
_MORE: dict[str, Any] = {
    "status": {"enum": [*instances.STATUSES, "DELETED"]},
    "tenant_id": {"type": "string"},
    "server": _SERVER,
    "server_id": {"type": ["string", "null"]},
    "volume_id": {"type": ["string", "null"]},
    "encrypted_rpc_messaging": atoms.BOOLEAN,
    "service_status": {"type": "string"},
    "task_description": {"type": "string"},
    "deleted": atoms.BOOLEAN,
    "deleted_at": {"anyOf": [atoms.TIMESTAMP, {"type": "null"}]},
}
_TEXT_OR_NULL = {"type": ["string", "null"]}
#: From 1.3 on.
_PLACEMENT = {
    "anyOf": [
        {"type": "null"},
        atoms.document({"provider": {"type": "string"}, "host": _TEXT_OR_NULL, "zone": _TEXT_OR_NULL}),
    ]
}
_NUMBER = {"type": "number", "minimum": 0}
_VOLUME = atoms.document(
    {
        "size": {"type": "integer"},
        "id": {"type": ["string", "null"]},
        "used": _NUMBER,
        "used_percent": _NUMBER,
        "wal_size": _NUMBER,
        "total": _NUMBER,
    },
    optional=("used", "used_percent", "wal_size", "total"),
)


def _view(**properties: Any) -> dict[str, Any]:
    detail = instances.DETAIL
    required = [name for name in detail["required"] if name not in _MORE]
    return {
        **detail,
        "properties": {**detail["properties"], **_MORE, "placement": _PLACEMENT, **properties},
        "required": [*required, *_MORE],
    }


_IN_LIST = _view()
_SHOWN = _view(
    volume=_VOLUME,
    guest_status=atoms.document({"state_description": {"type": "string"}}),
    root_enabled=atoms.TIMESTAMP,
    root_enabled_by={"type": ["string", "null"]},
)

SCHEMAS = {
    "mgmt.instance.query": atoms.query(
        {
            "limit": atoms.LIMIT,
            "marker": atoms.MARKER,
            "include_clustered": atoms.BOOLEAN,
            "deleted": atoms.BOOLEAN,
            "project_id": {"type": "string", "minLength": 1, "maxLength": 255},
        }
    ),
    "mgmt.instance.action": {
        "type": "object",
        "properties": {
            "stop": atoms.EMPTY,
            "reboot": atoms.EMPTY,
            "migrate": atoms.document({"host": _HOST}, optional=("host",), type=["object", "null"]),
            "reset-task-status": atoms.EMPTY,
            "rebuild": atoms.document({"image_id": atoms.UUID}),
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    },
    "mgmt.instances": atoms.collection("instances", _IN_LIST, paged=True),
    "mgmt.instance": atoms.document({"instance": _SHOWN}),
    "mgmt.root_history": atoms.document(
        {
            "root_history": atoms.document(
                {
                    "id": atoms.UUID,
                    "enabled": {"anyOf": [atoms.TIMESTAMP, {"const": "Never"}]},
                    "user": {"type": "string"},
                    "created": {"anyOf": [atoms.TIMESTAMP, {"const": "Never"}]},
                }
            )
        }
    ),
}
