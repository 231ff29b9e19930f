#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Refuse modules, classes and functions that have grown too long.

Limits (see ``HACKING.rst``): a module 600 lines, nine modules in ten 350; a class 300; a function 60, not counting
its docstring; 7 parameters, not counting ``self``. What is over a limit is listed with its present size in
``tools/size-exemptions.txt``, one ``path[:name] kind size`` a line. That file is a ratchet: growing over the listed
size fails, and so does an entry that is larger than the truth or no longer needed, until it is lowered or removed
(``--shrink`` does it; nothing adds entries for you).

    tools/check_sizes.py            check; exit status 1 and one line for each offence
    tools/check_sizes.py --shrink   lower and remove exemptions, then check
"""

import argparse
import ast
import pathlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

LIMITS = {"module": 600, "class": 300, "function": 60, "parameters": 7}
#: Nine modules in ten stay under this.
USUAL_MODULE = 350

Key = tuple[str, str]
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Size:
    """How large one thing is: ``where`` is ``path`` or ``path:Class.function``, ``kind`` a key of :data:`LIMITS`."""

    where: str
    kind: str
    amount: int

    @property
    def key(self) -> Key:
        return self.where, self.kind


def _lines(node: ast.ClassDef | _Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _docstring_lines(node: _Function) -> int:
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None:
        return 0
    return (first.end_lineno or first.lineno) - first.lineno + 1


def _parameters(node: _Function) -> int:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len([argument for argument in every if argument.arg not in {"self", "cls"}])


def measure(path: str, text: str) -> Iterator[Size]:
    """Yield the size of the module ``text`` and of everything in it.

    :raises SyntaxError: when it is not Python.
    """
    yield Size(path, "module", len(text.splitlines()))
    pending: list[tuple[str, ast.AST]] = [("", ast.parse(text))]
    while pending:
        prefix, node = pending.pop()
        for child in ast.iter_child_nodes(node):
            name = prefix
            if isinstance(child, ast.ClassDef | _Function):
                name = f"{prefix}.{child.name}".lstrip(".")
                where = f"{path}:{name}"
                if isinstance(child, ast.ClassDef):
                    yield Size(where, "class", _lines(child))
                else:
                    yield Size(where, "function", _lines(child) - _docstring_lines(child))
                    yield Size(where, "parameters", _parameters(child))
            pending.append((name, child))


def parse_exemptions(text: str) -> dict[Key, int]:
    """Read the exemptions; ``#`` starts a comment."""
    found: dict[Key, int] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words:
            where, kind, amount = words
            found[where, kind] = int(amount)
    return found


def render_exemptions(exemptions: Mapping[Key, int], comments: Iterable[str]) -> str:
    """Write exemptions as :func:`parse_exemptions` reads them, ``comments`` first."""
    entries = (f"{where} {kind} {amount}" for (where, kind), amount in sorted(exemptions.items()))
    return "".join(f"{line}\n" for line in (*comments, *entries))


def shrink(sizes: Iterable[Size], exemptions: Mapping[Key, int]) -> dict[Key, int]:
    """Return the exemptions that are still needed, none larger than before."""
    over = {size.key: size.amount for size in sizes if size.amount > LIMITS[size.kind]}
    return {key: min(over[key], amount) for key, amount in exemptions.items() if key in over}


def offences(sizes: Iterable[Size], exemptions: Mapping[Key, int]) -> list[str]:
    """Return one sentence for everything that is too large or exempted without need."""
    sizes = list(sizes)
    found = []
    for size in sizes:
        allowed = max(LIMITS[size.kind], exemptions.get(size.key, 0))
        if size.amount > allowed:
            found.append(f"{size.where}: {size.kind} has {size.amount}, at most {allowed} allowed; split it")
    needed = shrink(sizes, exemptions)
    for (where, kind), amount in exemptions.items():
        if needed.get((where, kind)) != amount:
            found.append(f"{where}: exemption '{kind} {amount}' is larger than needed; run it with --shrink")
    modules = [size for size in sizes if size.kind == "module"]
    long = [size.where for size in modules if size.amount > USUAL_MODULE]
    if len(long) * 10 > len(modules):
        found.append(f"{len(long)} of {len(modules)} modules have more than {USUAL_MODULE} lines: {', '.join(long)}")
    return found


def main(root: pathlib.Path, arguments: list[str]) -> int:
    """Check the tree under ``root``; return the exit status."""
    parser = argparse.ArgumentParser(description="Check the sizes of modules, classes and functions.")
    parser.add_argument("--shrink", action="store_true", help="lower and remove exemptions first")
    options = parser.parse_args(arguments)
    files = sorted(path for folder in ("trove", "tools") for path in (root / folder).rglob("*.py"))
    sizes = [size for path in files for size in measure(path.relative_to(root).as_posix(), path.read_text("utf-8"))]
    file = root / "tools" / "size-exemptions.txt"
    text = file.read_text("utf-8")
    exemptions = parse_exemptions(text)
    if options.shrink:
        exemptions = shrink(sizes, exemptions)
        file.write_text(render_exemptions(exemptions, (line for line in text.splitlines() if line.startswith("#"))))
    found = offences(sizes, exemptions)
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(__file__).resolve().parents[1], sys.argv[1:]))
