# SPDX-License-Identifier: Apache-2.0
"""Bodies that routes accept, derived from their schemas: the least that is allowed.

>>> least({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]})
{'name': 'sample'}
"""

import re
from collections.abc import Iterator
from typing import Any

#: Tried in turn where a schema has a pattern.
_TEXTS = ("sample", "1", "00000000-0000-4000-8000-000000000000", "10.0.0.0/8", "a:1", "")


class NoBody(Exception):
    """A schema is too much for this module; the text says where."""


def least(schema: Any, where: str = "$") -> Any:
    """Return a small value that fits ``schema``.

    :raises NoBody: when none is found.
    """
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf"):
        if choice in schema and "properties" not in schema:
            return least(schema[choice][0], where)
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = kinds if isinstance(kinds, str) else next(name for name in kinds if name != "null")
    if kind == "object":
        return dict(_members(schema, where))
    if kind == "array":
        return [least(schema.get("items", {}), f"{where}[]") for _ in range(schema.get("minItems", 0))]
    if kind == "string":
        return _text(schema, where)
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return {"boolean": True, "null": None}[kind]


def _members(schema: Any, where: str) -> Iterator[tuple[str, Any]]:
    properties = schema.get("properties", {})
    names = list(schema.get("required", ()))
    for choice in ("anyOf", "oneOf"):  # of the members that must be there
        names += [name for name in schema.get(choice, [{}])[0].get("required", ()) if name not in names]
    further = [name for name in properties if name not in names]
    names += further[: max(0, schema.get("minProperties", 0) - len(names))]
    for name in names:
        yield name, least(properties.get(name, {}), f"{where}.{name}")


def _text(schema: Any, where: str) -> str:
    pattern = re.compile(schema.get("pattern", ""))
    for text in _TEXTS:
        if schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", 255) and pattern.search(text):
            return text
    raise NoBody(f"{where}: no text fits {schema}")
