# SPDX-License-Identifier: Apache-2.0
"""Inventories come true in short transactions, the newest wins, and a budget bounds what one guest writes."""

import fixtures

from trove.conductor import inventories
from trove.objects import inventory
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock
from trove.tests.unit.conductor import world
from trove.wire import base as wire
from trove.wire import report


def listing(*names: str, users: tuple[str, ...] = ()) -> report.Inventory:
    """Return an inventory."""
    return report.Inventory(
        report_id="r",
        databases=[report.InventoryDatabase(name=name) for name in names],
        users=[report.InventoryUser(name=name, databases=[]) for name in users],
        root_enabled=False,
    )


class InventoriesTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())
        self.clock = self.useFixture(ManualClock())
        self.useFixture(fixtures.MonkeyPatch("trove.conductor.inventories.ROWS", 10))
        self.guest = self.world.enrolled()

    def say(self, message: report.Inventory) -> list[wire.Message]:
        return self.guest.hear(self.world.intake.receive(self.guest.session.seal_report(message)))

    def names(self) -> list[str]:
        with self.world.db.reader() as session:
            return [row.name for row in inventory.list_databases(session, self.guest.id, limit=5000)]

    def transactions(self, message: report.Inventory) -> int:
        """Say it, and return how many write transactions that took."""
        count = 0
        real = self.world.db.writer

        def counted() -> object:
            nonlocal count
            count += 1
            return real()

        with fixtures.MockPatchObject(self.world.db, "writer", counted):
            self.say(message)
        return count

    def test_short_transactions(self) -> None:
        names = [f"d{number:03}" for number in range(45)]
        self.assertEqual(5, self.transactions(listing(*names)))
        self.assertEqual(names, self.names())
        self.assertEqual(1, self.transactions(listing(*names)), "nothing differs")
        self.assertEqual(1, self.transactions(listing(*names[:-2], "x", users=("u",))))
        self.assertEqual(sorted([*names[:-2], "x"]), self.names())

    def test_beyond_the_budget(self) -> None:
        """It is written as far as the budget goes, shown, and not acknowledged until nothing is left."""
        self.world.budgets.spend_rows(self.guest.id, self.world.budgets.rows(self.guest.id) - 25)
        names = [f"d{number:03}" for number in range(45)]
        self.assertEqual([], self.say(listing(*names)))
        self.assertEqual(names[:20], self.names())
        self.assertEqual([self.guest.id], [item.instance_id for item in self.world.budgets.slowed(9)])
        self.assertEqual([], self.say(listing(*names)))
        self.assertEqual(names[:20], self.names())
        self.clock.advance(10.0)
        (acknowledged,) = self.say(listing(*names))
        self.assertEqual(["r"], acknowledged.report_ids)
        self.assertEqual(names, self.names())

    def test_nothing_is_compared_without_a_budget(self) -> None:
        self.world.budgets.spend_rows(self.guest.id, 1e6)

        def compared(*_arguments: object) -> None:
            raise AssertionError("compared")

        self.useFixture(fixtures.MockPatchObject(inventory, "compare", compared))
        self.assertEqual([], self.say(listing("a")))

    def test_older_one_that_comes_late(self) -> None:
        old, new = (self.guest.session.seal_report(listing(name)) for name in ("old", "new"))
        self.world.intake.receive(new)
        self.assertEqual([], self.world.intake.receive(old))
        self.assertEqual(["new"], self.names())

    def test_overtaken_between_two_parts(self) -> None:
        """The rest of the older one is not written over the newer one."""
        old = self.guest.session.seal_report(listing(*[f"old{number:03}" for number in range(45)]))
        new = self.guest.session.seal_report(listing("new"))
        other = self.world.make_intake()
        real = inventories.Writing._later

        waiting = [new]

        def late(*arguments: object, **options: object) -> object:
            if waiting:
                other.receive(waiting.pop())
            return real(*arguments, **options)  # type: ignore[arg-type]

        self.useFixture(fixtures.MockPatchObject(inventories.Writing, "_later", late))
        self.assertEqual([], self.world.intake.receive(old))
        self.assertEqual(["new"], self.names())

    def test_new_identity_has_no_past(self) -> None:
        for _ in range(5):
            self.say(listing("a"))
        self.guest = self.world.enrolled(instance_id=self.guest.id)
        self.say(listing("b"))
        self.assertEqual(["b"], self.names())
