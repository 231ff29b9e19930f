# SPDX-License-Identifier: Apache-2.0
"""Logs through the client, from a store that only the service can read."""

from trove.tests.e2e.client.base import ClientTestCase


class LogCommandsTest(ClientTestCase):
    def test_logs(self) -> None:
        instance_id = self.world.instance("postgresql")
        listed = {row["Name"]: row for row in self.works("database log list", "postgresql")}
        self.assertEqual(("USER", "Disabled"), (listed["general"]["Type"], listed["general"]["Status"]))
        enabled = self.works("database log set", "postgresql", "general", "--enable")
        self.addCleanup(self.ask, "database log set", instance_id, "general", "--disable", "--discard")
        self.assertEqual("general", enabled["name"])
        shown = self.http.wait_active(instance_id)
        self.rows(self.connect(shown, "shop", "app", "app-secret"), "select 'to be found in the log'")
        published = self.ask("database log set", instance_id, "general", "--publish")
        self.assertLess(0, published["published"], published)
        shown_log = self.works("database log show", "postgresql", "general")
        self.assertEqual(published["container"], shown_log["container"])
        text = self.http.call("GET", f"/instances/{instance_id}/log/general/content", version="latest").text
        self.assertIn("to be found in the log", text)
        discarded = self.ask("database log set", instance_id, "general", "--discard")
        self.assertEqual(0, discarded["published"])
        self.fails("database log show", "postgresql", "nothing", says="The instance has no log 'nothing'", status=400)

    def test_reading_needs_a_login_that_the_client_can_repeat(self) -> None:
        # The client wants to log in to Swift again by itself, and finds no password in this kind of login.
        self.world.instance("postgresql")
        says = "'AttributeError' object has no attribute 'message'"
        self.fails("database log tail", "postgresql", "general", says=says)
        self.fails("database log save", "postgresql", "general", says=says)
