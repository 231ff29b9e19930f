# SPDX-License-Identifier: Apache-2.0
"""Schemas of clusters. The service makes none yet, so what it lists is empty."""

from typing import Any

from trove.api.schemas import atoms, instances

_TEXT = {"type": ["string", "null"], "maxLength": 255}
_NIC = dict.fromkeys(("network_id", "subnet_id", "ip_address", "net-id", "port-id", "v4-fixed-ip"), _TEXT)
_NICS = {
    "type": ["array", "null"],
    "items": atoms.document(_NIC, optional=tuple(_NIC), **atoms.TOLERANT),
    "maxItems": 100,
}
_MODULES = {
    "type": ["array", "null"],
    "items": atoms.document({"id": atoms.UUID}, **atoms.TOLERANT),
    "maxItems": 100,
}
#: Clients send a list of words or one.
_TYPE = {
    "anyOf": [atoms.NAME, {"type": "array", "items": atoms.NAME, "maxItems": 10}, {"type": "null"}],
    "x-message": "must be a word, or a list of words",
}
_MEMBER: dict[str, Any] = {
    "flavorRef": instances.FLAVOR_REFERENCE,
    "volume": instances.VOLUME_OR_NULL,
    "name": atoms.NULLABLE_NAME,
    "nics": _NICS,
    "availability_zone": atoms.NULLABLE_NAME,
    "region_name": atoms.NULLABLE_NAME,
    "modules": _MODULES,
    "type": _TYPE,
    "instance_type": _TYPE,
    "related_to": atoms.NULLABLE_NAME,
}
_MEMBERS = {
    "type": "array",
    "items": atoms.document(_MEMBER, optional=tuple(name for name in _MEMBER if name != "flavorRef"), **atoms.TOLERANT),
    "minItems": 1,
    "maxItems": 100,
}
_COUNT = {"type": ["integer", "string", "null"], "minimum": 0}
_EXTENDED = {
    "num_configsvr": _COUNT,
    "num_mongos": _COUNT,
    "configsvr_volume_size": _COUNT,
    "configsvr_volume_type": atoms.NULLABLE_NAME,
    "mongos_volume_size": _COUNT,
    "mongos_volume_type": atoms.NULLABLE_NAME,
}
_CLUSTER = {
    "name": atoms.NAME,
    "datastore": atoms.document({"type": atoms.NAME, "version": atoms.NAME}, **atoms.TOLERANT),
    "instances": _MEMBERS,
    "locality": {"enum": ["affinity", "anti-affinity", None]},
    "configuration": atoms.NULLABLE_UUID,
    "extended_properties": atoms.document(_EXTENDED, optional=tuple(_EXTENDED), **atoms.TOLERANT),
}
_OPTIONAL = ("instances", "locality", "configuration", "extended_properties")

SCHEMAS = {
    "cluster.create": atoms.document(
        {"cluster": atoms.document(_CLUSTER, optional=_OPTIONAL, **atoms.TOLERANT)}, **atoms.TOLERANT
    ),
    "cluster.action": {
        "type": "object",
        "properties": {
            "grow": _MEMBERS,
            "shrink": {
                "type": "array",
                "items": atoms.document({"id": atoms.UUID}, **atoms.TOLERANT),
                "minItems": 1,
                "maxItems": 100,
            },
            "add_shard": atoms.EMPTY,
            "restart": atoms.EMPTY,
            "upgrade": atoms.document({"datastore_version": atoms.NAME}),
            "configuration_attach": atoms.document({"configuration_id": atoms.UUID}),
            "configuration_detach": atoms.EMPTY,
            "reset-status": {
                "type": ["object", "null"],
                "properties": {"force_delete": {}},
                "additionalProperties": False,
                **atoms.TOLERANT,
            },
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    },
    "clusters": atoms.empty_collection("clusters"),
    "mgmt.cluster.query": atoms.query({"deleted": atoms.BOOLEAN, "limit": atoms.LIMIT, "marker": atoms.MARKER}),
    "mgmt.cluster.action": atoms.document({"reset-task": atoms.EMPTY}),
}
