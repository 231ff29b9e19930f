# SPDX-License-Identifier: Apache-2.0
"""Processes that are there and do nothing (SIGSTOP): they are noticed within a minute, explained, and helped."""

import os
import signal
from typing import Any

from trove.common import clock
from trove.providers.local import processes
from trove.tests.e2e import base
from trove.tests.e2e.test_survival import agent_pid, create, engine_pid

#: Seconds within which anything that hangs is to be noticed.
MINUTE = 60.0
#: Less than it takes to start the agent again, so that both can be seen one after the other.
_CONFIG = "[guest_bus]\nagent_heartbeat_expiry = 12\n"


class HangingTest(base.EndToEndTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.service = self.standalone(_CONFIG)
        self.client = self.service.client
        self.instance_id = create(self.client, "hanging")
        self.shown = self.client.wait_active(self.instance_id)
        self.app = self.connect(self.shown, "shop", "app", "app-password")

    def stop(self, pid: int) -> int:
        """Have a process hang until the end of the test."""
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(self.wake, processes.identify(pid))
        return pid

    @staticmethod
    def wake(process: processes.Identity) -> None:
        processes.signal_members([process], signal.SIGCONT)

    def wait_for(self, word: str) -> dict[str, Any]:
        """Wait until the operating status is this and return the instance."""

        def look() -> dict[str, Any] | None:
            shown = self.client.instance(self.instance_id)
            return shown if shown is not None and shown["operating_status"] == word else None

        found: dict[str, Any] = base.wait_until(look, f"operating status {word}", MINUTE)
        return found

    def act(self, path: str, body: dict[str, Any]) -> None:
        self.assertEqual(202, self.client.call("POST", path, body).status_code)

    def test_an_agent_that_hangs(self) -> None:
        agent, engine = self.stop(agent_pid(self.service, self.instance_id)), engine_pid(self.service, self.instance_id)
        shown = self.wait_for("ERROR")
        self.assertEqual("ACTIVE", shown["status"])
        self.assertIn("The agent has not reported since 20", shown["service_status_reason"])
        # By itself, and the database does not notice.
        shown = self.wait_for("HEALTHY")
        self.assertNotIn("service_status_reason", shown)
        self.assertFalse(base.alive(agent))
        self.assertEqual(engine, engine_pid(self.service, self.instance_id))
        self.assertEqual([(1,)], self.rows(self.app, "select 1"))
        # What an owner asks of one that hangs does not keep from an operator what helps at once.
        agent = self.stop(agent_pid(self.service, self.instance_id))
        self.act(f"/instances/{self.instance_id}/action", {"restart": {}})
        began = clock.monotonic()
        self.act(f"/mgmt/instances/{self.instance_id}/action", {"reboot": {}})
        self.client.wait_active(self.instance_id)
        # The agent is asked to stop its engine, for a minute; one that is known to be silent is not.
        self.assertLess(clock.monotonic() - began, 2 * MINUTE)
        self.assertFalse(base.alive(agent))
        self.assertNotEqual(engine, engine_pid(self.service, self.instance_id))
        listed = self.client.call("GET", f"/instances/{self.instance_id}/operations", version="latest").json()
        states = {item["kind"]: item["state"] for item in listed["operations"]}
        self.assertEqual(("REVERTED", "SUCCEEDED"), (states["instance.restart"], states["instance.reboot"]))

    def test_a_database_server_that_hangs(self) -> None:
        """A connection that is open already goes on to be served; nobody gets a new one, and the status says so."""
        engine = self.stop(engine_pid(self.service, self.instance_id))
        self.assertEqual([(1,)], self.rows(self.app, "select 1"))
        shown = self.wait_for("BLOCKED")
        self.assertIn("did not answer in 4 seconds", shown["service_status_reason"])
        os.kill(engine, signal.SIGCONT)
        self.assertNotIn("service_status_reason", self.wait_for("HEALTHY"))
