# SPDX-License-Identifier: Apache-2.0
"""Requests next to each other: who sees an instance ACTIVE is not refused for what it cannot see."""

from typing import Any

import fixtures
import sqlalchemy as sa

from trove.db import models
from trove.domain import instance_states, operations
from trove.tests.functional.api import test_configurations, world
from trove.tests.functional.api.test_configurations import LIVE, RESTART

REFUSED = ("configuration.refused", "work_mem was refused.")
OTHER = {"work_mem": "32MB"}


class ConfigurationQueueTest(test_configurations.GroupTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.one, self.two = (self.group(values)["id"] for values in (LIVE, OTHER))

    def states(self, instance_id: str) -> list[tuple[str, str | None]]:
        """Return how the changes of the configuration ended, oldest first."""
        found = [row for row in self.workflows(instance_id) if row["kind"] == "instance.configure"]
        return [(row["state"], row["error_symbol"]) for row in found]

    def check(self, instance_id: str, group_id: str | None, values: dict[str, Any]) -> None:
        shown = self.show(instance_id, version="1.2")
        self.assertEqual((group_id, values), (shown.get("configuration", {}).get("id"), self.running(instance_id)))
        self.assertEqual("ACTIVE", shown["status"])

    def test_detach_and_attach_another_at_once(self) -> None:
        """As Terraform changes configuration_id, without a pause."""
        target = self.active(configuration=self.one)
        self.attach(target, None)
        self.attach(target, self.two)
        self.assertEqual(self.two, self.show(target)["configuration"]["id"])
        self.settle()
        self.check(target, self.two, OTHER)
        self.assertEqual([("SUCCEEDED", None)] * 2, self.states(target))

    def test_attach_and_detach_at_once(self) -> None:
        target = self.active()
        self.attach(target, self.one)
        self.attach(target, None)
        self.settle()
        self.check(target, None, {})

    def test_the_newest_wins_and_the_others_end(self) -> None:
        target = self.active()
        for group_id in (self.one, None, self.two, None, self.one):
            self.attach(target, group_id)
        superseded = ("REVERTED", "workflow.superseded")
        self.assertEqual([superseded] * 3, self.states(target)[1:4])
        self.settle()
        self.check(target, self.one, LIVE)
        self.assertEqual([("SUCCEEDED", None), *[superseded] * 3, ("SUCCEEDED", None)], self.states(target))

    def test_values_that_change_meanwhile(self) -> None:
        target = self.active()
        self.attach(target, self.one)
        for value in (64, 65):
            self.set_values(self.one, {"work_mem": value})
        self.settle()
        self.check(target, self.one, {"work_mem": 65})
        self.attach(target, None)
        self.set_values(self.one, {"work_mem": 66})
        self.attach(target, self.one)
        self.settle()
        self.check(target, self.one, {"work_mem": 66})

    def test_the_first_fails(self) -> None:
        target = self.active()
        self.guests.failures["configure"] = REFUSED
        self.attach(target, self.one)
        self.attach(target, None)
        self.attach(target, self.two)
        self.settle()
        self.check(target, self.two, OTHER)
        self.assertNotIn("fault", self.show(target))

    def test_the_second_fails(self) -> None:
        target = self.active(configuration=self.one)
        self.attach(target, None)
        self.attach(target, self.two)
        self.worker.drain(0.3)  # the first asks the guest
        self.guests.act()
        self.guests.failures["configure"] = REFUSED
        self.settle()
        self.check(target, None, {})
        self.assertEqual("configuration.refused", self.show(target, version="1.1")["fault"]["symbol"])

    def test_all_fail(self) -> None:
        """The instance keeps what its engine has had all the time."""
        target = self.active(configuration=self.one)
        self.guests.failures["configure"] = REFUSED
        self.attach(target, None)
        self.attach(target, self.two)
        self.worker.drain(0.3)
        self.guests.act()
        self.guests.failures["configure"] = REFUSED
        self.settle()
        self.assertEqual([("REVERTED", "configuration.refused")] * 2, self.states(target))
        self.check(target, self.one, LIVE)

    def test_a_restart_that_is_due_is_not_forgotten(self) -> None:
        group = self.group(RESTART)["id"]
        for body in ({"resize": {"volume": {"size": 3}}}, None):
            target = self.active()
            self.attach(target, group)
            if body is not None:
                self.action(target, body)
            else:
                change = {"instance": {"access": {"allowed_cidrs": ["192.0.2.0/24"]}}}
                self.call("PUT", f"/instances/{target}", change, status=202)
            self.settle()
            self.assertEqual("RESTART_REQUIRED", self.show(target)["status"])

    def test_a_restart_behind_takes_everything_over(self) -> None:
        target = self.active()
        self.attach(target, self.group({**LIVE, **RESTART})["id"])
        self.action(target, {"restart": {}})
        self.assertEqual("REBOOT", self.show(target)["status"])
        self.settle()
        self.assertEqual(("ACTIVE", {**LIVE, **RESTART}), (self.show(target)["status"], self.running(target)))

    def test_new_values_are_not_lost_before_a_request_that_is_seen(self) -> None:
        """A change of the group waits behind an attachment, and a restart or a resize behind both: by then the status
        says that the instance is busy, and the engine is to be given the values all the same."""
        group = self.group(LIVE)["id"]
        for body in ({"restart": {}}, {"resize": {"volume": {"size": 3}}}):
            target = self.active()
            self.attach(target, group)
            self.worker.drain()  # the attachment has read the values
            self.set_values(group, {"work_mem": 77, **RESTART})
            self.action(target, body)
            self.settle()
            self.assertEqual({"work_mem": 77, **RESTART}, self.guests.engines[target].written, body)
            restarted = "restart" in body
            shown = self.show(target, version="1.2")["status"]
            self.assertEqual("ACTIVE" if restarted else "RESTART_REQUIRED", shown, body)
            self.call("PATCH", f"/configurations/{group}", {"configuration": {"values": LIVE}}, status=200)
            self.settle()

    def test_what_is_parked_hands_on_that_a_restart_is_due(self) -> None:
        target = self.active()
        self.attach(target, self.group(RESTART)["id"])
        self.settle()
        self.assertEqual("RESTART_REQUIRED", self.show(target)["status"])
        self.attach(target, None)
        with self.db.writer() as session:
            parked = {"state": "PARKED", "wake_at": None}
            last = models.Workflow.id == self.workflows(target)[-1]["id"]
            session.execute(sa.update(models.Workflow).where(last).values(parked))
        self.attach(target, self.one)
        detached, attached = self.workflows(target)[-2:]
        self.assertEqual(("REVERTED", "workflow.superseded"), (detached["state"], detached["error_symbol"]))
        self.assertEqual("RESTART_REQUIRED", attached["inputs"]["was"])
        self.assertEqual(detached["inputs"]["previous"], attached["inputs"]["previous"])
        self.settle()
        self.check(target, self.one, LIVE)

    def test_a_deletion_does_not_wait(self) -> None:
        target = self.active()
        self.attach(target, self.one)
        self.attach(target, None)
        self.action(target, {"resize": {"flavorRef": "medium"}})
        for _ in range(2):
            self.call("DELETE", f"/instances/{target}", status=202)
        self.settle()
        self.call("GET", f"/instances/{target}", status=404)
        self.assertEqual((0, 0, 0), self.usages())

    def test_a_bound(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.operations.submitting.MOST_QUEUED", 1))
        target = self.active()
        self.attach(target, self.one)
        access = {"instance": {"access": {"is_public": True}}}
        self.call("PUT", f"/instances/{target}", access, status=202)
        self.refused("PUT", f"/instances/{target}", {"instance": {"configuration": None}}, status=422)
        self.settle()
        self.check(target, self.one, LIVE)


class AccessQueueTest(world.InstanceTestCase):
    def test_the_newest_wins(self) -> None:
        target = self.active()
        for reach in ({"is_public": True}, {"allowed_cidrs": ["192.0.2.0/24"]}, {"allowed_cidrs": ["198.51.100.0/24"]}):
            self.call("PUT", f"/instances/{target}", {"instance": {"access": reach}}, status=202)
        self.settle()
        expected = {"is_public": True, "allowed_cidrs": ["198.51.100.0/24"]}
        self.assertEqual(expected, self.show(target)["access"])
        found = [row["state"] for row in self.workflows(target) if row["kind"] == "instance.update_access"]
        self.assertEqual(["SUCCEEDED", "REVERTED", "SUCCEEDED"], found)


class EveryKindTest(test_configurations.GroupTestCase):
    """Whatever is in progress: the status tells a client of 1.0 that the instance is busy, or its requests are
    accepted."""

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch("trove.api.waiting.SECONDS", 0.01))
        self.first, self.second = (self.group(values)["id"] for values in (LIVE, OTHER))

    def begin(self, kind: str, instance_id: str) -> None:
        """Begin an operation of ``kind``."""
        path = f"/instances/{instance_id}"
        mgmt = f"/mgmt/instances/{instance_id}/action"
        requests: dict[str, tuple[Any, ...]] = {
            "instance.restart": ("POST", f"{path}/action", {"restart": {}}),
            "instance.reboot": ("POST", mgmt, {"reboot": {}}),
            "instance.migrate": ("POST", mgmt, {"migrate": {}}),
            "instance.update_access": ("PUT", path, {"instance": {"access": {"is_public": True}}}),
            "instance.resize_flavor": ("POST", f"{path}/action", {"resize": {"flavorRef": "medium"}}),
            "instance.resize_volume": ("POST", f"{path}/action", {"resize": {"volume": 3}}),
            "instance.configure": ("PUT", path, {"instance": {"configuration": self.first}}),
            "instance.delete": ("DELETE", path, None),
        }
        method, where, body = requests[kind]
        self.call(method, where, body, status=202, app=self.admin if where == mgmt else self.app)

    def next_requests(self, instance_id: str) -> dict[str, tuple[str, str, Any]]:
        """Return what clients ask of an instance that they see ACTIVE."""
        path = f"/instances/{instance_id}"
        return {
            "restart": ("POST", f"{path}/action", {"restart": {}}),
            "flavor": ("POST", f"{path}/action", {"resize": {"flavorRef": "medium"}}),
            "volume": ("POST", f"{path}/action", {"resize": {"volume": 3}}),
            "detach": ("PUT", path, {"instance": {"configuration": None}}),
            "access": ("PUT", path, {"instance": {"access": {"allowed_cidrs": ["192.0.2.0/24"]}}}),
            "name": ("PUT", path, {"instance": {"name": "other"}}),
            "values": ("PUT", f"/configurations/{self.first}", {"configuration": {"values": {"work_mem": 64}}}),
            "database": ("POST", f"{path}/databases", {"databases": [{"name": "d"}]}),
            "user": ("POST", f"{path}/users", {"users": [{"name": "u", "password": "p"}]}),
        }

    def test_busy_or_accepted(self) -> None:
        exclusive = {kind.name for kind in operations.KINDS.values() if kind.exclusive} - {"instance.create"}
        seen = {}
        for kind in sorted(exclusive):
            instance_id = self.active()
            self.begin(kind, instance_id)
            seen[kind] = self.show(instance_id)["status"]
            self.settle()
        hidden = {kind for kind, status in seen.items() if status == instance_states.ACTIVE}
        self.assertEqual(operations.UNSEEN, hidden)

    def test_what_cannot_be_seen_refuses_nothing(self) -> None:
        for kind in sorted(operations.UNSEEN):
            for name in self.next_requests(""):
                with self.subTest(f"{name} during {kind}"):
                    instance_id = self.active()
                    self.begin(kind, instance_id)
                    self.assertEqual("ACTIVE", self.show(instance_id)["status"])
                    self.call(*self.next_requests(instance_id)[name], status=202)
                    self.settle()
                    self.assertEqual("ACTIVE", self.show(instance_id, version="1.2")["status"])
                    self.assertEqual({"SUCCEEDED"}, {row["state"] for row in self.workflows(instance_id)})
                    with self.db.reader() as session:
                        self.assertIsNone(self.store.active(session, operations.instance_claim(instance_id)))
                    self.call("DELETE", f"/instances/{instance_id}", status=202)
                    self.settle()
