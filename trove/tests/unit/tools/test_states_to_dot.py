# SPDX-License-Identifier: Apache-2.0
"""The drawing of the states in the documentation is the one that the table gives."""

import importlib.util
import pathlib

from trove.domain import instance_states
from trove.tests import base

_ROOT = pathlib.Path(__file__).resolve().parents[4]


def _load(name: str):  # type: ignore[no-untyped-def]  # a module made from a file has no static type
    spec = importlib.util.spec_from_file_location(name, _ROOT / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


states_to_dot = _load("states_to_dot")


class StatesToDotTest(base.UnitTestCase):
    def test_what_is_checked_in_is_current(self) -> None:
        for path, content in states_to_dot.drawings().items():
            self.assertEqual(content, path.read_text("utf-8"), f"{path.name}: run tools/states_to_dot.py --write")

    def test_every_status_is_explained(self) -> None:
        self.assertEqual(instance_states.MACHINE.states, set(states_to_dot.meanings()))

    def test_every_transition_is_drawn(self) -> None:
        drawn = "\n".join(states_to_dot.dot())
        for item in instance_states.MACHINE.transitions:
            self.assertIn(f'{item.source} -> {item.target} [label="{item.event}"];', drawn)
        listed = "\n".join(states_to_dot.text())
        self.assertEqual(len(instance_states.MACHINE.transitions), listed.count(" -> "))
