# SPDX-License-Identifier: Apache-2.0
"""How ``trove-manage`` shows rows, to people and to programs."""

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from trove.common import clock, printable


def text(value: Any) -> str:
    """Return one value for people: ``-`` for nothing, moments as in the API."""
    if value is None:
        return "-"
    if isinstance(value, datetime.datetime):
        return clock.isoformat(value)
    return json.dumps(value) if isinstance(value, dict) else str(value)


def as_json(value: Any) -> str:
    """Return ``value`` as JSON, moments as in the API."""
    return json.dumps(value, default=text, indent=2)


def table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return ``rows`` as lines below a heading; what was said by others cannot break a line."""
    lines = [list(columns), *([printable.one_line(text(row[name])) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
