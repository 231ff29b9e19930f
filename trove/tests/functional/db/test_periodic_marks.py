# SPDX-License-Identifier: Apache-2.0
# covers: trove/objects/periodic_mark.py
"""Marks that one process moves."""

from trove.objects import periodic_mark
from trove.objects.periodic_mark import Progress
from trove.tests.functional.db import case


class Marks(case.EveryDatabase):
    def _progress(self, period: int) -> Progress | None:
        with self.db.writer() as session:
            return periodic_mark.progress(session, "exists", period)

    def _advance(self, before: Progress, position: str | None) -> bool:
        with self.db.writer() as session:
            return periodic_mark.advance(session, "exists", before, position)

    def test_a_period_is_gone_through_once(self) -> None:
        begin = self._progress(7)
        assert begin is not None
        self.assertEqual(Progress(7, ""), begin)
        self.assertTrue(self._advance(begin, "m"))
        self.assertFalse(self._advance(begin, "m"))
        middle = self._progress(7)
        assert middle is not None
        self.assertEqual(Progress(7, "m"), middle)
        self.assertTrue(self._advance(middle, None))
        self.assertIsNone(self._progress(7))

    def test_whether_it_is_done_is_told_without_writing(self) -> None:
        def done(period: int) -> bool:
            with self.db.reader() as session:
                return periodic_mark.is_done(session, "exists", period)

        self.assertFalse(done(7))
        begin = self._progress(7)
        assert begin is not None
        self.assertFalse(done(7))
        self._advance(begin, None)
        self.assertEqual([True, True, False], [done(period) for period in (6, 7, 8)])

    def test_an_unfinished_period_gives_way_to_the_next(self) -> None:
        begin = self._progress(7)
        assert begin is not None
        self._advance(begin, "m")
        following = self._progress(8)
        assert following is not None
        self.assertEqual(Progress(8, ""), following)
        self.assertTrue(self._advance(following, None))
        self.assertIsNone(self._progress(8))
        self.assertFalse(self._advance(Progress(7, "m"), "n"))
