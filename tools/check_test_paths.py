#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Require that unit tests lie where the code they test lies.

``trove/tests/unit/PATH/test_NAME.py`` tests ``trove/PATH/NAME.py``, or the package of that name; ``NAME`` may have a
suffix when one module's tests are in several files (``test_store_leases.py`` for ``store.py``). Scripts in ``tools/``
are tested under ``unit/tools``. A test of something as a whole (all routes, all objects) says so in its first lines::

    # covers: trove/api/controllers

Every package of tests has an ``__init__.py``, without which the tests in it are not found.
"""

import pathlib
import re
import sys

_COVERS = re.compile(r"^# covers: (\S+)$", re.MULTILINE)
_HEAD_CHARACTERS = 2000
#: Unit tests below this folder mirror the folder given, instead of a package of trove.
_ELSEWHERE = {"tools": "tools"}


def candidates(folder: pathlib.Path, name: str) -> list[pathlib.Path]:
    """Return the paths that ``test_<name>.py`` may stand for, the most exact first."""
    words = name.split("_")
    stems = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    return [folder / stem for stem in stems]


def problem(root: pathlib.Path, test: pathlib.Path) -> str | None:
    """Return what is wrong with the place of ``test``, ``None`` if nothing is."""
    unit = root / "trove" / "tests" / "unit"
    relative = test.relative_to(unit)
    if not (test.parent / "__init__.py").exists():
        return f"{test.relative_to(root)}: its folder has no __init__.py, so it is never run"
    declared = _COVERS.search(test.read_text("utf-8")[:_HEAD_CHARACTERS])
    if declared:
        exists = (root / declared[1]).exists()
        return None if exists else f"{test.relative_to(root)}: covers {declared[1]}, which does not exist"
    top = relative.parts[0]
    folder = root / _ELSEWHERE[top] if top in _ELSEWHERE else root / "trove" / relative.parent
    for path in candidates(folder, test.stem.removeprefix("test_")):
        if path.with_suffix(".py").exists() or path.is_dir():
            return None
    return f"{test.relative_to(root)}: no module {folder.relative_to(root)}/{test.stem.removeprefix('test_')}.py"


def main(root: pathlib.Path) -> int:
    """Check all unit tests under ``root``; return the exit status."""
    tests = sorted((root / "trove" / "tests" / "unit").rglob("test_*.py"))
    found = [text for text in (problem(root, test) for test in tests) if text]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(__file__).resolve().parents[1]))
