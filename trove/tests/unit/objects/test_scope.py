# SPDX-License-Identifier: Apache-2.0
import sqlalchemy as sa

from trove.db import models
from trove.objects import base
from trove.objects.scope import Scope
from trove.tests import base as test_base


class ScopeTest(test_base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.table = base.table_of(models.Instance)

    def test_a_project_restricts_the_query(self) -> None:
        query = Scope.project("p").filter(sa.select(self.table.c.id), self.table.c.project_id)
        compiled = query.compile()
        self.assertIn("WHERE instances.project_id =", str(compiled))
        self.assertEqual(["p"], list(compiled.params.values()))

    def test_all_does_not(self) -> None:
        self.assertNotIn("WHERE", str(Scope.ALL.filter(sa.select(self.table.c.id), self.table.c.project_id)))

    def test_an_empty_project_is_never_everything(self) -> None:
        for nothing in ("", None):
            self.assertRaises(ValueError, Scope.project, nothing)

    def test_admits(self) -> None:
        self.assertEqual(
            [True, False, True], [Scope.project("p").admits("p"), Scope.project("p").admits("q"), Scope.ALL.admits("q")]
        )
