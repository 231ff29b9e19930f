#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draw every registered flow: its steps in order, and the pivot, behind which it no longer unwinds.

    tools/flows_to_dot.py             one graph with a cluster for each flow, for Graphviz: … | dot -Tsvg > flows.svg
    tools/flows_to_dot.py --text      the same as a list
    tools/flows_to_dot.py --write     both into doc/source/contributor/diagrams, where a test expects them current
"""

import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence

_ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))

from trove.common import threads  # noqa: E402

threads.use_native_threads()

from tools import drawing  # noqa: E402
from trove.taskmanager import flows  # noqa: E402
from trove.workflow.model import FROM_START, Flow  # noqa: E402
from trove.workflow.registry import Plan, Registry  # noqa: E402


def plans() -> list[Plan]:
    """Return the layout of every flow, by kind and version."""
    registry = flows.register_all(Registry())
    return [registry.plan(kind, version) for kind, version in registry.keys()]  # noqa: SIM118  # a method, not a dict


def _title(flow: Flow) -> str:
    return f"{flow.kind} version {flow.version}"


def _unwinding(flow: Flow) -> str:
    if flow.pivot is None:
        return "can be undone until it ends"
    return "is never undone" if flow.pivot == FROM_START else f"can be undone until {flow.pivot} is done"


def dot() -> Iterator[str]:
    """Yield the lines of the graph."""
    yield "digraph flows {"
    yield "    rankdir=LR;"
    yield "    node [shape=box];"
    for number, plan in enumerate(plans()):
        yield f"    subgraph cluster_{number} {{"
        yield f'        label="{_title(plan.flow)}";'
        for name in plan.steps:
            style = ", peripheries=2" if name == plan.flow.pivot else ""
            yield f'        "{number} {name}" [label="{name}"{style}];'
        for before, after in zip(plan.groups, plan.groups[1:], strict=False):
            for first in before:
                for second in after:
                    yield f'        "{number} {first.name}" -> "{number} {second.name}";'
        yield "    }"
    yield "}"


def text() -> Iterator[str]:
    """Yield the lines of the list; members of one parallel group have the same number."""
    for number, plan in enumerate(plans()):
        if number:
            yield ""
        flow = plan.flow
        yield f"{_title(flow)}: at most {flow.timeout:g} s, {flow.max_attempts} attempts a step, {_unwinding(flow)}"
        for place, group in enumerate(plan.groups, 1):
            for step in group:
                yield f"    {place} {step.name}"


def drawings() -> Mapping[pathlib.Path, str]:
    """Return what the checked-in files must hold."""
    return drawing.drawings("flows", dot, text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    return drawing.run("flows", "Draw every registered flow.", dot, text, arguments)


if __name__ == "__main__":
    sys.exit(main())
