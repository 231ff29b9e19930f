# SPDX-License-Identifier: Apache-2.0
"""The drawing of the flows in the documentation is the one that the registered flows give."""

import importlib.util
import pathlib

from trove.domain import operations
from trove.tests import base

_ROOT = pathlib.Path(__file__).resolve().parents[4]


def _load(name: str):  # type: ignore[no-untyped-def]  # a module made from a file has no static type
    spec = importlib.util.spec_from_file_location(name, _ROOT / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


flows_to_dot = _load("flows_to_dot")


class FlowsToDotTest(base.UnitTestCase):
    def test_what_is_checked_in_is_current(self) -> None:
        for path, content in flows_to_dot.drawings().items():
            self.assertEqual(content, path.read_text("utf-8"), f"{path.name}: run tools/flows_to_dot.py --write")

    def test_every_kind_is_drawn(self) -> None:
        listed = "\n".join(flows_to_dot.text())
        for kind in operations.KINDS.values():
            self.assertIn(f"{kind.name} version {kind.version}: at most {kind.timeout:g} s", listed)

    def test_steps_are_in_order(self) -> None:
        plan = next(plan for plan in flows_to_dot.plans() if plan.flow.kind == operations.INSTANCE_CREATE.name)
        listed = "\n".join(flows_to_dot.text())
        expected = "\n".join(
            f"    {number} {step.name}" for number, group in enumerate(plan.groups, 1) for step in group
        )
        self.assertIn(expected, listed)
