# SPDX-License-Identifier: Apache-2.0
"""What the agent of an instance does not know is refused when it is asked for, and nothing is written then."""

from typing import Any

from trove.domain import operations
from trove.tests.functional.api import world
from trove.wire import command

PASSWORD = "s3cret-Pa55word"


class OldAgentTest(world.InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.instance_id = self.active()
        self.path = f"/instances/{self.instance_id}"

    def knows(self, *names: str) -> None:
        """Have the instance's agent be one that knows no other commands."""
        self.guests.say_hello(self.instance_id, {name: [1] for name in names})

    def refuse(self, command_name: str, method: str, path: str, body: Any = None, **options: Any) -> None:
        """Have a request refused because of a command, and nothing changed."""
        before = self.everything()
        answer = self.call(method, self.path + path, body, status=422, version="1.1", **options).json
        (error,) = answer.values()
        self.assertEqual("guest.too_old", error["symbol"])
        expected = f"The agent of instance {self.instance_id} is too old for '{command_name}'; ask the operator"
        self.assertIn(expected, error["message"])
        self.assertEqual(before, self.everything())

    def test_changes_inside(self) -> None:
        self.knows("restart")
        user = {"name": "u", "password": PASSWORD}
        self.refuse("create_databases", "POST", "/databases", {"databases": [{"name": "d"}]})
        self.refuse("create_users", "POST", "/users", {"users": [user]})
        self.refuse("enable_root", "POST", "/root")

    def test_operations(self) -> None:
        self.knows("create_databases")
        self.refuse("restart", "POST", "/action", {"restart": {}})
        self.refuse("reconfigure", "POST", "/action", {"resize": {"flavorRef": "medium"}})
        self.refuse("grow_volume", "POST", "/action", {"resize": {"volume": {"size": 3}}})
        self.assertEqual(("ACTIVE", "HEALTHY"), self.status(self.instance_id))
        self.assertEqual(["SUCCEEDED"], [row["state"] for row in self.workflows(self.instance_id)])

    def test_what_it_knows_goes_on(self) -> None:
        self.knows("create_databases", "of_the_future")
        self.call("POST", f"{self.path}/databases", {"databases": [{"name": "d"}]}, status=202)
        self.settle()
        self.assertEqual(["d"], list(self.guests.engines[self.instance_id].databases))
        self.call("DELETE", self.path, status=202)  # whatever it knows
        self.settle()

    def test_an_upgraded_agent_is_asked_at_once(self) -> None:
        self.knows()
        self.refuse("restart", "POST", "/action", {"restart": {}})
        self.knows("restart")
        self.action(self.instance_id, {"restart": {}})
        self.settle()
        self.assertEqual("SUCCEEDED", self.workflows(self.instance_id)[-1]["state"])

    def test_every_command_of_an_operation_exists(self) -> None:
        names = {name for name, _version in command.COMMANDS}
        inputs = {"enabled": True, "configuration_id": None}
        for kind in operations.KINDS:
            self.assertLessEqual(set(operations.guest_commands(kind, inputs)), names, kind)
