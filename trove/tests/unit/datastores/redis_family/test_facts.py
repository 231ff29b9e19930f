# SPDX-License-Identifier: Apache-2.0

from trove.datastores.redis_family import facts
from trove.tests import base


class TestNames(base.UnitTestCase):
    def test_legal(self) -> None:
        for name in ("a", "a'b\"c;#>+@all", "Größe→数据", "x" * 128, "ROOT", "Default"):
            self.assertIsNone(facts.name_problem(name), name)
            self.assertFalse(facts.is_reserved_user(name), name)

    def test_illegal(self) -> None:
        for name in ("", " ", "a b", "a\nb", "a\0b", "a\x7fb", "a\u00a0b", "a\u200eb", "a\u2029b", "\ud800", "ü" * 65):
            self.assertIsNotNone(facts.name_problem(name), repr(name))
        for name in ("default", "os_admin", "root"):
            self.assertTrue(facts.is_reserved_user(name))

    def test_passwords(self) -> None:
        self.assertIsNone(facts.password_problem(" \n'\"#>", None))
        for password in ("", "\0", "\ud800hunter2"):
            problem = facts.password_problem(password, "ann")
            assert problem is not None
            self.assertNotIn("hunter2", problem)
