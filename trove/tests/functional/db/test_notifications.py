# SPDX-License-Identifier: Apache-2.0
"""The outbox: claimed by one sender at a time, kept until it was sent; marks that one process moves."""

import datetime

from trove.objects import notification
from trove.objects.notification import Progress
from trove.tests.functional.db import case


class Outbox(case.EveryDatabase):
    def setUp(self) -> None:
        super().setUp()
        with self.db.writer() as session:
            notification.add(session, "dbaas.tried.start", "api.h", [{"n": n} for n in range(5)])

    def _claim(self, owner: str, limit: int = 10, later: float = 0.0) -> list[int]:
        with self.db.writer() as session:
            now = self.db.now(session) + datetime.timedelta(seconds=later)
            return [item.payload["n"] for item in notification.claim(session, owner, now, 60.0, limit)]

    def test_in_order_and_to_one_sender_only(self) -> None:
        self.assertEqual([0, 1, 2], self._claim("a", 3))
        self.assertEqual([3, 4], self._claim("b"))
        self.assertEqual([], self._claim("a"))

    def test_what_a_dead_sender_had_is_sent_by_another(self) -> None:
        self._claim("dead", 3)
        self.assertEqual([0, 1, 2, 3, 4], self._claim("b", later=61.0))

    def test_only_the_owner_removes(self) -> None:
        with self.db.writer() as session:
            taken = notification.claim(session, "a", self.db.now(session), 60.0, 2)
            sequences = [item.sequence for item in taken]
            notification.remove(session, "b", sequences)
        self.assertEqual([0, 1, 2, 3, 4], self._claim("c", later=61.0))
        with self.db.writer() as session:
            notification.remove(session, "c", sequences)
        self.assertEqual([2, 3, 4], self._claim("d", later=200.0))

    def test_two_senders_at_once_share_the_rows(self) -> None:
        results = self.at_once(*(lambda name=name: self._claim(name) for name in "abcd"))
        taken = sorted(n for found in results if isinstance(found, list) for n in found)
        # A sender that collided takes nothing this time; none takes what another has.
        self.assertEqual(len(taken), len(set(taken)))
        self.assertEqual([], sorted({*range(5)} - {*taken} - {*self._claim("e")}))


class Marks(case.EveryDatabase):
    def _progress(self, period: int) -> Progress | None:
        with self.db.writer() as session:
            return notification.progress(session, "exists", period)

    def _advance(self, before: Progress, position: str | None) -> bool:
        with self.db.writer() as session:
            return notification.advance(session, "exists", before, position)

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
