# SPDX-License-Identifier: Apache-2.0
from trove.common import ids
from trove.objects import errors, guest_support
from trove.tests import base
from trove.tests.unit.conductor import world


class RequireTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())

    def lacking(self, instance_id: str, *names: str) -> str | None:
        with self.world.db.reader() as session:
            try:
                guest_support.require(session, instance_id, names)
            except errors.GuestTooOld as err:
                return err.message
        return None

    def test_all_that_lacks_is_named(self) -> None:
        guest = self.world.enrolled()
        said = world.hello(commands={"restart": [1], "stop": [99], "dance": [1]})
        guest.hear(self.world.intake.receive(guest.session.seal_report(said)))
        self.assertIsNone(self.lacking(guest.id))
        self.assertIsNone(self.lacking(guest.id, "restart"))
        # A version, or a command, that nobody here can send is of no use.
        self.assertEqual(
            f"The agent of instance {guest.id} is too old for 'stop', 'dance'; ask the operator to upgrade it.",
            self.lacking(guest.id, "restart", "stop", "dance"),
        )

    def test_who_has_not_spoken_is_not_judged(self) -> None:
        for instance_id in (self.world.guest().id, self.world.instance(), ids.new_id()):
            self.assertIsNone(self.lacking(instance_id, "restart"))
