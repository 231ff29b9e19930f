# SPDX-License-Identifier: Apache-2.0
"""A digest of all that workflows in flight rely on, so that no change of a flow goes without a new version.

It covers kind, version, inputs, time limits, attempts and pivot, and the steps, in their order and grouping, with
whatever they were constructed with: the members of a step that is made of others, their time limits, the commands that
they make, what they keep of a reply (``reply``). Nothing of that is listed here: the attributes of a step are what it
was given. Not covered are the hooks at the end, of which nothing is stored, and the code of functions, which stand by
their names and what they were made with.
"""

import dataclasses
import enum
import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from trove.domain import operations
from trove.workflow.model import Flow

_HOOKS = ("on_success", "on_reverted", "on_parked")


def of(flow: Flow) -> str:
    """Return the digest of ``flow``, with its version before it.

    A test keeps the digests of all flows; when one changes, the flow needs a new version instead (and the old one stays
    registered).
    """
    text = json.dumps(describe(flow), sort_keys=True)
    return f"{flow.version}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def describe(flow: Flow) -> dict[str, Any]:
    """Return what the digest is made of, as JSON."""
    kind = operations.KINDS.get(flow.kind)
    inputs = kind.inputs if kind is not None and kind.version == flow.version else None
    own = {item.name: getattr(flow, item.name) for item in dataclasses.fields(flow) if item.name not in _HOOKS}
    described: dict[str, Any] = _plain({**own, "inputs": inputs})
    return described


def _plain(value: Any) -> Any:
    """Return ``value`` as JSON: functions by name and what they were made with, anything else by its attributes."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = [_plain(item) for item in value]
        return sorted(items, key=json.dumps) if isinstance(value, set | frozenset) else items
    if isinstance(value, functools.partial):
        return [_plain(value.func), _plain(value.args), _plain(value.keywords)]
    if isinstance(value, type):
        return value.__qualname__
    if callable(value) and hasattr(value, "__qualname__"):
        made_with = [_plain(cell.cell_contents) for cell in getattr(value, "__closure__", None) or ()]
        return [value.__qualname__, *made_with]
    return _attributes(value)


def _attributes(value: Any) -> dict[str, Any]:
    """Return what an object was constructed with. What was left out is not mentioned, so that a step may get another
    parameter without a new version of all flows that do not use it."""
    # A step's name is for life, its class is not.
    found = {"name": getattr(value, "name", type(value).__qualname__), "reply": getattr(value, "reply", None)}
    found |= {key.lstrip("_"): item for key, item in vars(value).items()}
    return {key: _plain(item) for key, item in found.items() if item is not None}
