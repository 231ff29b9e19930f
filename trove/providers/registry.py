# SPDX-License-Identifier: Apache-2.0
"""Find a provider by its name.

A provider is a factory ``(conf) -> Provider`` in the entry-point group ``trove.providers``, so that a third party can
ship one in a package of its own. Only the chosen one is imported.
"""

import importlib
from importlib import metadata
from typing import Any

from trove.providers import base

GROUP = "trove.providers"


def names() -> list[str]:
    """Return the names of all installed providers, sorted."""
    return sorted({entry.name for entry in metadata.entry_points(group=GROUP)})


def load(name: str, conf: Any) -> base.Provider:
    """Make the provider ``name``.

    :raises base.FatalError: when no such provider is installed, two packages claim the name, or what the factory makes
        is not a provider. What the factory itself raises passes through.
    """
    entry = _find(name)
    provider = entry.load()(conf)
    if not isinstance(provider, base.Provider):
        raise base.FatalError(f"provider '{name}' ({entry.value}) lacks methods of the provider interface")
    return provider


def capabilities(name: str) -> frozenset[str]:
    """Return what the provider ``name`` can do wherever it runs, without making it: the constant ``CAPABILITIES`` of
    its module. An API process refuses on this ground what would come to nothing.

    :raises base.FatalError: when no such provider is installed, or two packages claim the name.
    """
    stated = getattr(importlib.import_module(_find(name).module), "CAPABILITIES", frozenset[base.Capability]())
    return frozenset(capability.value for capability in stated)


def only_network(name: str, conf: Any) -> str | None:
    """Return the id of the only network that the provider ``name`` has: what the function ``only_network`` of its
    module returns. ``None``: it has more of them, or none that a request could name.

    :raises base.FatalError: see :func:`capabilities`.
    """
    stated = getattr(importlib.import_module(_find(name).module), "only_network", None)
    return None if stated is None else str(stated(conf))


def _find(name: str) -> metadata.EntryPoint:
    found = list({entry.value: entry for entry in metadata.entry_points(group=GROUP, name=name)}.values())
    if not found:
        raise base.FatalError(f"no provider '{name}' is installed; there are: {', '.join(names()) or 'none'}")
    if len(found) > 1:
        raise base.FatalError(f"provider '{name}' is claimed by {' and '.join(sorted(entry.value for entry in found))}")
    return found[0]
