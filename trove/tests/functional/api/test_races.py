# SPDX-License-Identifier: Apache-2.0
"""Requests at the same time, on every database system: one of them wins, nobody sees a 500, nothing is counted
twice."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import testscenarios

from trove.db import models
from trove.objects import quota
from trove.tests.fixtures.databases import DIALECTS
from trove.tests.functional.api import base, world


class RacingTestCase(world.InstanceTestCase):
    def at_once(self, *requests: tuple[str, str, Any]) -> Counter[int]:
        """Send all requests at the same moment and return how many got which status."""
        barrier = threading.Barrier(len(requests))

        def send(request: tuple[str, str, Any]) -> int:
            client = base.RawPathTestApp(self.app.app)
            barrier.wait(30)
            return int(self.call(*request, app=client).status_int)

        with ThreadPoolExecutor(len(requests)) as pool:
            return Counter(pool.map(send, requests))


class RacesTest(testscenarios.WithScenarios, RacingTestCase):
    scenarios = [(dialect, {"dialect": dialect}) for dialect in DIALECTS]

    def limit(self, resource: str, value: int) -> None:
        """Give the project a limit."""
        with self.db.writer() as session:
            quota.set_limit(session, base.PROJECT, resource, value)

    def test_creations_for_the_last_units(self) -> None:
        self.limit("instances", 3)
        request = ("POST", "/instances", self.wanted(users=[{"name": "u", "password": "p"}]))
        self.assertEqual({200: 3, 413: 3}, self.at_once(*[request] * 6))
        self.assertEqual((3, 1536, 6), self.usages())
        for model in (models.Instance, models.Workflow, models.Secret):
            self.assertEqual(3, len(self.rows(model)))
        for shown in self.call("GET", "/instances", status=200).json["instances"][:1]:
            self.call("DELETE", f"/instances/{shown['id']}", status=202)
        self.settle()
        self.assertEqual({200: 1, 413: 1}, self.at_once(request, request))

    def test_growth_for_the_last_units(self) -> None:
        self.limit("volumes", 5)
        made = [self.active() for _ in range(2)]
        body = {"resize": {"volume": 3}}
        statuses = self.at_once(*[("POST", f"/instances/{instance_id}/action", body) for instance_id in made])
        self.assertEqual({202: 1, 413: 1}, statuses)
        self.settle()
        self.assertEqual((2, 1024, 5), self.usages())

    def test_deletions(self) -> None:
        kept, instance_id = self.create()["id"], self.active()
        self.assertEqual({202: 5}, self.at_once(*[("DELETE", f"/instances/{instance_id}", None)] * 5))
        self.assertEqual(1, [w["kind"] for w in self.workflows(instance_id)].count("instance.delete"))
        self.settle()
        self.call("GET", f"/instances/{instance_id}", status=404)
        self.assertEqual((1, 512, 2), self.usages())
        self.assertEqual("ACTIVE", self.show(kept)["status"])

    def test_actions_on_an_idle_instance(self) -> None:
        instance_id = self.active()
        path = f"/instances/{instance_id}/action"
        bodies = [{"restart": {}}, {"resize": {"volume": 4}}, {"resize": {"flavorRef": "medium"}}, {"restart": None}]
        self.assertEqual({202: 1, 422: 3}, self.at_once(*[("POST", path, body) for body in bodies]))
        self.assertEqual(2, len(self.workflows(instance_id)))
        self.settle()
        self.assertEqual("ACTIVE", self.show(instance_id)["status"])

    def test_renaming_collides_with_nothing(self) -> None:
        instance_id = self.active()
        path = f"/instances/{instance_id}"
        names = [("PUT", path, {"instance": {"name": f"n{i}"}}) for i in range(4)]
        self.assertEqual({202: 5}, self.at_once(*names, ("POST", f"{path}/action", {"restart": {}})))
        shown = self.show(instance_id)
        self.assertEqual(("REBOOT", "n"), (shown["status"], shown["name"][0]))

    def test_deletion_meets_everything(self) -> None:
        instance_id = self.active(databases=[{"name": "d"}])
        path = f"/instances/{instance_id}"
        statuses = self.at_once(
            ("DELETE", path, None),
            ("POST", f"{path}/action", {"resize": {"flavorRef": "medium"}}),
            ("POST", f"{path}/databases", {"databases": [{"name": "x"}]}),
            ("PUT", path, {"instance": {"name": "late"}}),
            ("DELETE", path, None),
        )
        self.assertEqual(set(), set(statuses) - {202, 422})
        self.assertGreaterEqual(statuses[202], 3)
        self.settle()
        self.call("GET", path, status=404)
        self.assertEqual((0, 0, 0), self.usages())
        self.assertEqual({"port": {}, "volume": {}, "server": {}}, self.cloud.resources())

    def test_changes_inside_get_an_order(self) -> None:
        instance_id = self.active()
        path = f"/instances/{instance_id}/databases"
        requests = [("POST", path, {"databases": [{"name": f"d{i}"}]}) for i in range(6)]
        self.assertEqual({202: 6}, self.at_once(*requests))
        sequences = [row["sequence"] for row in self.rows(models.GuestCommand)]
        self.assertEqual(len(sequences), len(set(sequences)))
        self.settle()
        self.assertEqual(6, len(self.guests.engines[instance_id].databases))

    def group(self) -> str:
        """Make a configuration group and return its id."""
        body = {"configuration": {"name": "g", "values": {"work_mem": 64}}}
        return str(self.call("POST", "/configurations", body, status=200).json["configuration"]["id"])

    def test_a_configuration_group_that_is_attached_and_deleted(self) -> None:
        instance_id, group_id = self.active(), self.group()
        statuses = self.at_once(
            ("PUT", f"/instances/{instance_id}", {"instance": {"configuration": group_id}}),
            ("DELETE", f"/configurations/{group_id}", None),
            ("POST", "/instances", self.wanted(configuration=group_id)),
        )
        left = [row["configuration_id"] for row in self.rows(models.Instance) if row["configuration_id"]]
        if self.rows(models.Configuration):
            self.assertEqual(({202: 1, 400: 1, 200: 1}, [group_id] * 2), (statuses, left))
        else:
            self.assertEqual(({202: 1, 404: 2}, []), (statuses, left))

    def test_no_instance_misses_a_change_of_its_group(self) -> None:
        instance_id, group_id = self.active(), self.group()
        path = f"/configurations/{group_id}"
        names = ("deadlock_timeout", "max_connections", "statement_timeout", "lock_timeout")
        changes = [("PATCH", path, {"configuration": {"values": {name: 100}}}) for name in names]
        attach = ("PUT", f"/instances/{instance_id}", {"instance": {"configuration": group_id}})
        statuses = self.at_once(attach, *changes)
        self.assertEqual({202: 1, 200: 4}, statuses)
        self.settle()
        self.assertEqual("RESTART_REQUIRED", self.show(instance_id)["status"])
        expected = {"work_mem": 64, **dict.fromkeys(names, 100)}
        self.assertEqual(expected, self.call("GET", path, status=200).json["configuration"]["values"])
        self.assertEqual(expected, self.guests.engines[instance_id].written)
