# SPDX-License-Identifier: Apache-2.0
"""What the programs that draw from the code share: where the drawings are kept, and the command line."""

import argparse
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "doc" / "source" / "contributor" / "diagrams"

Lines = Callable[[], Iterable[str]]


def drawings(name: str, dot: Lines, text: Lines) -> Mapping[pathlib.Path, str]:
    """Return what the checked-in files must hold: a graph for Graphviz and a list."""
    return {FOLDER / f"{name}.{kind}": "\n".join(lines()) + "\n" for kind, lines in (("dot", dot), ("txt", text))}


def run(name: str, description: str, dot: Lines, text: Lines, arguments: Sequence[str] | None) -> int:
    """Print the graph or the list, or write both; return the exit status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--text", action="store_true", help="a list instead of a graph")
    parser.add_argument("--write", action="store_true", help="write both into the documentation")
    options = parser.parse_args(arguments)
    if options.write:
        for path, content in drawings(name, dot, text).items():
            path.write_text(content, "utf-8")
        return 0
    print("\n".join(text() if options.text else dot()))
    return 0
