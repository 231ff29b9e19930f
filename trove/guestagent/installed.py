# SPDX-License-Identifier: Apache-2.0
"""What is installed beside the agent: the entry point of its datastore, and its own version.

:mod:`importlib.metadata` knows all this, and costs every guest 2 MiB for good: it loads zip, CSV and compression
modules and parses what all packages of the environment declare. Nearly always the answer lies in a plain
``entry_points.txt`` beside a package (`entry points specification`_), so that is read first; the library is asked for
what is installed in another way.

.. _entry points specification: https://packaging.python.org/en/latest/specifications/entry-points/
"""

import functools
import glob
import importlib
import os
import re
import sys
from collections.abc import Iterator
from typing import Any


def load(group: str, name: str) -> Any:
    """Import and return what the first package on ``sys.path`` registered as ``name`` in ``group``.

    :raises LookupError: when none did.
    :raises ImportError: when it cannot be imported.
    """
    target = _declared(group, name) or _asked(group, name)
    if target is None:
        raise LookupError(f"no '{name}' in the entry-point group '{group}'")
    module, _, attributes = target.partition(":")
    found: Any = importlib.import_module(module.strip())
    try:
        for attribute in attributes.strip().split("."):
            found = getattr(found, attribute)
    except AttributeError as err:
        raise ImportError(f"the entry point '{name}' names '{target}', which is not there") from err
    return found


def names(group: str, *, within: str) -> list[str]:
    """Return the names that plainly installed packages registered in ``group`` for modules that begin with
    ``within``."""
    return [name for name, target in _all_declared(group, tuple(sys.path)).items() if target.startswith(within)]


@functools.cache
def agent_version() -> str:
    """Return the version of the installed package, ``0`` when it runs from a source tree that is not installed."""
    for directory in _metadata_directories("trove-*"):
        if found := re.fullmatch(r"trove-([0-9][^-]*)\.dist-info", os.path.basename(directory)):
            return found.group(1)
    return "0"


def _metadata_directories(pattern: str) -> Iterator[str]:
    for directory in sys.path:
        for kind in ("dist-info", "egg-info"):
            yield from sorted(glob.glob(os.path.join(glob.escape(directory or "."), f"{pattern}.{kind}")))


def _declared(group: str, name: str) -> str | None:
    return _all_declared(group, tuple(sys.path)).get(name)


@functools.cache
def _all_declared(group: str, _search_path: tuple[str, ...]) -> dict[str, str]:
    """Return ``{name: object reference}`` of a group; the first package on ``sys.path`` wins."""
    found: dict[str, str] = {}
    for directory in _metadata_directories("*"):
        try:
            with open(os.path.join(directory, "entry_points.txt"), encoding="utf-8") as stream:
                text = stream.read()
        except OSError:
            continue
        if group in text:
            found = {**_parse(text, group), **found}
    return found


def _parse(text: str, group: str) -> dict[str, str]:
    """Return the object references in ``[group]``, without extras."""
    found: dict[str, str] = {}
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == group and not line.startswith(("#", ";")):
            key, equals, value = line.partition("=")
            if equals:
                found.setdefault(key.strip(), value.partition("[")[0].strip())
    return found


def _asked(group: str, name: str) -> str | None:
    from importlib import metadata

    for entry_point in metadata.entry_points(group=group, name=name):
        return entry_point.value.partition("[")[0].strip()
    return None
