# SPDX-License-Identifier: Apache-2.0
# covers: trove/objects/notification.py
"""The outbox: claimed by one sender at a time, kept until it was sent."""

import datetime

from trove.objects import notification
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
