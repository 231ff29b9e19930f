# SPDX-License-Identifier: Apache-2.0
"""Each guest has its own budget, and who goes beyond it is remembered."""

import fixtures
import sqlalchemy as sa

from trove.common import ids
from trove.conductor import budgets, slowed
from trove.db import models
from trove.domain import instance_states
from trove.objects import heartbeat, instance_listing
from trove.objects.scope import Scope
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock
from trove.tests.unit.conductor import world


class BudgetsTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(ManualClock())
        self.conf = self.new_conf(guest_bus__guest_message_rate=2.0, guest_bus__guest_rows_per_minute=1200)
        self.budgets = budgets.Budgets(self.conf)

    def test_messages(self) -> None:
        self.assertEqual({0.0}, {self.budgets.admit("a", 100) for _ in range(20)})
        self.assertEqual(1.0, self.budgets.admit("a", 100))
        self.assertEqual(0.0, self.budgets.admit("b", 100), "the others are not affected")
        self.clock.advance(1.0)
        self.assertEqual([0.0, 0.0, 1.0], [self.budgets.admit("a", 100) for _ in range(3)])

    def test_large_messages_cost_more(self) -> None:
        self.assertEqual(0.0, self.budgets.admit("a", 1024 * 1024))
        self.assertEqual(7.0, self.budgets.admit("a", 1024 * 1024))

    def test_nobody_waits_for_ever(self) -> None:
        for _ in range(2):
            wait = self.budgets.admit("a", 100 * 1024 * 1024)
        self.assertEqual(budgets.MAX_WAIT, wait)

    def test_rows(self) -> None:
        self.assertEqual(1200, self.budgets.rows("a"))
        self.budgets.spend_rows("a", 1000)
        self.budgets.spend_compared("a", 2000)
        self.assertEqual((100, 1200), (self.budgets.rows("a"), self.budgets.rows("b")))
        self.budgets.spend_rows("a", 500)
        self.assertEqual(0, self.budgets.rows("a"))
        self.clock.advance(30.0)
        self.assertEqual(200, self.budgets.rows("a"))

    def test_who_was_slowed(self) -> None:
        self.assertEqual([], self.budgets.slowed(10))
        for _ in range(23):
            self.budgets.admit("a", 0)
        self.budgets.cut_short("b")
        self.assertEqual([("a", 3, 0)], self.budgets.slowed(1))
        self.assertEqual([("b", 0, 1)], self.budgets.slowed(10))
        self.assertEqual([], self.budgets.slowed(10))

    def test_memory_is_bounded(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.conductor.budgets._MAX_GUESTS", 3))
        for number in range(10):
            self.budgets.admit(str(number), 0)
            self.budgets.cut_short(str(number))
        self.assertEqual(["7", "8", "9"], list(self.budgets._guests))
        self.assertEqual({"7", "8", "9"}, {item.instance_id for item in self.budgets.slowed(10)})


class SlowedGuestsTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())
        self.clock = self.useFixture(ManualClock())
        self.guests = [self.world.enrolled() for _ in range(3)]
        self.conf = self.new_conf(oslo_messaging_notifications__driver=["messagingv2"])
        self.slowed = slowed.SlowedGuests(self.conf, self.world.db, self.world.budgets)

    def warnings(self) -> int:
        return self.logs.text().count("reports more than")

    def test_one_line_in_a_period_and_one_notification(self) -> None:
        self.slowed.look()
        self.assertEqual(0, self.warnings())
        for _round in range(5):
            self.world.budgets.cut_short(self.guests[0].id)
            self.slowed.look()
            self.clock.advance(61.0)
        self.assertEqual(1, self.warnings())
        self.world.budgets.cut_short(self.guests[1].id)
        self.slowed.look()
        self.assertEqual(2, self.warnings())
        self.clock.advance(slowed.PERIOD)
        self.world.budgets.cut_short(self.guests[0].id)
        self.slowed.look()
        self.assertEqual(3, self.warnings())

    def test_what_is_shown(self) -> None:
        self.world.budgets.cut_short(self.guests[0].id)
        self.slowed.look()
        with self.world.db.reader() as session:
            now = self.world.db.now(session)
            rows = [instance_listing.get_row(session, Scope.ALL, guest.id) for guest in self.guests]
            since = heartbeat.slowed_since(session, rows[0].created_at, 10)
        reasons = [instance_states.slowed_reason(row.guest_slowed_at, now) for row in rows]
        self.assertIn("more than the service takes", reasons[0] or "")
        self.assertEqual([None, None], reasons[1:])
        self.assertEqual([self.guests[0].id], [item for item, _moment in since])

    def notified(self) -> list[str]:
        with self.world.db.reader() as session:
            return [payload["instance_id"] for payload in session.scalars(sa.select(models.Notification.payload))]

    def test_nothing_is_kept_for_notifications_that_nobody_wants(self) -> None:
        self.conf.clear_override("driver", "oslo_messaging_notifications")
        self.world.budgets.cut_short(self.guests[0].id)
        self.slowed.look()
        self.assertEqual((1, []), (self.warnings(), self.notified()))

    def test_guest_of_an_instance_that_has_gone(self) -> None:
        self.world.budgets.cut_short(ids.new_id())
        self.world.budgets.cut_short(self.guests[0].id)
        self.slowed.look()
        self.assertEqual(2, self.warnings())
        self.assertEqual([self.guests[0].id], self.notified())
