# SPDX-License-Identifier: Apache-2.0
"""Sphinx directives that draw tables from the code, so that the documentation cannot drift from it.

``trove-states``, ``trove-operations``, ``trove-flows``, ``trove-routes``, ``trove-lacking``, ``trove-errors``,
``trove-faults``, ``trove-existing-options``, ``trove-client-commands``; none has arguments.
"""

import inspect
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import trove_facts
import yaml
from docutils import nodes
from docutils.parsers.rst import Directive

from trove.common import threads
from trove.domain import instance_states, operations

Row = Sequence[str]


def table(headings: Row, rows: Iterable[Row]) -> nodes.table:
    """Return a table of literal text; an empty cell stays empty."""
    group = nodes.tgroup(cols=len(headings))
    group.extend(nodes.colspec(colwidth=10) for _ in headings)
    group += nodes.thead("", _row(headings, literal=False))
    group += nodes.tbody("", *(_row(row, literal=True) for row in rows))
    return nodes.table("", group)


def _row(cells: Row, *, literal: bool) -> nodes.row:
    row = nodes.row()
    for position, cell in enumerate(cells):
        kind = nodes.literal if literal and position == 0 else nodes.Text
        content = [nodes.literal(text=cell)] if kind is nodes.literal else [nodes.Text(cell)]
        row += nodes.entry("", nodes.paragraph("", "", *content))
    return row


class _Table(Directive):
    headings: Row = ()

    def rows(self) -> Iterator[Row]:
        raise AssertionError("each table names its rows")

    def run(self) -> list[nodes.Node]:
        return [table(self.headings, self.rows())]


class States(_Table):
    """The transitions of an instance."""

    headings = ("status", "event", "next status")

    def rows(self) -> Iterator[Row]:
        for transition in instance_states.MACHINE.transitions:
            yield transition.source, transition.event, transition.target


class Operations(_Table):
    """The kinds of operations with their time limits."""

    headings = ("kind", "time limit", "one at a time for each instance")

    def rows(self) -> Iterator[Row]:
        for kind in operations.KINDS.values():
            yield kind.name, f"{kind.timeout:g} s", "yes" if kind.exclusive else "no"


class Routes(_Table):
    """The whole URL space."""

    headings = ("method and path", "from version", "success", "policy")

    def rows(self) -> Iterator[Row]:
        from trove.api import routes

        for route in routes.ROUTES:
            version = ".".join(str(number) for number in route.min_version)
            yield f"{route.method} {route.path}", version, str(route.status), ", ".join(route.policies) or route.reason


class Lacking(_Table):
    """The calls that never succeed, and why."""

    headings = ("method and path", "missing capability", "policy")

    def rows(self) -> Iterator[Row]:
        from trove.api import routes

        for route in routes.ROUTES:
            if route.lacks is not None:
                yield f"{route.method} {route.path}", route.lacks, ", ".join(route.policies)


class Flows(_Table):
    """The steps of every flow of the newest versions."""

    headings = ("kind", "step", "what it does")

    def rows(self) -> Iterator[Row]:
        from trove.taskmanager import flows
        from trove.workflow.registry import Registry

        registry = flows.register_all(Registry())
        for flow in registry.all_flows():
            for name, step in registry.plan(flow.kind, flow.version).steps.items():
                yield flow.kind, name, (inspect.getdoc(type(step)) or "").partition("\n\n")[0].replace("\n", " ")


class Errors(_Table):
    """Every symbol of the API's answers."""

    headings = ("symbol", "status", "meaning")

    def rows(self) -> Iterator[Row]:
        for symbol in trove_facts.answers():
            yield symbol.name, str(symbol.status), symbol.meaning


class ClientCommands(_Table):
    """What each command of the client asks, and what comes of it; written by the tests that run them."""

    headings = ("command", "calls", "result", "test")
    file = pathlib.Path(__file__).resolve().parents[1] / "source" / "reference" / "client-commands.yaml"

    def rows(self) -> Iterator[Row]:
        for row in yaml.safe_load(self.file.read_text()):
            test = row["test"].removeprefix("trove.tests.e2e.client.")
            yield row["command"], "; ".join(row["calls"]) or "none", row["result"], test


class ExistingOptions(_Table):
    """What becomes of every option name that existing configuration files have."""

    headings = ("option", "what becomes of it")

    def rows(self) -> Iterator[Row]:
        from trove.conf import _existing

        yield from _existing.rows(_existing.known())


class Faults(_Table):
    """Every symbol of faults and failed operations."""

    headings = ("symbol", "meaning")

    def rows(self) -> Iterator[Row]:
        for symbol in trove_facts.faults():
            yield symbol.name, symbol.meaning


def setup(app: Any) -> dict[str, bool]:
    """Register the directives."""
    threads.use_native_threads()
    app.add_directive("trove-states", States)
    app.add_directive("trove-operations", Operations)
    app.add_directive("trove-flows", Flows)
    app.add_directive("trove-routes", Routes)
    app.add_directive("trove-lacking", Lacking)
    app.add_directive("trove-errors", Errors)
    app.add_directive("trove-faults", Faults)
    app.add_directive("trove-existing-options", ExistingOptions)
    app.add_directive("trove-client-commands", ClientCommands)
    return {"parallel_read_safe": True}
