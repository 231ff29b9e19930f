# SPDX-License-Identifier: Apache-2.0
"""Request bodies: from bytes to JSON values, strictly.

What is refused here can do no harm later: bodies over the size limit (413), other media types (415), and as 400
everything that different JSON readers understand differently or that no database stores: bad UTF-8, NaN and
infinities, a key with two values, absurd nesting or numbers, NUL characters and lone surrogates in strings.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from trove.common import exception

#: Deeper than any document of this API by far.
MAX_DEPTH = 32

#: A string that does not end goes to the end of the body: looking for another one behind each of its quotes would take
#: time in proportion to the square of the length.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


def read(environ: Mapping[str, Any], max_size: int) -> bytes:
    """Return the body of a WSGI request; empty when there is none.

    :raises RequestTooLarge: when it has more than ``max_size`` bytes; at most one byte more is read.
    :raises BadRequest: when the stated length is no number, or the client sent less, or the server cannot tell where
        a body of unstated length ends (PEP 3333 has no word for it; those that can, set ``wsgi.input_terminated``).
    """
    stream = environ["wsgi.input"]
    stated = environ.get("CONTENT_LENGTH")
    if not stated:
        if "chunked" not in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            return b""
        if not environ.get("wsgi.input_terminated"):
            raise exception.BadRequest("The request body must have its length stated in a header Content-Length.")
        data: bytes = stream.read(max_size + 1)
        if len(data) > max_size:
            raise too_large(max_size)
        return data
    if not (stated.isascii() and stated.isdigit()):
        raise exception.BadRequest("The header Content-Length is not a number.")
    # A number of more than 18 digits is too large, and int() would refuse a really long one.
    if len(stated) > 18 or int(stated) > max_size:
        raise too_large(max_size)
    data = stream.read(int(stated))
    if len(data) < int(stated):
        raise exception.BadRequest("The request body is shorter than the header Content-Length says.")
    return data


def too_large(max_size: int) -> exception.RequestTooLarge:
    """Return the error for a body over ``max_size`` bytes."""
    return exception.RequestTooLarge(f"The request body is too large; at most {max_size} bytes are accepted.")


def check_media_type(environ: Mapping[str, Any]) -> None:
    """Accept ``application/json`` with any parameters.

    :raises UnsupportedMediaType: for everything else, a missing type included: a browser can be made to send that
        across sites.
    """
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        raise exception.UnsupportedMediaType


def parse(data: bytes) -> Any:
    """Return the JSON value that ``data`` holds.

    :raises BadRequest: see the module.
    """
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _depth(data) > MAX_DEPTH:
        raise exception.BadRequest(f"The request body is nested deeper than {MAX_DEPTH} levels.")
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant, parse_float=_float
        )
    except exception.BadRequest:
        raise
    except UnicodeDecodeError:
        raise exception.BadRequest("The request body is not valid UTF-8.") from None
    except (ValueError, RecursionError):
        raise exception.BadRequest("The request body is not valid JSON.") from None
    if b"\\u" in data or b"\0" in data:
        _check_strings(value)
    return value


def _depth(data: bytes) -> int:
    depth = deepest = 0
    for byte in _STRING.sub(b"", data):
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        for key, item in pairs:
            # As text, because 1, 1.0 and True are equal to Python.
            if item is not value[key] and json.dumps(item) != json.dumps(value[key]):
                raise exception.BadRequest(
                    f"The request body holds an object with two different values of the key {key[:64]!a}."
                )
    return value


def _constant(text: str) -> Any:
    raise exception.BadRequest(f"The request body holds {text}, which is not JSON.")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise exception.BadRequest("The request body holds a number that is too large.")
    return value


def _check_strings(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise exception.BadRequest(
                "The request body holds a NUL character or half a surrogate pair, which cannot be stored."
            )
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_strings(key)
            _check_strings(item)
    elif isinstance(value, list):
        for item in value:
            _check_strings(item)
