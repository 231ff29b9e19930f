# SPDX-License-Identifier: Apache-2.0
"""Quota is exact after every step of random histories: requests, refusals, failures, repetitions, resets, a cloud and
guests that fail. What is in use is what living instances have, and what accepted resizes have taken."""

import random
from typing import Any

import sqlalchemy as sa
import testscenarios

from trove.common import exception
from trove.db import models
from trove.domain import operations
from trove.objects import quota
from trove.providers import base as providers
from trove.tests.functional.api import base, world
from trove.workflow.model import FINAL

STEPS = 50
LIMITS = {"instances": 4, "ram": 3000, "volumes": 14}


class BalanceTest(testscenarios.WithScenarios, world.InstanceTestCase):
    scenarios = [(f"seed-{seed}", {"start": seed}) for seed in (1, 2, 3, 4)]
    start: int

    def setUp(self) -> None:
        super().setUp()
        self.random = random.Random(self.start)  # a history that can be repeated
        self.ids: list[str] = []
        self.history: list[str] = []
        with self.db.writer() as session:
            for resource, limit in LIMITS.items():
                quota.set_limit(session, base.PROJECT, resource, limit)

    def expected(self) -> tuple[int, int, int]:
        """Return what must be in use, from the instances and the requests under way."""
        living = [row for row in self.rows(models.Instance) if not row["deleted"]]
        ram, volumes = sum(row["ram_mib"] for row in living), sum(row["volume_gib"] for row in living)
        with self.db.reader() as session:
            under_way = session.execute(
                sa.select(models.Workflow.kind, models.Workflow.inputs).where(
                    models.Workflow.state.not_in([state.value for state in FINAL])
                )
            ).all()
        for kind, inputs in under_way:
            taken = operations.quota_taken(kind, inputs)
            ram, volumes = ram + taken.get("ram", 0), volumes + taken.get("volumes", 0)
        return len(living), ram, volumes

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> None:
        """Send a request that may be refused, but only for a good reason."""
        status = self.call(method, path, body, **options).status_int
        self.assertIn(status, (200, 202, 400, 404, 413, 422))
        self.history.append(f"{method} {path} {body} -> {status}")

    def instance(self) -> str:
        """Choose an instance, usually one of the last made, dead or alive."""
        return f"/instances/{self.random.choice(self.ids[-6:] or ['none'])}"

    def do_create(self) -> None:
        body = self.wanted(
            volume={"size": self.random.randint(1, 5)}, flavorRef=self.random.choice(["small", "medium"])
        )
        response = self.call("POST", "/instances", body)
        self.assertIn(response.status_int, (200, 413))
        self.history.append(f"create {body} -> {response.status_int}")
        if response.status_int == 200:
            self.ids.append(response.json["instance"]["id"])

    def do_delete(self) -> None:
        path = self.instance()
        for _ in range(self.random.randint(1, 3)):
            self.send("DELETE", path)

    def do_resize_flavor(self) -> None:
        flavor = self.random.choice(["small", "medium"])
        self.send("POST", f"{self.instance()}/action", {"resize": {"flavorRef": flavor}})

    def do_resize_volume(self) -> None:
        self.send("POST", f"{self.instance()}/action", {"resize": {"volume": self.random.randint(1, 8)}})

    def do_restart(self) -> None:
        self.send("POST", f"{self.instance()}/action", {"restart": {}})

    def do_reset(self) -> None:
        for _ in range(self.random.randint(1, 2)):
            self.send("POST", f"{self.instance()}/action", {"reset_status": {}}, app=self.admin)

    def do_force_delete(self) -> None:
        self.send("POST", f"{self.instance()}/action", {"reset_status": {"force_delete": True}})

    def do_fail_cloud(self) -> None:
        method = self.random.choice(["ensure_port", "ensure_volume", "ensure_server", "resize_server"])
        self.cloud.fail_next(method, providers.QuotaError("no room"))

    def do_fail_guest(self) -> None:
        name = self.random.choice(["prepare", "restart", "reconfigure", "grow_volume"])
        self.guests.failures[name] = ("engine.failed", "It failed.")

    def do_go_on_a_little(self) -> None:
        self.worker.drain()
        self.guests.act()

    def do_go_on(self) -> None:
        self.settle()

    def test_history(self) -> None:
        deeds = [getattr(self, name) for name in sorted(dir(self)) if name.startswith("do_")]
        weights = {"do_go_on": 12, "do_resize_flavor": 8, "do_resize_volume": 8, "do_create": 6, "do_go_on_a_little": 5}
        chances = [weights.get(deed.__name__, 2) for deed in deeds]
        for deed in self.random.choices(deeds, chances, k=STEPS):
            self.history.append(deed.__name__)
            deed()
            self.assertEqual(self.expected(), self.usages(), "\n".join(self.history))
        self.cloud._failures.clear()
        self.guests.failures.clear()
        for instance_id in self.ids:
            self.call("DELETE", f"/instances/{instance_id}")
        self.settle(6.0)
        self.assertEqual((0, 0, 0), self.usages(), "\n".join(self.history))
        self.assertEqual({"port": {}, "volume": {}, "server": {}}, self.cloud.resources())


class NeverBelowZeroTest(world.InstanceTestCase):
    def test_a_refused_request_takes_nothing(self) -> None:
        with self.db.writer() as session:
            quota.set_limit(session, base.PROJECT, "volumes", 1)
        self.refused("POST", "/instances", self.wanted(), status=413)
        self.assertEqual((0, 0, 0), self.usages())
        with self.db.writer() as session:
            self.assertRaises(
                exception.QuotaExceeded, quota.consume, session, base.PROJECT, {"volumes": 2}, {"volumes": 1}
            )
