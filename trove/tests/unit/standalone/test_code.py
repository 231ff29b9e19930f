# SPDX-License-Identifier: Apache-2.0
"""What is other code, and what is not."""

import os
from unittest import mock

from trove.standalone import code
from trove.tests import base


class DigestTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.package = self.tempdir() / "trove"
        self.site = self.tempdir()
        for name in ("__init__.py", "api/app.py", "tests/base.py", "__pycache__/app.pyc"):
            self.write(name, "1")
        (self.site / "oslo_config-1.0.dist-info").mkdir()

    def write(self, name: str, text: str) -> None:
        path = self.package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def digest(self) -> str:
        with (
            mock.patch("trove.__file__", str(self.package / "__init__.py")),
            mock.patch("sysconfig.get_path", autospec=True, return_value=str(self.site)),
        ):
            return code.digest()

    def test_touched_or_compiled_it_is_the_same(self) -> None:
        before = self.digest()
        os.utime(self.package / "api" / "app.py", (1, 1))
        self.write("__pycache__/app.pyc", "2")
        self.write("api/app.pyc", "2")
        self.write("tests/base.py", "2")
        self.assertEqual(before, self.digest())

    def test_every_change_makes_another(self) -> None:
        seen = {self.digest()}
        for change in (
            lambda: self.write("api/app.py", "2"),
            lambda: self.write("api/more.py", ""),
            lambda: (self.package / "api" / "more.py").rename(self.package / "more.py"),
            lambda: (self.site / "oslo_config-1.0.dist-info").rename(self.site / "oslo_config-1.1.dist-info"),
        ):
            change()
            self.assertNotIn(self.digest(), seen)
            seen.add(self.digest())
