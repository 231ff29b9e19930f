#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draw the life of an instance from the table that decides it, :data:`trove.domain.instance_states.MACHINE`.

    tools/states_to_dot.py            the graph, for Graphviz: tools/states_to_dot.py | dot -Tsvg > states.svg
    tools/states_to_dot.py --text     the same as a list, with what each status means
    tools/states_to_dot.py --write    both into doc/source/contributor/diagrams, where a test expects them to be current
"""

import inspect
import pathlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence

_ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))

from tools import drawing  # noqa: E402
from trove.domain import instance_states  # noqa: E402

_NAME = f"{instance_states.MACHINE.name}-states"
_CONSTANT = re.compile(r'((?:^#: .*\n)+)^[A-Z_]+ = "([A-Z_]+)"$', re.MULTILINE)


def meanings() -> Mapping[str, str]:
    """Return what the comment above each status says of it, in the order of the source."""
    source = inspect.getsource(instance_states)
    return {name: " ".join(line[3:] for line in text.splitlines()) for text, name in _CONSTANT.findall(source)}


def dot() -> Iterator[str]:
    """Yield the lines of the graph."""
    machine = instance_states.MACHINE
    yield f"digraph {machine.name} {{"
    yield "    rankdir=LR;"
    yield "    node [shape=box, style=rounded];"
    for status in sorted(machine.states):
        style = "solid" if status in instance_states.STABLE else "dashed"
        yield f'    {status} [style="rounded,{style}"];'
    for item in machine.transitions:
        yield f'    {item.source} -> {item.target} [label="{item.event}"];'
    yield "}"


def text() -> Iterator[str]:
    """Yield the lines of the list."""
    transitions = instance_states.MACHINE.transitions
    width = max(len(item.event) for item in transitions)
    for number, (status, meaning) in enumerate(meanings().items()):
        if number:
            yield ""
        yield f"{status}: {meaning}"
        for item in transitions:
            if item.source == status:
                yield f"    {item.event:{width}} -> {item.target}"


def drawings() -> Mapping[pathlib.Path, str]:
    """Return what the checked-in files must hold."""
    return drawing.drawings(_NAME, dot, text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    return drawing.run(_NAME, "Draw the life of an instance.", dot, text, arguments)


if __name__ == "__main__":
    sys.exit(main())
