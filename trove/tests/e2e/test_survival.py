# SPDX-License-Identifier: Apache-2.0
"""What kill −9 leaves behind: databases that go on, work that is finished or undone, nothing lost and nothing extra."""

import json
import os
import pathlib
import signal
from typing import Any

import requests

from trove.common import clock
from trove.guestagent.system.process import command_line
from trove.providers.local import processes
from trove.tests.e2e import base

_USER = {"name": "app", "password": "app-password", "databases": [{"name": "shop"}]}


def create(client: base.Client, name: str) -> str:
    """Request an instance over plain HTTP, which is quicker than the client, and return its id."""
    body = {
        "instance": {
            "name": name,
            "flavorRef": "1",
            "volume": {"size": 1},
            "datastore": {"type": "postgresql"},
            "databases": [{"name": "shop"}],
            "users": [_USER],
        }
    }
    answer = client.call("POST", "/instances", body)
    answer.raise_for_status()
    return str(answer.json()["instance"]["id"])


def agent_pid(service: base.Standalone, instance_id: str) -> int:
    """Return the pid in the local provider's record of an instance's agent."""
    for record in service.layout.guests.glob("servers/*/server.json"):
        document = json.loads(record.read_text())
        if instance_id in document["tag"]:
            return int(document["pid"] or 0)
    return 0


def engine_pid(service: base.Standalone, instance_id: str) -> int:
    """Return the pid of an instance's PostgreSQL server."""
    for path in service.layout.guests.glob("volumes/*/data/pgdata/postmaster.pid"):
        if instance_id in str(path):
            return int(path.read_text().splitlines()[0])
    return 0


def spare_pid(service: base.Standalone) -> int:
    """Return the pid of the process that agents are forked from, 0 when there is none."""
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        pid = int(path.parent.name)
        words = command_line(pid).split()
        if "trove.providers.local.zygote" in words and process_parent(pid) == service.pid:
            return pid
    return 0


def process_parent(pid: int) -> int:
    """Return the pid of a process's parent, 0 for one that is gone."""
    found = processes.read_stat(pid)
    return 0 if found is None else found.parent


class SurvivalTest(base.EndToEndTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.service = self.standalone()
        self.client = self.service.client

    def test_databases_survive_the_service_and_are_adopted(self) -> None:
        instance_id = create(self.client, "survivor")
        shown = self.client.wait_active(instance_id)
        app = self.connect(shown, "shop", "app", "app-password")
        self.rows(app, "create table t (n int)")
        agent, engine = agent_pid(self.service, instance_id), engine_pid(self.service, instance_id)

        self.assertEqual(("ACTIVE", "healthy", True, True), self._said())
        self.service.kill()
        base.wait_until(lambda: not self.service.status()["running"], "its lock has gone with it")
        self.assertEqual(("RUNNING", None, True, True), self._said())
        self.rows(app, "insert into t values (1)")
        self.assertTrue(base.alive(agent))
        again = self.connect(shown, "shop", "app", "app-password")
        self.assertEqual([(1,)], self.rows(again, "select n from t"))

        self.service.up()
        self.client.wait_active(instance_id)
        self.assertEqual((agent, engine), (agent_pid(self.service, instance_id), engine_pid(self.service, instance_id)))
        answer = self.client.call("POST", f"/instances/{instance_id}/databases", {"databases": [{"name": "later"}]})
        self.assertEqual(requests.codes.accepted, answer.status_code)
        base.wait_until(lambda: "later" in self._databases(instance_id), "the database made after the restart is there")

    def _said(self) -> tuple[Any, ...]:
        """Return what ``trove-standalone status`` says of the one instance."""
        (shown,) = self.service.status()["instances"]
        return tuple(shown[key] for key in ("status", "service_status", "agent_runs", "engine_runs"))

    def test_a_creation_goes_on_after_the_service_was_killed(self) -> None:
        for delay in (0.0, 0.2, 0.5, 0.9):
            instance_id = create(self.client, f"cut-{delay}")
            clock.sleep(delay)
            self.service.kill()
            self.service.up()
            shown = self.client.wait_active(instance_id)
            self.assertEqual([], self.rows(self.connect(shown, "shop", "app", "app-password"), "select 1 where false"))
        servers = list(self.service.layout.guests.glob("servers/*/server.json"))
        self.assertEqual(4, len(servers), servers)

    def test_agent_and_engine_come_back(self) -> None:
        instance_id = create(self.client, "phoenix")
        shown = self.client.wait_active(instance_id)
        self.rows(self.connect(shown, "shop", "app", "app-password"), "create table t as select 42 as n")
        engine = engine_pid(self.service, instance_id)

        agent = agent_pid(self.service, instance_id)
        os.kill(agent, signal.SIGKILL)
        base.wait_until(
            lambda: agent_pid(self.service, instance_id) not in (0, agent)
            and base.alive(agent_pid(self.service, instance_id)),
            "a new agent runs",
        )
        self.assertEqual(engine, engine_pid(self.service, instance_id))
        self.assertTrue(base.alive(engine))

        os.kill(engine, signal.SIGKILL)
        base.wait_until(lambda: engine_pid(self.service, instance_id) not in (0, engine), "a new engine runs")

        def answers() -> Any:
            try:
                return self.rows(self.connect(shown, "shop", "app", "app-password"), "select n from t")
            except Exception:  # boundary: while the engine recovers it refuses in several ways
                return None

        self.assertEqual([(42,)], base.wait_until(answers, "the data is back"))
        self.client.wait_active(instance_id)

    def test_what_agents_are_forked_from_may_die(self) -> None:
        spare = base.wait_until(lambda: spare_pid(self.service), "there is a process that agents are forked from")
        first = create(self.client, "forked")
        self.client.wait_active(first)
        agent = agent_pid(self.service, first)
        self.assertEqual(spare, process_parent(agent))

        os.kill(spare, signal.SIGKILL)
        second = create(self.client, "fresh")
        self.client.wait_active(second)
        self.assertTrue(base.alive(agent))
        self.assertNotEqual(spare, process_parent(agent_pid(self.service, second)))

        self.service.kill()
        base.wait_until(lambda: not spare_pid(self.service), "it ends with its service")
        self.service.up()
        again = base.wait_until(lambda: spare_pid(self.service), "there is another one")
        self.assertNotEqual(spare, again)
        for instance_id in (first, second):
            self.client.wait_active(instance_id)
        self.assertEqual(agent, agent_pid(self.service, first))
        self.service.command("down")
        base.wait_until(lambda: not base.alive(again), "it is gone with the service")

    def test_a_deletion_overtakes_a_creation(self) -> None:
        instance_id = create(self.client, "unwanted")
        answer = self.client.call("DELETE", f"/instances/{instance_id}")
        self.assertEqual(requests.codes.accepted, answer.status_code)
        self.assertEqual(requests.codes.accepted, self.client.call("DELETE", f"/instances/{instance_id}").status_code)
        self.client.wait_gone(instance_id)
        for kind in ("servers", "volumes", "ports"):
            self.assertEqual([], list((self.service.layout.guests / kind).iterdir()), kind)
        limits = self.client.call("GET", "/limits").json()["limits"][0]
        for number in range(3):
            create(self.client, f"next-{number}")
        self.assertGreaterEqual(int(limits["max_instances"]), 3)

    def test_down_stops_everything_and_up_brings_it_back(self) -> None:
        instance_id = create(self.client, "sleeper")
        shown = self.client.wait_active(instance_id)
        self.rows(self.connect(shown, "shop", "app", "app-password"), "create table t as select 7 as n")
        agent, engine = agent_pid(self.service, instance_id), engine_pid(self.service, instance_id)
        self.service.command("down")
        self.assertEqual(0, self.service.pid)
        self.assertFalse(base.alive(agent) or base.alive(engine))
        self.assertEqual(("STOPPED", None, False, False), self._said())
        self.service.up()
        shown = self.client.wait_active(instance_id)
        self.assertEqual([(7,)], self.rows(self.connect(shown, "shop", "app", "app-password"), "select n from t"))

    def test_files_are_private(self) -> None:
        root = self.service.layout.root
        open_to_others = [
            str(path)
            for path in root.iterdir()
            if path.is_file() and path.stat().st_mode & 0o077 and path.name != "trove-standalone.pid"
        ]
        self.assertEqual([], open_to_others)
        self.assertEqual(0o600, pathlib.Path(root / "clouds.yaml").stat().st_mode & 0o777)

    def _databases(self, instance_id: str) -> set[str]:
        answer = self.client.call("GET", f"/instances/{instance_id}/databases")
        return {item["name"] for item in answer.json().get("databases", [])}
