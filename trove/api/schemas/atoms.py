# SPDX-License-Identifier: Apache-2.0
"""Building blocks that schemas share. Plain dicts: the same object may stand in several schemas, and nobody changes
one."""

from typing import Any

from trove.api import links

Schema = dict[str, Any]

#: A string that names something: 1 to 255 characters, at least one of them a letter or a digit of any script. It is
#: taken as it was sent: what Unicode composes in two ways is two names, as it is for the engines.
NAME: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "pattern": r"[^\W_]",
    "x-message": {"pattern": "must have a letter or a digit among its characters"},
}
#: Name of something new inside a database server. Existing clients write it into a path as it is, where ``a/..`` would
#: be another place. The rule is for text only: of null, a pattern alone would hold.
NEW_NAME: Schema = {
    **NAME,
    "not": {"type": "string", "pattern": "/"},
    "x-message": {**NAME["x-message"], "not": "must not have a '/', which existing clients cannot write into a path"},
}
UUID: Schema = {
    "type": "string",
    "pattern": "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    "x-message": "must be a UUID",
}
#: Existing clients send 0 and 1 where they mean false and true; both are taken.
BOOL_INT: Schema = {"enum": [0, 1, False, True], "x-message": "must be true or false"}
BOOLEAN: Schema = {"type": "boolean"}

NULLABLE_NAME: Schema = {**NAME, "type": ["string", "null"]}
NULLABLE_NEW_NAME: Schema = {**NEW_NAME, "type": ["string", "null"]}
NULLABLE_UUID: Schema = {"anyOf": [UUID, {"type": "null"}], "x-message": UUID["x-message"]}
#: Of an object that 1.0 clients may decorate with members the service does not know.
TOLERANT: Schema = {"x-ignore-unknown-until": "1.1"}
#: What stands behind an action that needs to know nothing.
EMPTY: Schema = {"type": ["object", "null"], "properties": {}, "additionalProperties": False, **TOLERANT}

TIMESTAMP: Schema = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$"}
LINKS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"href": {"type": "string"}, "rel": {"enum": ["self", "bookmark"]}},
        "required": ["href", "rel"],
        "additionalProperties": False,
    },
    "minItems": 2,
    "maxItems": 2,
}
#: The ``links`` member of a collection that goes on.
NEXT_LINKS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"href": {"type": "string"}, "rel": {"const": "next"}},
        "required": ["href", "rel"],
        "additionalProperties": False,
    },
    "minItems": 1,
    "maxItems": 1,
}

LIMIT: Schema = {"type": "integer", "minimum": 1}
MARKER: Schema = {"type": "string", "maxLength": 1024}


def document(properties: Schema, *, optional: tuple[str, ...] = (), **more: Any) -> Schema:
    """Return the schema of an object with exactly ``properties``, all required but those in ``optional``."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False, **more}


def collection(name: str, item: Schema, *, paged: bool = False) -> Schema:
    """Return the schema of ``{name: [item, …]}``, with the links of a paged one."""
    properties: Schema = {name: {"type": "array", "items": item}}
    following = ("links", links.of_collection(name)) if paged else ()
    return document({**properties, **dict.fromkeys(following, NEXT_LINKS)}, optional=following)


def empty_collection(name: str) -> Schema:
    """Return the schema of ``{name: []}``: a list of what the service makes none of."""
    return document({name: {"type": "array", "maxItems": 0}})


def query(properties: Schema) -> Schema:
    """Return the schema of a query; every parameter may be left out."""
    return {"type": "object", "properties": properties, "additionalProperties": False, "x-ignore-unknown-until": "1.1"}
