# SPDX-License-Identifier: Apache-2.0
"""Validation by schema name: compiled once, all reasons at once, no values in the reasons.

A reason names the place and the rule (``instance.users[0].password is required``) and never repeats what was sent,
because what was sent may be a password. Names of members are shown, shortened.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
from jsonschema import validators as jsonschema_validators

from trove.api import microversions
from trove.common import exception

_MAX_REASONS = 20
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}\Z")

_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}

#: How to say that a rule is broken; ``{}`` is the rule's value.
_RULES = {
    "anyOf": "has none of the allowed forms",
    "const": "has a value that is not allowed",
    "enum": "must be one of {}",
    "exclusiveMinimum": "must be more than {}",
    "maximum": "must be at most {}",
    "maxItems": "must have at most {} items",
    "maxLength": "must have at most {} characters",
    "maxProperties": "must have at most {} members",
    "minimum": "must be at least {}",
    "minItems": "must have at least {} items",
    "minLength": "must have at least {} characters",
    "minProperties": "must have at least {} members",
    "not": "has a form that is not allowed",
    "oneOf": "has none, or more than one, of the allowed forms",
    "pattern": "does not match the pattern {}",
    "uniqueItems": "must not have equal items",
}


def _is_integer(checker: Any, value: object) -> bool:
    # JSON Schema lets 1.0 pass for an integer; handlers should not have to.
    return isinstance(value, int) and not isinstance(value, bool)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(_to_the_end(pattern))


def _to_the_end(pattern: str) -> str:
    # A schema's $ means the end; Python's also matches before a final newline.
    return pattern[:-1] + r"\Z" if pattern.endswith("$") and not pattern.endswith("\\$") else pattern


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield jsonschema.ValidationError("pattern")


_Validator = jsonschema_validators.extend(
    jsonschema.Draft202012Validator,
    validators={"pattern": _pattern},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


class Validators:
    """All schemas, compiled for the versions that read them differently. Immutable, shared by threads.

    That a schema is one is not looked at here, where it would cost every start a second: a test does.
    """

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = dict(schemas)
        self._strict: dict[str, Any] = {}
        self._relaxed: dict[str, Any] = {}
        for name, schema in schemas.items():
            self._strict[name] = _Validator(relaxed(schema, microversions.MAX))
            self._relaxed[name] = _Validator(relaxed(schema, microversions.MIN))

    def schema(self, name: str) -> Mapping[str, Any]:
        """Return the schema called ``name``, as it was written."""
        return self._schemas[name]

    def __contains__(self, name: str) -> bool:
        return name in self._schemas

    def check(self, name: str, value: Any, version: microversions.Version) -> None:
        """Check ``value``.

        :raises ValidationFailed: with every reason (at most twenty), in the order of the document.
        """
        validator = (self._strict if version >= microversions.STRICT else self._relaxed)[name]
        reasons: dict[str, None] = {}
        for error in validator.iter_errors(value):
            for reason in _reasons(error):
                reasons[reason] = None
            if len(reasons) >= _MAX_REASONS:
                break
        if reasons:
            raise exception.ValidationFailed(list(reasons)[:_MAX_REASONS])


def relaxed(schema: Any, version: microversions.Version) -> Any:
    """Return a copy of ``schema`` as it holds at ``version``: see ``x-ignore-unknown-until`` in
    :mod:`trove.api.schemas`."""
    if isinstance(schema, list):
        return [relaxed(item, version) for item in schema]
    if not isinstance(schema, dict):
        return schema
    until = schema.get("x-ignore-unknown-until")
    ignore = isinstance(until, str) and version < microversions.parse(until)
    return {
        key: relaxed(value, version) for key, value in schema.items() if not (ignore and key == "additionalProperties")
    }


def _reasons(error: jsonschema.ValidationError) -> Iterator[str]:
    path, rule, value = list(error.absolute_path), error.validator, error.validator_value
    if rule == "required":
        for name in value:
            if name not in error.instance:
                yield f"{place([*path, name])} is required"
    elif rule == "additionalProperties" and value is False:
        for name in error.instance:
            if name not in error.schema.get("properties", {}):
                yield f"{place([*path, name])} is not allowed"
    elif message := _message(error):
        yield f"{place(path)} {message}"
    elif rule == "type":
        kinds = [value] if isinstance(value, str) else value
        yield f"{place(path)} must be {' or '.join(_TYPES[kind] for kind in kinds)}"
    else:
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        yield f"{place(path)} {_RULES.get(str(rule), 'is not valid').format(shown)}"


def _message(error: jsonschema.ValidationError) -> str | None:
    """Return what the schema itself says when one of its rules is broken: a text for all, or one for some of them."""
    message = error.schema.get("x-message") if isinstance(error.schema, Mapping) else None
    return message.get(error.validator) if isinstance(message, Mapping) else message


def place(path: list[Any]) -> str:
    """Return a readable form of a place in a document: ``instance.users[0].name``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_NAME.match(part):
            text += f".{part}" if text else part
        else:
            text += f"[{part[:64]!a}]"
    return text or "body"
