#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Require that unit tests lie where the code they test lies, and that every module with a decision in it has a test.

``trove/tests/unit/PATH/test_NAME.py`` tests ``trove/PATH/NAME.py``, or the package of that name; ``NAME`` may have a
suffix when one module's tests are in several files (``test_store_leases.py`` for ``store.py``). Scripts in ``tools/``
are tested under ``unit/tools``. A test of any part that tests something else, or something as a whole (all routes, all
migrations), says so in its first lines::

    # covers: trove/api/controllers
    # covers: trove/api/middleware.py

A folder stands for the modules in it, without those in folders below. Such a line counts only if it can be true: to
import the test has to import the module, or something of the folder or of one above. Imports inside of functions and
modules that a string names, or whose package it names, count as well.

A module decides something when one of its functions has a branch, a loop or a handler of exceptions.

Every package of tests has an ``__init__.py``, without which the tests in it are not found.
"""

import ast
import functools
import pathlib
import re
import sys
from collections.abc import Iterator

_COVERS = re.compile(r"^# covers: (\S+)$", re.MULTILINE)
_HEAD_CHARACTERS = 2000
#: Unit tests below this folder mirror the folder given, instead of a package of trove.
_ELSEWHERE = {"tools": "tools"}
_TESTS = ("trove", "tests")
#: A module, or something in it as entry points and WSGI servers name it.
_DOTTED = re.compile(r"(trove(?:\.\w+)+)(?::\w+)?")
_DECISIONS = (
    ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.BoolOp, ast.comprehension, ast.Match,
)  # fmt: skip
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def candidates(folder: pathlib.Path, name: str) -> list[pathlib.Path]:
    """Return the paths that ``test_<name>.py`` may stand for, the most exact first."""
    words = name.split("_")
    stems = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    return [folder / stem for stem in stems]


def claims(test: pathlib.Path) -> list[str]:
    """Return the paths that ``test`` says it covers."""
    return _COVERS.findall(test.read_text("utf-8")[:_HEAD_CHARACTERS])


def mirrored(root: pathlib.Path, test: pathlib.Path) -> pathlib.Path | None:
    """Return the module or package that a unit test stands for by its place, ``None`` if there is none."""
    relative = test.relative_to(root / "trove" / "tests" / "unit")
    top = relative.parts[0]
    folder = root / _ELSEWHERE[top] if top in _ELSEWHERE else root / "trove" / relative.parent
    for path in candidates(folder, test.stem.removeprefix("test_")):
        if path.with_suffix(".py").exists():
            return path.with_suffix(".py")
        if path.is_dir():
            return path
    return None


def problem(root: pathlib.Path, test: pathlib.Path) -> str | None:
    """Return what is wrong with the place of ``test``, or with what it says of itself; ``None`` if nothing is."""
    shown = test.relative_to(root)
    if not (test.parent / "__init__.py").exists():
        return f"{shown}: its folder has no __init__.py, so it is never run"
    declared = claims(test)
    for claim in declared:
        if not (root / claim).exists():
            return f"{shown}: covers {claim}, which does not exist"
        if claim.startswith("trove/") and not _reaches(root, test, root / claim):
            return f"{shown}: covers {claim}, but imports nothing of it"
    if shown.parts[:3] != (*_TESTS, "unit"):
        return None
    place = mirrored(root, test)
    if place is None:
        if declared:
            return None
        folder = pathlib.Path("trove", *shown.parts[3:-1])
        return f"{shown}: no module {folder}/{test.stem.removeprefix('test_')}.py, and no line '# covers: PATH'"
    if place.is_relative_to(root / "trove") and not _reaches(root, test, place):
        return f"{shown}: stands for {place.relative_to(root)}, but does not import it"
    return None


def untested(root: pathlib.Path) -> list[pathlib.Path]:
    """Return the modules of trove that decide something and that no test stands for."""
    covered: set[pathlib.Path] = set()
    for test in _tests(root):
        paths = [root / claim for claim in claims(test)]
        if test.is_relative_to(root / "trove" / "tests" / "unit"):
            place = mirrored(root, test)
            paths += [place] if place is not None else []
        for path in paths:
            covered.update(path.glob("*.py") if path.is_dir() else [path])
    modules = (path for path in (root / "trove").rglob("*.py") if path.relative_to(root).parts[:2] != _TESTS)
    return sorted(path for path in modules if path.name != "__init__.py" and path not in covered and decides(path))


def decides(module: pathlib.Path) -> bool:
    """Tell whether a function of ``module`` has a branch, a loop or a handler of exceptions."""
    functions = (node for node in ast.walk(_tree(module)) if isinstance(node, _FUNCTIONS))
    return any(isinstance(node, _DECISIONS) for function in functions for node in ast.walk(function))


def _tests(root: pathlib.Path) -> list[pathlib.Path]:
    third_party = root.joinpath(*_TESTS, "third_party")
    tests = root.joinpath(*_TESTS).rglob("test_*.py")
    return sorted(test for test in tests if not test.is_relative_to(third_party))


def _reaches(root: pathlib.Path, test: pathlib.Path, claimed: pathlib.Path) -> bool:
    """Tell whether importing ``test`` imports ``claimed``; for a folder, something of it or of a folder above."""
    found = _closure(root, test)
    if not claimed.is_dir():
        return claimed in found
    above = [folder for folder in (claimed, *claimed.parents) if folder.is_relative_to(root / "trove")]
    return bool({path.parent for path in found} & set(above[:-1]))


@functools.cache
def _closure(root: pathlib.Path, module: pathlib.Path) -> frozenset[pathlib.Path]:
    found: set[pathlib.Path] = set()
    left = [module]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += _imported(root, path)
    return frozenset(found - {module})


@functools.cache
def _imported(root: pathlib.Path, module: pathlib.Path) -> tuple[pathlib.Path, ...]:
    found: list[pathlib.Path] = []
    for name, loaded in _names(_tree(module)):
        path = root.joinpath(*name.split("."))
        if path.with_suffix(".py").exists():
            found.append(path.with_suffix(".py"))
        elif (path / "__init__.py").exists():
            found += path.glob("*.py") if loaded else [path / "__init__.py"]
    return tuple(found)


def _names(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """Yield the dotted names that may be modules of trove which ``node`` imports, without those for type checkers
    only; and whether it is a string that has them, which of a package means any module."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from ((alias.name, False) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        yield node.module, False
        yield from ((f"{node.module}.{alias.name}", False) for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and (named := _DOTTED.fullmatch(node.value)):
        yield named[1], True
    for child in ast.iter_child_nodes(node):
        yield from _names(child)


@functools.cache
def _tree(path: pathlib.Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def main(root: pathlib.Path) -> int:
    """Check all tests and modules under ``root``; return the exit status."""
    found = [text for text in (problem(root, test) for test in _tests(root)) if text]
    found += [
        f"{path.relative_to(root)}: has no unit module, and no test with the line '# covers: {path.relative_to(root)}'"
        for path in untested(root)
    ]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(__file__).resolve().parents[1]))
