# SPDX-License-Identifier: Apache-2.0
"""The REST reference as its pages have it: which calls it describes, with which words and samples."""

import pathlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SOURCE = pathlib.Path(__file__).resolve().parents[4] / "api-ref" / "source"

_METHOD = re.compile(r"^\.\. rest_method:: (\S+) (\S+)$", re.MULTILINE)
_TABLE = re.compile(r"^\.\. rest_parameters:: parameters\.yaml\n\n((?:   - .*\n)+)", re.MULTILINE)
_ROW = re.compile(r"^   - ([\w.-]+): (\w+)$", re.MULTILINE)
_SAMPLE = re.compile(r"^\.\. literalinclude:: samples/(\S+)$", re.MULTILINE)
_STATUS = re.compile(r"^Normal response code: (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """One call in the reference.

    :ivar request: word by name, as the table under *Request* has it: path, query, body and headers.
    :ivar response: the same under *Response*.
    """

    method: str
    path: str
    status: int
    request: Mapping[str, str]
    response: Mapping[str, str]
    samples: tuple[str, ...]


def entries() -> list[Entry]:
    """Return all calls that the pages describe."""
    return [entry for page in sorted(SOURCE.glob("*.inc")) for entry in _entries(page.read_text("utf-8"))]


def _entries(text: str) -> Iterator[Entry]:
    starts = [*_METHOD.finditer(text)]
    for found, following in zip(starts, [*starts[1:], None], strict=True):
        section = text[found.start() : following.start() if following else len(text)]
        request, _, response = section.partition("\nResponse\n--------\n")
        status = _STATUS.search(request)
        assert status is not None, found[0]
        samples = tuple(_SAMPLE.findall(section))
        yield Entry(found[1], found[2], int(status[1]), _table(request), _table(response), samples)


def _table(text: str) -> Mapping[str, str]:
    return {name: word for table in _TABLE.findall(text) for name, word in _ROW.findall(table)}


def members(schema: Any, prefix: str = "") -> Iterator[str]:
    """Yield the path of every member that a schema knows, such as ``instance.volume.size``; lists do not show, and
    links are not looked into."""
    if isinstance(schema, list):
        for item in schema:
            yield from members(item, prefix)
    elif isinstance(schema, dict):
        for name, item in schema.get("properties", {}).items():
            path = f"{prefix}.{name}" if prefix else name
            yield path
            if not name.endswith("links"):
                yield from members(item, path)
        for key in ("items", "anyOf", "oneOf", "allOf", "then", "else"):
            yield from members(schema.get(key), prefix)
