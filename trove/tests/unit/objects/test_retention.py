# SPDX-License-Identifier: Apache-2.0
"""A walk in order of age: from where the page before ended, however many rows have the same moment."""

import sqlalchemy as sa

from trove.objects import configuration, retention
from trove.tests import base
from trove.tests.fixtures import aged
from trove.tests.fixtures.databases import DatabaseFixture


class TestWalk(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db

    def walk(self, limit: int) -> list[tuple[str, int]]:
        keys = [aged.HISTORY.c.configuration_id, aged.HISTORY.c.revision]
        seen: list[tuple[str, int]] = []
        position: str | None = ""
        with self.db.reader() as session:
            while position is not None:
                page = retention.Page(aged.ago(30), position, limit)
                found, position = retention.old(session, aged.HISTORY.c.created_at, keys, page)
                seen += [(row.configuration_id, row.revision) for row in found]
        return seen

    def test_every_row_once_in_pages_of_any_size(self) -> None:
        with self.db.writer() as session:
            first = aged.group(session, *[90] * 12)  # the eleventh comes after the second: numbers, not text
            second = aged.group(session, 80, 80, 31)
            aged.group(session, 29)
        expected = [(first, n) for n in range(1, 13)] + [(second, n) for n in range(1, 4)]
        for limit in (1, 2, 5, 15, 100):
            self.assertEqual(expected, self.walk(limit), limit)

    def test_the_present_values_of_a_group_stay(self) -> None:
        with self.db.writer() as session:
            old, young = aged.group(session, 90, 80, 70), aged.group(session, 90, 40, 3)
            page = retention.Page(aged.ago(30), "", 100)
            self.assertEqual((5, 4, None), configuration.sweep_history(session, page._replace(dry=True)))
            self.assertEqual(6, len(session.execute(sa.select(aged.HISTORY)).all()))
            self.assertEqual((5, 4, None), configuration.sweep_history(session, page))
            left = session.execute(sa.select(aged.HISTORY.c.configuration_id, aged.HISTORY.c.revision)).all()
            self.assertEqual({(old, 3), (young, 3)}, {tuple(row) for row in left})
            self.assertEqual((1, 0, None), configuration.sweep_history(session, page))
