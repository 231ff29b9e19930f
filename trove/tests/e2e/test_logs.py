# SPDX-License-Identifier: Apache-2.0
"""Logs of a real PostgreSQL through the ordinary client: enable, publish, rotate, read; an agent that is killed while
it publishes loses nothing."""

import os
import signal
import threading
from typing import Any

import requests

from trove.tests.e2e import base
from trove.tests.e2e.test_survival import agent_pid, create

#: Small, so that a publication has many objects and can be interrupted.
_CONF = "[DEFAULT]\nguest_log_limit = 2048\n"


class LogTest(base.EndToEndTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.service = self.standalone(_CONF)
        self.client = self.service.client

    def ask(self, instance_id: str, **wanted: Any) -> dict[str, Any]:
        """Send a request on the log ``general`` and return it as it is then."""
        answer = self.client.call("POST", f"/instances/{instance_id}/log", {"name": "general", **wanted})
        answer.raise_for_status()
        return dict(answer.json()["log"])

    def content(self, instance_id: str) -> str:
        """Return what was published."""
        answer = self.client.call("GET", f"/instances/{instance_id}/log/general/content", version="latest")
        answer.raise_for_status()
        self.assertEqual("text/plain", answer.headers["Content-Type"].partition(";")[0])
        return answer.text

    def statements(self, shown: dict[str, Any], first: int, last: int) -> list[str]:
        """Run statements with a number in each, and return what must be found of them in the log."""
        connection = self.connect(shown, "shop", "app", "app-password")
        for number in range(first, last):
            self.rows(connection, f"SELECT 'statement-{number:05d}'")
        return [f"statement-{number:05d}" for number in range(first, last)]

    def all_published(self, instance_id: str, wanted: list[str]) -> str:
        """Publish until everything wanted can be read; return the log."""

        def complete() -> str | None:
            answer = self.client.call("POST", f"/instances/{instance_id}/log", {"name": "general", "publish": 1})
            # Another publication of ours may still be under way, or the agent be on its way back.
            if answer.status_code not in (requests.codes.ok, requests.codes.unprocessable):
                answer.raise_for_status()
            text = self.content(instance_id)
            return text if all(item in text for item in wanted) else None

        found: str = base.wait_until(complete, "everything is published", pause=0.5)
        return found

    def test_publish_and_read(self) -> None:
        instance_id = create(self.client, "logged")
        shown = self.client.wait_active(instance_id)
        listed = self.client.run("log", "list", instance_id)  # as an administrator
        self.assertEqual(["general", "guest"], [item["Name"] for item in listed])
        self.client.run("log", "set", instance_id, "general", "--enable")
        wanted = self.statements(shown, 0, 100)
        self.assertEqual("Published", self.ask(instance_id, publish=1)["status"])
        text = self.content(instance_id)
        self.assertEqual([], [item for item in wanted if item not in text])
        # A second publication appends, and rotation in between loses nothing.
        wanted += self.statements(shown, 100, 150)
        # PostgreSQL begins another file when it starts.
        self.client.call("POST", f"/instances/{instance_id}/action", {"restart": {}}).raise_for_status()
        shown = self.client.wait_active(instance_id)
        wanted += self.statements(shown, 150, 200)
        text = self.all_published(instance_id, wanted)
        for item in wanted:
            self.assertEqual(1, text.count(f"'{item}'"), item)

        # The agent dies while it publishes; the next one goes on where the service says.
        wanted += self.statements(shown, 200, 1500)
        before = agent_pid(self.service, instance_id)
        killed = self.kill_while_publishing(instance_id, before)
        text = self.all_published(instance_id, wanted)
        for item in wanted:
            self.assertEqual(1, text.count(f"'{item}'"), f"{item}, killed: {killed}")
        self.assertEqual([], [line for line in text.splitlines() if "app-password" in line])
        objects = [path for path in self.service.layout.objects.rglob("*") if path.is_file()]
        self.assertTrue(objects)
        self.assertEqual({0o600}, {path.stat().st_mode & 0o777 for path in objects})

    def kill_while_publishing(self, instance_id: str, pid: int) -> bool:
        """Start a publication, kill the agent in the middle of it, and return whether it was at work then."""
        pool = self.service.layout.objects

        def count() -> int:
            return sum(1 for _ in pool.rglob("o.log-*"))

        before = count()
        asking = threading.Thread(target=lambda: self.client.call(
            "POST", f"/instances/{instance_id}/log", {"name": "general", "publish": 1}
        ))  # fmt: skip
        asking.start()
        try:
            base.wait_until(lambda: count() > before + 3, "the publication is under way", pause=0.005)
        finally:
            os.kill(pid, signal.SIGKILL)
        left = count()
        asking.join()
        return left > before
