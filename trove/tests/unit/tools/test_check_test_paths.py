# SPDX-License-Identifier: Apache-2.0
"""The check of test paths accepts mirrored ones only."""

import importlib.util
import pathlib

from trove.tests import base

_ROOT = pathlib.Path(__file__).resolve().parents[4]
_SPEC = importlib.util.spec_from_file_location("check_test_paths", _ROOT / "tools" / "check_test_paths.py")
assert _SPEC is not None and _SPEC.loader is not None
check_test_paths = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(check_test_paths)


class CheckTestCase(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = self.tempdir()
        for name in ("trove/db/api.py", "trove/db/models/base.py", "tools/draw.py"):
            self.write(name, "")

    def write(self, name: str, text: str, *, package: bool = True) -> pathlib.Path:
        """Write a file in a folder that is a package, and return its path."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if package:
            (path.parent / "__init__.py").touch()
        path.write_text(text)
        return path


class ProblemTest(CheckTestCase):
    def _problem(self, name: str, text: str = "", *, package: bool = True) -> str | None:
        return check_test_paths.problem(self.root, self.write(f"trove/tests/{name}", text, package=package))

    def test_mirrored_paths(self) -> None:
        for name, text in (
            ("db/test_api.py", "from trove.db import api"),
            ("db/test_api_sqlite_locks.py", "import trove.db.api"),
            ("db/test_models.py", "from trove.db.models.base import Base"),
            ("tools/test_draw.py", ""),
        ):
            with self.subTest(name=name):
                self.assertIsNone(self._problem(f"unit/{name}", text))

    def test_other_paths(self) -> None:
        for name in ("db/test_sql.py", "test_api.py", "dbx/test_api.py", "tools/test_api.py"):
            with self.subTest(name=name):
                self.assertIn("no module", str(self._problem(f"unit/{name}")))

    def test_declared_coverage_must_exist(self) -> None:
        text = "# x\n# covers: trove/db/models\n# covers: {}\nfrom trove.db import api\n"
        self.assertIsNone(self._problem("unit/db/test_all_tables.py", text.format("trove/db/api.py")))
        for part in ("unit", "functional"):
            said = self._problem(f"{part}/db/test_every.py", text.format("trove/db/gone"))
            self.assertIn("covers trove/db/gone, which does not exist", str(said))

    def test_folder_without_init_is_never_run(self) -> None:
        for part in ("unit", "e2e"):
            self.assertIn("never run", str(self._problem(f"{part}/db/test_api.py", package=False)))

    def test_what_is_not_imported_is_not_covered(self) -> None:
        for text in ("", "from trove.db import models", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
                     "    from trove.db import api"):  # fmt: skip
            self.assertIn("does not import it", str(self._problem("unit/db/test_api.py", text)))
            said = self._problem("functional/db/test_x.py", f"# covers: trove/db/api.py\n{text}")
            self.assertIn("covers trove/db/api.py, but imports nothing of it", str(said))

    def test_what_it_covers_besides_is_no_excuse(self) -> None:
        said = self._problem("unit/db/test_api.py", "# covers: trove/db/models\nfrom trove.db.models import base")
        self.assertIn("stands for trove/db/api.py, but does not import it", str(said))

    def test_imports_of_every_kind(self) -> None:
        self.write("trove/tests/functional/db/helper.py", "def f():\n    import trove.db.api")
        texts = (
            "from trove.db.api import Database",
            "if True:\n    from trove.db import api",
            "from trove.tests.functional.db.helper import f",
            "COMMAND = 'trove.db.api:main'",
            "PACKAGE = 'trove.db'",
        )
        for number, text in enumerate(texts):
            claimed = f"# covers: trove/db/api.py\n{text}"
            self.assertIsNone(self._problem(f"functional/db/test_kind{number}.py", claimed), text)

    def test_a_folder_is_reached_from_above_and_not_from_beside(self) -> None:
        self.write("trove/guest/life.py", "")
        claimed = "# covers: trove/db/models\nfrom trove.{} import {}"
        self.assertIsNone(self._problem("functional/db/test_above.py", claimed.format("db", "api")))
        self.assertIsNotNone(self._problem("functional/db/test_beside.py", claimed.format("guest", "life")))


class UntestedTest(CheckTestCase):
    DECIDES = "def f(x):\n    return 1 if x else 2\n"

    def untested(self) -> list[str]:
        return [str(path.relative_to(self.root / "trove")) for path in check_test_paths.untested(self.root)]

    def test_modules_that_decide_nothing_need_none(self) -> None:
        for number, text in enumerate(
            ("x = 1", "x = [y for y in ()]", "if True:\n    x = 1", "def f(x):\n    return x", "class C:\n    x = 1")
        ):
            self.write(f"trove/db/plain{number}.py", text)
        self.assertEqual([], self.untested())

    def test_modules_that_decide_something_need_one(self) -> None:
        for number, body in enumerate(
            ("return a or b", "return [x for x in a]", "if a:\n   return", "for x in a:\n   b()", "while a:\n   b()",
             "try:\n   a()\n  finally:\n   b()", "return lambda: a if a else b")
        ):  # fmt: skip
            self.write(f"trove/db/decides{number}.py", f"x = 1\nclass C:\n def f(self, a, b):\n  {body}\n")
        self.assertEqual([f"db/decides{number}.py" for number in range(7)], self.untested())

    def test_a_unit_module_is_one(self) -> None:
        self.write("trove/db/store.py", self.DECIDES)
        self.write("trove/db/store_leases.py", self.DECIDES)
        self.write("trove/tests/unit/db/test_store_leases.py", "from trove.db import store_leases")
        self.assertEqual(["db/store.py"], self.untested())  # the other one has it
        self.write("trove/tests/unit/db/test_store_claims.py", "from trove.db import store")
        self.assertEqual([], self.untested())

    def test_tests_of_every_part_may_cover_modules_and_folders(self) -> None:
        for name in ("trove/db/store.py", "trove/db/models/row.py", "trove/db/models/old/row.py"):
            self.write(name, self.DECIDES)
        self.write("trove/tests/e2e/test_life.py", "# covers: trove/db/store.py\n# covers: trove/db/models\n")
        self.assertEqual(["db/models/old/row.py"], self.untested())  # it is in a folder below
        self.write("trove/tests/third_party/x/test_x.py", "# covers: trove/db/models/old\n")  # nobody runs it
        self.assertEqual(["db/models/old/row.py"], self.untested())
