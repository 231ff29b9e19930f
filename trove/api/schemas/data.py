# SPDX-License-Identifier: Apache-2.0
"""Schemas of what is inside an instance: databases, users, access, root."""

from typing import Any

from trove.api.schemas import atoms, instances

_TOLERANT: dict[str, Any] = {"x-ignore-unknown-until": "1.1"}

_DATABASE = atoms.document(
    {"name": {"type": "string"}, "character_set": {"type": "string"}, "collate": {"type": "string"}},
    optional=("character_set", "collate"),
)
_ACCESS = {"type": "array", "items": atoms.document({"name": {"type": "string"}})}
_USER = atoms.document({"name": {"type": "string"}, "host": {"type": "string"}, "databases": _ACCESS})
_PASSWORD_CHANGE = atoms.document(
    {"name": atoms.NAME, "password": instances.PASSWORD, "host": instances.HOST}, optional=("host",), **_TOLERANT
)
_USER_CHANGE = {
    "type": "object",
    "properties": {
        "name": atoms.NULLABLE_NEW_NAME,
        "password": {"anyOf": [instances.PASSWORD, {"type": "null"}], "x-message": instances.PASSWORD["x-message"]},
        "host": instances.NEW_HOST,
    },
    "minProperties": 1,
    "additionalProperties": False,
    **_TOLERANT,
}

SCHEMAS = {
    "database.create": {
        "type": "object",
        "properties": {
            "databases": {"type": "array", "items": instances.DATABASE, "maxItems": 1000},
            # One at a time, as openstacksdk sends it.
            "database": instances.DATABASE,
        },
        "oneOf": [{"required": ["databases"]}, {"required": ["database"]}],
        "x-message": "must have either databases, a list, or database",
        "additionalProperties": False,
        **_TOLERANT,
    },
    "databases": atoms.collection("databases", _DATABASE, paged=True),
    "database": atoms.document({"database": _DATABASE}),
    "user.create": atoms.document(
        {
            "users": {
                # One at a time, as openstacksdk sends it.
                "if": {"type": "object"},
                "then": instances.USER,
                "else": {"type": "array", "items": instances.USER, "maxItems": 1000},
            }
        },
        **_TOLERANT,
    ),
    "user.update_all": atoms.document(
        {"users": {"type": "array", "items": _PASSWORD_CHANGE, "maxItems": 1000}}, **_TOLERANT
    ),
    "user.update": atoms.document({"user": _USER_CHANGE}, **_TOLERANT),
    "users": atoms.collection("users", _USER, paged=True),
    "user": atoms.document({"user": _USER}),
    "user_access": atoms.document({"databases": _ACCESS}),
    "user_access.update": atoms.document(
        {"databases": {"type": "array", "items": instances.DATABASE_NAME, "maxItems": 1000}}, **_TOLERANT
    ),
    "root": atoms.document({"rootEnabled": atoms.BOOLEAN}),
    "root.create": atoms.document(
        {"password": {"type": ["string", "null"], "maxLength": 255}}, optional=("password",), **_TOLERANT
    ),
    "root.created": atoms.document(
        {"user": atoms.document({"name": {"type": "string"}, "password": {"type": "string"}})}
    ),
}
