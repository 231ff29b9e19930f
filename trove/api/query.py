# SPDX-License-Identifier: Apache-2.0
"""Query parameters: text on the wire, typed for handlers.

The schema of a route's query says what each parameter is; integers and booleans are converted before it is applied,
booleans in the spellings that clients use (``True``, ``false``, ``1``). Unknown parameters are ignored at 1.0 and
refused from 1.1, and always where something is deleted: an existing client that deletes the database ``a?b`` asks for
the deletion of ``a``, with a query.
"""

import re
from typing import Any
from urllib.parse import parse_qsl

from trove.api import microversions
from trove.api.validation import Validators
from trove.common import exception

_INTEGER = re.compile(r"-?[0-9]{1,18}\Z")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_MAX_PARAMETERS = 64


def parse(
    text: str, name: str | None, version: microversions.Version, validators: Validators, *, strict: bool = False
) -> dict[str, Any]:
    """Return the typed parameters of query string ``text``.

    :param name: the query's schema; ``None`` when the route knows no parameters.
    :param strict: refuse unknown parameters at 1.0 too.
    :raises BadRequest: when the text is not UTF-8, holds a NUL, or gives a parameter more than once.
    :raises ValidationFailed: when a value does not fit, or an unknown parameter is refused.
    """
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS)
    except UnicodeDecodeError:
        raise exception.BadRequest("The query is not valid UTF-8.") from None
    except ValueError:
        raise exception.BadRequest(f"The query has more than {_MAX_PARAMETERS} parameters.") from None
    properties = validators.schema(name)["properties"] if name else {}
    found: dict[str, Any] = {}
    unknown = []
    for key, value in pairs:
        if key not in properties:
            unknown.append(key)
        elif key in found:
            raise exception.BadRequest(f"The query parameter {key} is given more than once.")
        elif "\0" in value:
            raise exception.BadRequest(f"The query parameter {key} holds a NUL character.")
        else:
            found[key] = _convert(value, properties[key].get("type"))
    if unknown and (strict or version >= microversions.STRICT):
        raise exception.ValidationFailed([f"query parameter {shown(key)} is not known" for key in unknown[:10]])
    if name and found:
        validators.check(name, found, version)
    return found


def shown(name: str) -> str:
    """Return a name from outside in a form that can stand in a message."""
    return ascii(name[:64])


def _convert(value: str, kind: Any) -> Any:
    if kind == "integer" and _INTEGER.match(value):
        return int(value)
    if kind == "boolean":
        return _BOOLEANS.get(value.lower(), value)
    return value
