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


class ProblemTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = self.tempdir()
        for name in ("trove/db/api.py", "trove/db/models/base.py", "tools/draw.py"):
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")

    def _problem(self, name: str, text: str = "", *, package: bool = True) -> str | None:
        test = self.root / "trove/tests/unit" / name
        test.parent.mkdir(parents=True, exist_ok=True)
        if package:
            (test.parent / "__init__.py").write_text("")
        test.write_text(text)
        return check_test_paths.problem(self.root, test)

    def test_mirrored_paths(self) -> None:
        for name in ("db/test_api.py", "db/test_api_sqlite_locks.py", "db/test_models.py", "tools/test_draw.py"):
            with self.subTest(name=name):
                self.assertIsNone(self._problem(name))

    def test_other_paths(self) -> None:
        for name in ("db/test_sql.py", "test_api.py", "dbx/test_api.py", "tools/test_api.py"):
            with self.subTest(name=name):
                self.assertIn("no module", str(self._problem(name)))

    def test_declared_coverage_must_exist(self) -> None:
        self.assertIsNone(self._problem("db/test_all_tables.py", "# x\n# covers: trove/db/models\n"))
        self.assertIn("does not exist", str(self._problem("db/test_every.py", "# covers: trove/db/gone\n")))

    def test_folder_without_init_is_never_run(self) -> None:
        self.assertIn("never run", str(self._problem("db/test_api.py", package=False)))
