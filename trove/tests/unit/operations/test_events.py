# SPDX-License-Identifier: Apache-2.0
"""Which events an operation is."""

from trove.domain import operations
from trove.domain.notifications import Event
from trove.operations import events
from trove.tests.unit.operations import case
from trove.wire import command


class EventsTest(case.OperationsCase):
    def test_of_an_instance(self) -> None:
        own = {"instance_id": self.instance_id}
        shapes = {"new": {"flavor_id": "2"}}
        for kind, inputs, event in (
            (operations.INSTANCE_DELETE, {}, Event("instance_delete", own)),
            (operations.INSTANCE_MIGRATE, {"host": "h"}, Event("migrate", {**own, "host": "h"})),
            (
                operations.INSTANCE_RESIZE_VOLUME,
                {"size_gib": 3},
                Event("instance_resize_volume", {**own, "new_size": 3}),
            ),
            (
                operations.INSTANCE_RESIZE_FLAVOR,
                shapes,
                Event("instance_resize_instance", {**own, "new_flavor_id": "2"}),
            ),
        ):
            with self.work() as work:
                self.assertEqual([event], events.of_instance(kind, self.instance(work), inputs))

    def test_of_a_group(self) -> None:
        own = {"instance_id": self.instance_id}
        for inputs, found in (
            ({}, []),
            ({"previous": None, "configuration_id": "g"},
             [Event("instance_attach_configuration", {**own, "configuration_id": "g"})]),
            ({"previous": "g", "configuration_id": None}, [Event("instance_detach_configuration", own)]),
        ):  # fmt: skip
            with self.work() as work:
                instance = self.instance(work)
                self.assertEqual(found, events.of_instance(operations.INSTANCE_CONFIGURE, instance, inputs))

    def test_of_a_command_there_is_one_for_each_thing_and_no_password(self) -> None:
        key = command.UserKey(name="u")
        users = [command.UserSpec(name=name, password="hunter2") for name in ("u", "v")]
        for change, names in (
            (command.CreateUsers(users=users), ["user_create", "user_create"]),
            (command.AlterUser(user=key, new_password="hunter2"), ["user_change_password"]),
            (command.AlterUser(user=key, new_name="v"), ["user_update_attributes"]),
            (command.GrantAccess(user=key, databases=["d", "e"]), ["user_grant", "user_grant"]),
            (command.StopEngine(), []),
        ):
            with self.work() as work:
                found = events.of_command(self.instance(work), change)
            self.assertEqual(names, [event.name for event in found])
            self.assertNotIn("hunter2", str(found))
