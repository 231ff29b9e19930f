# SPDX-License-Identifier: Apache-2.0
"""Who has to go when there is no room."""

import dataclasses
import random

from trove.httpserver.ledger import Ledger
from trove.httpserver.limits import Limits
from trove.tests import base

LIMITS = Limits(connections=32, connections_per_peer=4, held_bytes=1000, held_bytes_per_peer=400)


class LedgerTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ledger: Ledger[str] = Ledger(LIMITS)

    def test_a_peer_with_too_many_loses_its_oldest(self) -> None:
        for number in range(4):
            self.assertEqual([], self.ledger.open(f"a{number}", "a"))
        self.assertEqual([], self.ledger.open("b", "b"))
        self.assertEqual(["a0"], self.ledger.open("a4", "a"))
        self.assertEqual(["a1"], self.ledger.open("a5", "a"))

    def test_an_answer_makes_a_connection_young_again(self) -> None:
        for number in range(4):
            self.ledger.open(f"a{number}", "a")
        self.assertTrue(self.ledger.take("a0"))
        self.ledger.give_back("a0")
        self.assertEqual(["a1"], self.ledger.open("a4", "a"))

    def test_busy_ones_stay(self) -> None:
        for number in range(4):
            self.ledger.open(f"a{number}", "a")
            self.ledger.take(f"a{number}")
        self.assertEqual([], self.ledger.open("a4", "a"))
        self.assertEqual(["a4"], self.ledger.open("a5", "a"))

    def test_with_lower_limits_a_newcomer_displaces_all_that_are_too_many(self) -> None:
        for number in range(6):
            self.ledger.open(f"a{number}", f"peer {number}")
        self.ledger.take("a0")
        self.ledger.limits = dataclasses.replace(LIMITS, connections=3)
        self.assertEqual(["a1", "a2", "a3", "a4"], self.ledger.open("b", "b"))

    def test_with_all_full_the_oldest_of_all_goes(self) -> None:
        for number in range(32):
            self.ledger.open(str(number), f"peer {number}")
        self.ledger.take("0")
        self.assertEqual(["1"], self.ledger.open("new", "another"))
        self.assertEqual(32, len(self.ledger))

    def test_some_room_is_kept_for_newcomers(self) -> None:
        for number in range(32):
            self.ledger.open(str(number), f"peer {number}")
        taken = [self.ledger.take(str(number)) for number in range(32)]
        self.assertEqual(30, sum(taken))
        self.assertEqual(["30"], self.ledger.open("new", "another"))
        self.assertFalse(self.ledger.take("new"))
        self.ledger.give_back("3")
        self.assertTrue(self.ledger.take("new"))

    def test_bytes_of_a_peer(self) -> None:
        for name in ("a", "b", "c"):
            self.ledger.open(name, "a")
        self.assertEqual([], self.ledger.hold("b", 300))
        self.assertEqual([], self.ledger.hold("c", 100))
        self.assertEqual(["b"], self.ledger.hold("c", 1))
        self.assertEqual(101, self.ledger.held)
        self.assertEqual(["c"], self.ledger.hold("c", 400))
        self.assertEqual(0, self.ledger.held)

    def test_bytes_of_all(self) -> None:
        for number in range(4):
            self.ledger.open(str(number), f"peer {number}")
            victims = self.ledger.hold(str(number), 300)
        self.assertEqual(["0"], victims)

    def test_a_complete_request_is_not_counted(self) -> None:
        self.ledger.open("a", "a")
        self.ledger.hold("a", 400)
        self.ledger.take("a")
        self.assertEqual([], self.ledger.hold("a", 400))
        self.assertEqual(0, self.ledger.held)

    def test_what_a_reader_has_taken_is_not_counted(self) -> None:
        self.ledger.open("a", "a")
        for _ in range(100):
            self.assertEqual([], self.ledger.hold("a", 300))
            self.ledger.release("a", 300)
        self.assertEqual(0, self.ledger.held)

    def test_the_unknown_is_no_error(self) -> None:
        self.ledger.close("x")
        self.ledger.give_back("x")
        self.ledger.release("x", 1)
        self.assertEqual([], self.ledger.hold("x", 1))
        self.assertFalse(self.ledger.take("x"))
        self.assertIsNone(self.ledger.oldest())

    def test_any_history_keeps_the_bounds(self) -> None:
        chance = random.Random(7)
        known: list[str] = []
        for step in range(5000):
            action = chance.choice(("open", "open", "hold", "take", "give_back", "release", "close"))
            if action == "open":
                known.append(str(step))
                self.ledger.open(str(step), f"peer {chance.randrange(12)}")
            elif known:
                name = chance.choice(known[-60:])
                if action in ("hold", "release"):
                    getattr(self.ledger, action)(name, chance.randrange(200))
                else:
                    getattr(self.ledger, action)(name)
            self.assertLessEqual(len(self.ledger), LIMITS.connections)
            self.assertLessEqual(self.ledger.busy, LIMITS.busy_connections)
            self.assertTrue(0 <= self.ledger.held <= LIMITS.held_bytes)
        for name in known:
            self.ledger.close(name)
        self.assertEqual((0, 0, 0), (len(self.ledger), self.ledger.busy, self.ledger.held))
