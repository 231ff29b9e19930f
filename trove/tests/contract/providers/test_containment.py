# SPDX-License-Identifier: Apache-2.0
# covers: trove/providers/local/inventory.py
"""Trouble with one instance is trouble with no other: supervision, creations and the end of everything go on."""

import os
import signal
from typing import Any
from unittest import mock

from trove.common import ids
from trove.providers import base
from trove.providers.local import agent_health, agent_launcher, inventory, processes
from trove.tests.contract.providers import test_local


class ContainmentTest(test_local.LocalTestCase):
    """Two instances, of which one makes trouble."""

    def setUp(self) -> None:
        super().setUp()
        self.make_server()
        self.bad, self.instance_id = self.instance_id, ids.new_id()
        self.bad_record = self.base_dir / "servers" / self.bad / "server.json"
        self.whole = self.bad_record.read_text()
        self.make_server()
        self.addCleanup(self.until, lambda: self.provider.remove_server(self.tag("server", self.bad)))
        self.addCleanup(self.bad_record.write_text, self.whole)

    def kill_agent(self) -> dict[str, Any]:
        facts = self.facts()
        os.kill(facts["pid"], signal.SIGKILL)
        self.until(lambda: processes.identify(facts["pid"]) is None)
        return facts

    def test_records_that_cannot_be_read(self) -> None:
        for text in ("{", "[]", "null", '{"tag": "x"}', f'{{"tag": "{self.tag("server", self.bad)}"}}'):
            with self.subTest(record=text):
                self.bad_record.write_text(text)
                before = self.kill_agent()
                with mock.patch.object(agent_health, "pause", autospec=True, return_value=0.0):
                    self.provider.supervise()
                self.assertNotEqual(before["pid"], self.facts(not_pid=before["pid"])["pid"])
                self.assertIn(self.instance_id, inventory.running_servers(self.base_dir))

    def test_creation_and_removal_of_others(self) -> None:
        self.bad_record.write_text("{")
        for kind in ("volumes", "ports"):
            name = f"{self.bad}/volume.json" if kind == "volumes" else f"{self.bad}.json"
            path = self.base_dir / kind / name
            self.addCleanup(path.write_text, path.read_text())
            path.write_text("{")
        self.remove_server()
        self.provider.remove_volume(self.tag("volume"))
        self.provider.remove_port(self.tag("port"))
        self.instance_id = ids.new_id()
        self.make_server()
        self.assertNotIn(self.bad, [item.tag[9:45] for item in self.provider.list("instance:").items])
        for find in (self.provider.find_server, self.provider.find_volume, self.provider.find_port):
            part = find.__name__.removeprefix("find_")
            err = self.assertRaises(base.FatalError, find, self.tag(part, self.bad))
            self.assertIn("cannot be read", str(err))

    def test_end_of_everything_says_what_is_left(self) -> None:
        facts = self.facts()
        self.bad_record.write_text("{")
        self.until(lambda: self.provider.halt() or processes.identify(facts["engine"]) is None)
        self.until(lambda: self.provider.halt() or len(self.provider.left) == 1)
        self.assertIs(False, self.provider.halt())
        self.assertIn(f"{self.bad}: the record", self.provider.left[0])
        self.bad_record.write_text(self.whole)
        self.until(self.provider.halt)
        self.assertEqual([], self.provider.left)

    def test_one_whose_surroundings_cannot_be_removed(self) -> None:
        facts = self.facts()
        real = agent_launcher.AgentLauncher.leave

        def leave(launcher: Any, record: Any) -> bool:
            if record["tag"] == self.tag("server", self.bad):
                raise base.RetryableError("its network is held")
            return real(launcher, record)

        with mock.patch.object(agent_launcher.AgentLauncher, "leave", leave):
            self.until(lambda: self.provider.halt() or [
                text.rpartition(": ")[2] for text in self.provider.left
            ] == ["its network is held"])  # fmt: skip
            self.assertGone(facts["engine"])
            self.assertIs(False, self.provider.halt())
        self.assertEqual([f"server {self.tag('server', self.bad)}: its network is held"], self.provider.left)
        self.assertEqual(1, self.logs.text().count("its network is held"))
