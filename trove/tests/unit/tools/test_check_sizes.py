# SPDX-License-Identifier: Apache-2.0
"""The size check finds what is too large, and its exemptions only shrink."""

import contextlib
import importlib.util
import io
import pathlib
import sys
import textwrap

from trove.tests import base

_ROOT = pathlib.Path(__file__).resolve().parents[4]
#: How many exemptions there were when this was last lowered. Lower it whenever you can; never raise it.
MOST_EXEMPTIONS = 0


def _load(name: str):  # type: ignore[no-untyped-def]  # a module made from a file has no static type
    spec = importlib.util.spec_from_file_location(name, _ROOT / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


check_sizes = _load("check_sizes")
Size = check_sizes.Size


class MeasureTest(base.UnitTestCase):
    def test_kinds_and_names(self) -> None:
        text = textwrap.dedent('''\
            class A:
                """Doc."""

                def f(self, a, b, *, c):
                    """Two
                    lines."""
                    return a

            async def g(): return 1
            ''')
        sizes = {(size.where, size.kind): size.amount for size in check_sizes.measure("m.py", text)}
        self.assertEqual(9, sizes["m.py", "module"])
        self.assertEqual(7, sizes["m.py:A", "class"])
        self.assertEqual(2, sizes["m.py:A.f", "function"])
        self.assertEqual(3, sizes["m.py:A.f", "parameters"])
        self.assertEqual(1, sizes["m.py:g", "function"])

    def test_nested_functions_are_found(self) -> None:
        text = "def f():\n    if 1:\n        def g(): pass\n"
        self.assertIn(("m.py:f.g", "function"), [size.key for size in check_sizes.measure("m.py", text)])


class OffencesTest(base.UnitTestCase):
    def test_at_the_limit_is_allowed_and_above_is_not(self) -> None:
        for kind, limit in check_sizes.LIMITS.items():
            usual = [Size(f"{n}.py", "module", 1) for n in range(20)]  # one long module among many is fine
            with self.subTest(kind=kind):
                self.assertEqual([], check_sizes.offences([*usual, Size("x", kind, limit)], {}))
                self.assertEqual(1, len(check_sizes.offences([*usual, Size("x", kind, limit + 1)], {})))

    def test_exemption_allows_its_size_and_no_more(self) -> None:
        exemptions = {("x", "function"): 80}
        self.assertEqual([], check_sizes.offences([Size("x", "function", 80)], exemptions))
        self.assertEqual(1, len(check_sizes.offences([Size("x", "function", 81)], exemptions)))

    def test_exemption_larger_than_the_truth_fails(self) -> None:
        for amount in (60, 70):
            with self.subTest(amount=amount):
                found = check_sizes.offences([Size("x", "function", amount)], {("x", "function"): 80})
                self.assertIn("--shrink", found[0])

    def test_one_long_module_in_ten(self) -> None:
        short = [Size(f"{n}.py", "module", 10) for n in range(9)]
        self.assertEqual([], check_sizes.offences([*short, Size("x.py", "module", 400)], {}))
        found = check_sizes.offences([*short[:8], Size("x.py", "module", 400), Size("y.py", "module", 400)], {})
        self.assertIn("2 of 10 modules", found[0])


class ShrinkTest(base.UnitTestCase):
    def test_lowers_and_removes_but_never_raises(self) -> None:
        sizes = [Size("a", "function", 70), Size("b", "function", 50), Size("c", "function", 90)]
        before = {("a", "function"): 80, ("b", "function"): 80, ("c", "function"): 80, ("gone", "class"): 400}
        self.assertEqual({("a", "function"): 70, ("c", "function"): 80}, check_sizes.shrink(sizes, before))

    def test_file_format_round_trip(self) -> None:
        exemptions = {("a.py:f", "function"): 70}
        text = check_sizes.render_exemptions(exemptions, ["# why"])
        self.assertEqual("# why\na.py:f function 70\n", text)
        self.assertEqual(exemptions, check_sizes.parse_exemptions(text))

    def test_command(self) -> None:
        root = self.tempdir()
        for folder in ("trove", "tools"):
            (root / folder).mkdir()
        file = root / "tools" / "size-exemptions.txt"
        file.write_text("# why\ntrove/a.py:f parameters 9\n")
        (root / "trove" / "a.py").write_text("def f(a, b, c, d, e, f, g, h): pass\n")
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(1, check_sizes.main(root, []))
            self.assertEqual(0, check_sizes.main(root, ["--shrink"]))
        self.assertIn("larger than needed", output.getvalue())
        self.assertEqual("# why\ntrove/a.py:f parameters 8\n", file.read_text())


class RatchetTest(base.UnitTestCase):
    def test_exemptions_only_shrink(self) -> None:
        text = (_ROOT / "tools" / "size-exemptions.txt").read_text()
        self.assertLessEqual(len(check_sizes.parse_exemptions(text)), MOST_EXEMPTIONS)
