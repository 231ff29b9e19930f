# SPDX-License-Identifier: Apache-2.0
"""Schemas of instances and the actions on them."""

from typing import Any

from trove.api.schemas import atoms

#: Objects that 1.0 clients may decorate with members the service does not know.
_TOLERANT: dict[str, Any] = {"x-ignore-unknown-until": "1.1"}

_FLAVOR_ID: list[dict[str, Any]] = [
    {"type": "string", "minLength": 1, "maxLength": 1024},
    {"type": "integer", "minimum": 0},
]
FLAVOR_REFERENCE = {
    "anyOf": [
        *_FLAVOR_ID,
        # As an instance shows it.
        atoms.document({"id": {"anyOf": _FLAVOR_ID}}, **_TOLERANT),
    ],
    "x-message": "must be the id of a flavor",
}
_SIZE = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
        {"type": "string", "pattern": "^0{0,30}[1-9][0-9]{0,8}$"},
    ],
    "x-message": "must be a whole number of GB, at least 1",
}
_VOLUME = atoms.document({"size": _SIZE, "type": atoms.NULLABLE_NAME}, optional=("type",), **_TOLERANT)
VOLUME_OR_NULL = {**_VOLUME, "type": ["object", "null"]}

#: Members that a later release honours; a request that really uses one is refused with the capability it needs.
_ANY_OBJECT: dict[str, Any] = {"type": ["object", "null"]}

DATABASE = atoms.document(
    {"name": atoms.NEW_NAME, "character_set": atoms.NULLABLE_NAME, "collate": atoms.NULLABLE_NAME},
    optional=("character_set", "collate"),
    **_TOLERANT,
)
DATABASE_NAME = atoms.document({"name": atoms.NAME}, **_TOLERANT)
PASSWORD = {"type": "string", "minLength": 1, "maxLength": 255, "x-message": "must have 1 to 255 characters"}
HOST = {
    "type": ["string", "null"],
    "maxLength": 255,
    "pattern": "^[\\w%(-).:/-]*$",
    "x-message": "must be a host name, an address, or a pattern of them with % and _",
}
#: Of a new user: existing clients write the host into a path as it is, behind the name.
NEW_HOST = {
    **HOST,
    "not": atoms.NEW_NAME["not"],
    "x-message": {"pattern": HOST["x-message"], "not": atoms.NEW_NAME["x-message"]["not"]},
}
USER = atoms.document(
    {
        "name": atoms.NEW_NAME,
        "password": PASSWORD,
        "host": NEW_HOST,
        "databases": {"type": "array", "items": DATABASE_NAME, "maxItems": 1000, "uniqueItems": True},
    },
    optional=("host", "databases"),
    **_TOLERANT,
)
_CIDRS = {"type": "array", "items": {"type": "string", "maxLength": 64}, "maxItems": 1000}
_ACCESS = atoms.document(
    {"is_public": atoms.BOOLEAN, "allowed_cidrs": _CIDRS}, optional=("is_public", "allowed_cidrs"), **_TOLERANT
)
_DATASTORE = atoms.document(
    {"type": atoms.NAME, "version": atoms.NULLABLE_NAME, "version_number": atoms.NULLABLE_NAME},
    optional=("type", "version", "version_number"),
    **_TOLERANT,
)
_NULLABLE_UUID = {"anyOf": [atoms.UUID, {"type": "null"}], "x-message": "must be a UUID"}

_NIC = atoms.document(
    {
        "net-id": _NULLABLE_UUID,
        "network_id": _NULLABLE_UUID,
        "subnet_id": _NULLABLE_UUID,
        "ip_address": {"type": ["string", "null"], "maxLength": 64, "x-message": "must be an IP address"},
    },
    optional=("net-id", "network_id", "subnet_id", "ip_address"),
)

_CREATE = {
    "name": atoms.NAME,
    "flavorRef": FLAVOR_REFERENCE,
    "flavor": FLAVOR_REFERENCE,
    "volume": VOLUME_OR_NULL,
    "datastore": _DATASTORE,
    "databases": {"type": "array", "items": DATABASE, "maxItems": 1000},
    "users": {"type": "array", "items": USER, "maxItems": 1000},
    "availability_zone": atoms.NULLABLE_NAME,
    "region_name": atoms.NULLABLE_NAME,
    "access": _ACCESS,
    "configuration": _NULLABLE_UUID,
    "replica_of": _NULLABLE_UUID,
    "slave_of": _NULLABLE_UUID,
    "replica_count": {"type": ["integer", "null"], "minimum": 1, "maximum": 3},
    "nics": {"type": ["array", "null"], "items": _NIC, "maxItems": 1},
    "modules": {
        "type": ["array", "null"],
        "items": atoms.document({"id": atoms.UUID}, **_TOLERANT),
        "maxItems": 50,
    },
    "restorePoint": _ANY_OBJECT,
    "locality": {"enum": ["affinity", "soft-affinity", "anti-affinity", "soft-anti-affinity", None]},
}

_UPDATE = {
    "name": atoms.NAME,
    "configuration": _NULLABLE_UUID,
    "replica_of": {"type": ["string", "null"], "maxLength": 255},
    "datastore_version": atoms.NAME,
    "access": _ACCESS,
}
_EDIT = {
    **{k: v for k, v in _UPDATE.items() if k != "access"},
    "slave_of": {"type": ["string", "null"], "maxLength": 255},
}


def _change(properties: dict[str, Any]) -> dict[str, Any]:
    return atoms.document({"instance": atoms.document(properties, optional=tuple(properties))})


_EMPTY = {"type": ["object", "null"], "properties": {}, "additionalProperties": False, **_TOLERANT}
_RESIZE_VOLUME = atoms.document({"volume": {"anyOf": [_SIZE, _VOLUME], "x-message": "must be a size in GB"}})
_RESIZE_FLAVOR = atoms.document({"flavorRef": FLAVOR_REFERENCE})
_ACTION = {
    "type": "object",
    "properties": {
        "restart": _EMPTY,
        "resize": {
            "type": "object",
            "anyOf": [_RESIZE_VOLUME, _RESIZE_FLAVOR],
            "x-message": "must have either volume with a size in GB, or flavorRef",
        },
        "promote_to_replica_source": atoms.EMPTY,
        "eject_replica_source": atoms.EMPTY,
        "reset_status": {
            "type": ["object", "null"],
            "properties": {"force_delete": {}},
            "additionalProperties": False,
            **_TOLERANT,
        },
    },
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}

ADDRESS = atoms.document(
    {"address": {"type": "string"}, "type": {"enum": ["private", "public"]}, "network": {"type": "string"}},
    optional=("network",),
)
#: The words that an instance reads while it is there.
STATUSES = ["BUILD", "ACTIVE", "REBOOT", "RESIZE", "UPDATING", "RESTART_REQUIRED", "ERROR", "SHUTDOWN"]
_SUMMARY: dict[str, Any] = {
    "id": atoms.UUID,
    "name": {"type": "string"},
    "status": {"enum": STATUSES},
    "operating_status": {"type": "string"},
    "links": atoms.LINKS,
    "flavor": atoms.document({"id": {"type": "string"}, "links": atoms.LINKS}),
    "region": {"type": ["string", "null"]},
    "access": atoms.document(
        {"is_public": atoms.BOOLEAN, "allowed_cidrs": _CIDRS}, optional=("is_public", "allowed_cidrs")
    ),
    "tenant_id": {"type": "string"},
    "ip": {"type": "array", "items": {"type": "string"}},
    "addresses": {"type": "array", "items": ADDRESS},
    "hostname": {"type": "string"},
    "endpoints": {
        "type": "array",
        "items": atoms.document(
            {"address": {"type": "string"}, "port": {"type": "integer", "minimum": 1, "maximum": 65535}}
        ),
    },
}
_OPTIONAL_SUMMARY = ("tenant_id", "volume", "ip", "addresses", "hostname", "endpoints")
_STORED_IN = {"type": {"type": "string"}, "version": {"type": "string"}}
_NUMBER = {"type": "number", "minimum": 0}
_FAULT = atoms.document(
    {
        "message": {"type": "string"},
        "created": atoms.TIMESTAMP,
        "details": {"type": ["string", "null"]},
        "symbol": {"type": "string"},
    },
    optional=("symbol",),
)

SHORT = atoms.document(
    {
        **_SUMMARY,
        "datastore": atoms.document(_STORED_IN),
        "volume": atoms.document({"size": {"type": "integer"}}),
    },
    optional=_OPTIONAL_SUMMARY,
)
DETAIL = atoms.document(
    {
        **_SUMMARY,
        "datastore": atoms.document({**_STORED_IN, "version_number": {"type": "string"}}),
        "volume": atoms.document(
            {"size": {"type": "integer"}, "used": _NUMBER, "used_percent": _NUMBER, "wal_size": _NUMBER},
            optional=("used", "used_percent", "wal_size"),
        ),
        "created": atoms.TIMESTAMP,
        "updated": atoms.TIMESTAMP,
        "service_status_updated": atoms.TIMESTAMP,
        "service_status_reason": {"type": "string"},
        "locality": {"type": "string"},
        "fault": _FAULT,
        "configuration": atoms.document({"id": atoms.UUID, "name": {"type": "string"}, "links": atoms.LINKS}),
        "server_id": {"type": ["string", "null"]},
        "volume_id": {"type": ["string", "null"]},
        "encrypted_rpc_messaging": atoms.BOOLEAN,
    },
    optional=(
        *_OPTIONAL_SUMMARY,
        "service_status_reason",
        "locality",
        "fault",
        "configuration",
        "server_id",
        "volume_id",
        "encrypted_rpc_messaging",
    ),
)

SCHEMAS = {
    "instance.query": atoms.query(
        {
            "limit": atoms.LIMIT,
            "marker": atoms.MARKER,
            "include_clustered": atoms.BOOLEAN,
            "deleted": atoms.BOOLEAN,
        }
    ),
    "instance.create": atoms.document(
        {"instance": atoms.document(_CREATE, optional=tuple(k for k in _CREATE if k != "name"), **_TOLERANT)},
        **_TOLERANT,
    ),
    "instance.update": _change(_UPDATE),
    "instance.edit": _change(_EDIT),
    "instance.action": _ACTION,
    "instances": atoms.collection("instances", SHORT, paged=True),
    "instances.detail": atoms.collection("instances", DETAIL, paged=True),
    "instance": atoms.document({"instance": DETAIL}),
}
