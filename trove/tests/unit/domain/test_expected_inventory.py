# SPDX-License-Identifier: Apache-2.0
"""What accepted commands make of an inventory, in their order."""

from typing import Any

from trove.domain import expected_inventory
from trove.domain.expected_inventory import Inventory
from trove.tests import base
from trove.wire import command

U = command.UserKey(name="u")


def changes(*commands: command.Command) -> list[tuple[str, Any]]:
    return [(item.name, item.to_wire()) for item in commands]


def create(*names: str) -> command.Command:
    return command.CreateDatabases(databases=[command.DatabaseSpec(name=name) for name in names])


def user(name: str, *databases: str, host: str = "%") -> command.Command:
    spec = command.UserSpec(name=name, password="p", host=host, databases=list(databases))
    return command.CreateUsers(users=[spec])


class ExpectedInventoryTest(base.UnitTestCase):
    def after(self, *commands: command.Command, users: Any = None, databases: Any = ()) -> Inventory:
        found = Inventory(set(databases), {key: list(granted) for key, granted in (users or {}).items()})
        found.apply(changes(*commands))
        return found

    def test_databases(self) -> None:
        self.assertEqual(
            {"a", "c"}, self.after(create("a", "b"), command.DropDatabase(database="b"), create("c")).databases
        )
        self.assertEqual({"b"}, self.after(command.DropDatabase(database="b"), create("b"), databases=["b"]).databases)
        self.assertEqual(set(), self.after(create("b"), command.DropDatabase(database="b")).databases)

    def test_users(self) -> None:
        found = self.after(
            user("u", "a"),
            user("u", host="10.0.0.1"),
            user("gone"),
            command.DropUser(user=command.UserKey(name="gone")),
        )
        self.assertEqual({("u", "%"): ["a"], ("u", "10.0.0.1"): []}, found.users)

    def test_access(self) -> None:
        grant = command.GrantAccess(user=U, databases=["a", "b"])
        self.assertEqual(["a", "b"], self.after(user("u", "a"), grant).users["u", "%"])
        revoke = command.RevokeAccess(user=U, database="a")
        self.assertEqual(["b"], self.after(grant, revoke, users={("u", "%"): ["a"]}).users["u", "%"])
        self.assertEqual([], self.after(command.DropDatabase(database="a"), users={("u", "%"): ["a"]}).users["u", "%"])
        self.assertEqual({}, self.after(grant, revoke).users)

    def test_a_user_is_moved_with_its_access(self) -> None:
        moved = command.AlterUser(user=U, new_name="v", new_host="h")
        for commands, reported in (
            ((user("u", "a"), moved), {}),
            ((moved,), {("u", "%"): ["a"]}),
            ((moved,), {("v", "h"): ["a"]}),  # the report was faster than the result
        ):
            self.assertEqual({("v", "h"): ["a"]}, self.after(*commands, users=reported).users)
        same = command.AlterUser(user=U, new_password="p2")
        self.assertEqual({("u", "%"): ["a"]}, self.after(same, users={("u", "%"): ["a"]}).users)

    def test_applying_what_is_reported_already_changes_nothing(self) -> None:
        commands = (create("a"), user("u", "a"), command.GrantAccess(user=U, databases=["a"]))
        found = self.after(*commands)
        self.assertEqual(found, self.after(*commands, users=found.users, databases=found.databases))

    def test_what_is_none_of_its_business(self) -> None:
        self.assertEqual(Inventory(), self.after(command.Restart(), command.EnableRoot(password="p")))

    def test_arguments_that_are_erased(self) -> None:
        found = Inventory({"a"}, {("u", "%"): []})
        found.apply([(name, {}) for name, _ in command.COMMANDS])
        self.assertEqual(Inventory({"a"}, {("u", "%"): []}), found)

    def test_whose_state_counts(self) -> None:
        named = expected_inventory.users_named(changes(user("new"), command.DropUser(user=U), create("a")))
        self.assertEqual({"u"}, named)
