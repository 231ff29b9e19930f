# SPDX-License-Identifier: Apache-2.0
"""JSON schemas (2020-12) of requests, queries and answers: one noun, one module, each with a ``SCHEMAS`` dict by
public name.

Rules, walked by a test: request and query schemas say ``additionalProperties: false`` at every object that lists
properties. Where the existing API ignores unknown members, the object carries ``"x-ignore-unknown-until": "1.1"``:
below that version it is relaxed. ``"x-message"`` replaces the generated reason of a failed ``pattern`` or ``anyOf``
by a sentence for people.
"""

import importlib
import pkgutil
from typing import Any

Schema = dict[str, Any]


def load() -> dict[str, Schema]:
    """Return all schemas of this package by name.

    :raises ValueError: when two modules use one name.
    """
    found: dict[str, Schema] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        for name, schema in getattr(importlib.import_module(f"{__name__}.{module}"), "SCHEMAS", {}).items():
            if name in found:
                raise ValueError(f"schema {name} is defined twice")
            found[name] = schema
    return found
