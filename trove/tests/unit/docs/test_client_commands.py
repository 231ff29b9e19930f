# SPDX-License-Identifier: Apache-2.0
# covers: doc/source/reference/client-commands.yaml
"""Every command of the installed client has a row in the documentation and a test that runs it."""

import ast
import importlib
import inspect
import pathlib
from collections.abc import Iterator

from trove.api import routes
from trove.tests import base
from trove.tests.e2e.client import table

#: Methods that run a command for the documentation.
_RUNNING = {"works", "refused", "lacks", "none_exists"}


def _run_in(path: pathlib.Path, class_name: str, method_name: str) -> Iterator[str]:
    """Yield the commands that a test runs for the documentation."""
    for outer in ast.parse(path.read_text()).body:
        if not isinstance(outer, ast.ClassDef) or outer.name != class_name:
            continue
        (method,) = [item for item in outer.body if isinstance(item, ast.FunctionDef) and item.name == method_name]
        for call in ast.walk(method):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _RUNNING:
                for argument in call.args[:2]:
                    if isinstance(argument, ast.Constant):
                        yield str(argument.value)


class ClientCommandsTest(base.UnitTestCase):
    def test_every_command_has_a_row(self) -> None:
        self.assertEqual(sorted(table.commands()), sorted(table.load()))

    def test_every_row_has_a_test_that_runs_its_command(self) -> None:
        for row in table.load().values():
            module_name, class_name, method_name = row.test.rsplit(".", 2)
            module = importlib.import_module(module_name)
            found = set(_run_in(pathlib.Path(inspect.getfile(module)), class_name, method_name))
            self.assertIn(row.command, found, row.test)

    def test_rows_name_calls_that_exist(self) -> None:
        served = {f"{route.method} {route.path.removeprefix(routes.P)}" for route in routes.ROUTES}
        for row in table.load().values():
            self.assertLessEqual({call.rpartition(": ")[0] for call in row.calls}, served, row.command)
            self.assertTrue(row.result == "works" or row.result.startswith("refused: "), row.result)

    def test_only_refused_commands_end_with_an_error(self) -> None:
        for row in table.load().values():
            failed = bool(row.calls) and int(row.calls[-1].rpartition(": ")[2].split()[0]) >= 400
            self.assertFalse(failed and row.result == "works", row.command)
