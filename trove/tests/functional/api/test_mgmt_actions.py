# SPDX-License-Identifier: Apache-2.0
"""What operators do to an instance: stop, reboot, migrate, reset; who may, when, and what is left."""

from typing import Any

import sqlalchemy as sa

from trove.common import ids
from trove.db import models
from trove.providers import base as providers
from trove.providers import registry
from trove.tests.functional.api import base, world


class ActionTest(world.InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        # The operator acts on an instance of somebody else.
        self.target = self.active(project=base.OTHER_PROJECT)
        self.path = f"/mgmt/instances/{self.target}/action"
        self.server = f"instance:{self.target}/server"

    def act(self, body: Any, status: int = 202) -> None:
        """Run an action as an administrator."""
        self.assertEqual("", self.call("POST", self.path, body, status=status, app=self.admin).text)

    def refuse(self, body: Any, status: int, **options: Any) -> str:
        return self.refused("POST", self.path, body, status=status, **{"app": self.admin, **options})

    def states(self) -> tuple[str, str]:
        shown = self.show(self.target, project=base.OTHER_PROJECT)
        return shown["status"], shown["operating_status"]

    def kinds(self) -> list[tuple[str, str]]:
        return [(row["kind"], row["state"]) for row in self.workflows(self.target)][1:]

    def commands(self) -> list[str]:
        return [name for name, _ in self.guests.seen if name in ("start", "stop", "restart")]

    def test_stop_and_restart(self) -> None:
        self.act({"stop": {}})
        self.settle()
        self.assertEqual(("ACTIVE", "SHUTDOWN"), self.states())
        self.action(self.target, {"restart": {}}, project=base.OTHER_PROJECT)
        self.settle()
        self.assertEqual(("ACTIVE", "HEALTHY"), self.states())
        self.assertEqual([("datastore.stop", "SUCCEEDED"), ("instance.restart", "SUCCEEDED")], self.kinds())

    def test_stop_that_fails_leaves_a_fault(self) -> None:
        self.guests.failures["stop"] = ("engine.stop_failed", "It does not stop.")
        self.act({"stop": None})
        self.settle()
        self.assertEqual("It does not stop.", self.show(self.target, project=base.OTHER_PROJECT)["fault"]["message"])

    def test_reboot(self) -> None:
        before = self.cloud.resources()
        self.act({"reboot": {}})
        self.assertEqual(("REBOOT", ""), self.states())
        self.refuse({"reboot": {}}, 422)
        self.refuse({"stop": {}}, 422)
        self.settle()
        self.assertEqual(("ACTIVE", "HEALTHY"), self.states())
        self.assertEqual(["stop", "start"], self.commands())
        self.assertEqual(1, [call.method for call in self.cloud.calls].count("restart_server"))
        self.assertEqual(before, self.cloud.resources())

    def test_reboot_takes_the_place_of_a_restart(self) -> None:
        """What helps an instance whose agent hangs must not wait for what it hangs in."""
        self.guests.silent = True
        self.action(self.target, {"restart": {}}, project=base.OTHER_PROJECT)
        self.settle()
        self.act({"reboot": {}})
        self.assertEqual(("REBOOT", ""), self.states())
        self.refuse({"reboot": {}}, 422)  # one is enough
        self.guests.silent = False
        self.settle()
        self.assertEqual(("ACTIVE", "HEALTHY"), self.states())
        self.assertEqual([("instance.restart", "REVERTED"), ("instance.reboot", "SUCCEEDED")], self.kinds())
        self.assertNotIn("restart", self.commands())
        self.assertNotIn("fault", self.show(self.target, project=base.OTHER_PROJECT))

    def test_reboot_does_not_ask_an_agent_that_does_not_report(self) -> None:
        self.guests.beat(self.target, age=self.conf.guest_bus.agent_heartbeat_expiry + 5)
        self.act({"reboot": {}})
        self.settle()
        self.assertEqual(["start"], self.commands())
        self.assertEqual("instance.reboot SUCCEEDED", " ".join(self.kinds()[-1]))

    def test_reboot_of_an_instance_whose_engine_does_not_stop(self) -> None:
        self.guests.failures["stop"] = ("engine.stop_failed", "It does not stop.")
        self.act({"reboot": {}})
        self.settle()
        self.assertEqual(("ACTIVE", "HEALTHY"), self.states())
        self.assertNotIn("fault", self.show(self.target, project=base.OTHER_PROJECT))

    def test_reboot_that_fails_starts_the_engine_again(self) -> None:
        self.cloud.fail_next("restart_server", providers.FatalError("no"))
        self.act({"reboot": {}})
        self.settle()
        shown = self.show(self.target, project=base.OTHER_PROJECT)
        self.assertEqual(("ACTIVE", "HEALTHY"), (shown["status"], shown["operating_status"]))
        self.assertIn("restart of the server", shown["fault"]["message"])
        self.assertEqual(["stop", "start"], self.commands())

    def test_reboot_whose_engine_does_not_start_is_not_started_twice(self) -> None:
        self.guests.failures["start"] = ("engine.start_failed", "It does not start.")
        self.act({"reboot": {}})
        self.settle()
        shown = self.show(self.target, project=base.OTHER_PROJECT)
        self.assertEqual(("ACTIVE", "It does not start."), (shown["status"], shown["fault"]["message"]))
        self.assertEqual(["stop", "start"], self.commands())

    def test_migrate(self) -> None:
        before = self.cloud.host_of(self.server)
        self.act({"migrate": {}})
        self.assertEqual(("ACTIVE", ""), self.states())
        self.assertEqual("UPDATING", self.show(self.target, project=base.OTHER_PROJECT, version="1.2")["status"])
        self.settle()
        self.assertEqual(("ACTIVE", "HEALTHY"), self.states())
        self.assertNotEqual(before, self.cloud.host_of(self.server))
        self.act({"migrate": {"host": "host-3"}})
        self.settle()
        self.assertEqual("host-3", self.cloud.host_of(self.server))

    def test_migrate_to_nowhere(self) -> None:
        self.act({"migrate": {"host": "elsewhere"}})
        self.settle()
        self.assertEqual(("ACTIVE", "HEALTHY"), self.states())
        self.assertIn("other host", self.show(self.target, project=base.OTHER_PROJECT)["fault"]["message"])
        self.assertEqual("host-1", self.cloud.host_of(self.server))

    def test_reset(self) -> None:
        self.guests.silent = True
        self.act({"reboot": {}})
        self.act({"reset-task-status": {}})
        self.assertEqual(("ACTIVE", "ERROR"), self.states())
        self.assertEqual([("instance.reboot", "REVERTED")], self.kinds())

    def test_a_deletion_ends_a_reboot(self) -> None:
        self.guests.silent = True
        self.act({"reboot": {}})
        self.call("DELETE", f"/instances/{self.target}", status=202, project=base.OTHER_PROJECT)
        self.guests.silent = False
        self.settle()
        self.call("GET", f"/instances/{self.target}", status=404, project=base.OTHER_PROJECT)
        self.assertEqual({"port": {}, "volume": {}, "server": {}}, self.cloud.resources())

    def test_rebuild(self) -> None:
        self.assertIn("'rebuild'", self.refuse({"rebuild": {"image_id": ids.new_id()}}, 501))

    def test_wrong_bodies(self) -> None:
        for body in (
            {}, [], None, b"{", "stop", {"stop": {}, "reboot": {}}, {"update": {}}, {"stop": 1}, {"stop": {}, "x": 1},
            {"rebuild": {}}, {"rebuild": {"image_id": "x"}}, {"rebuild": {"image_id": ids.new_id(), "x": 1}},
            {"migrate": {"host": ""}}, {"migrate": {"host": 1}}, {"migrate": {"hosts": "x"}},
            {"migrate": {"host": "h" * 256}}, {"reset_task_status": {}},
        ):  # fmt: skip
            with self.subTest(str(body)):
                self.refuse(body, 400)

    def test_unknown_instances(self) -> None:
        gone = f"/mgmt/instances/{ids.new_id()}/action"
        for body in ({"stop": {}}, {"reboot": {}}, {"migrate": {}}, {"reset-task-status": {}}):
            self.refused("POST", gone, body, status=404, app=self.admin)

    def test_not_while_something_else_is_in_progress(self) -> None:
        for begin, others in (("restart", ("stop", "migrate")), ("reboot", ("stop", "reboot", "migrate"))):
            if begin == "restart":
                self.action(self.target, {"restart": {}}, project=base.OTHER_PROJECT)
            else:
                self.act({begin: {}})
            for other in others:
                self.refuse({other: {}}, 422)


class IncapableProviderTest(world.InstanceTestCase):
    provider_capabilities = frozenset({"resize-server-online"})

    def test_what_the_provider_cannot_do_is_refused_beforehand(self) -> None:
        instance_id = self.active()
        for action in ("reboot", "migrate"):
            path = f"/mgmt/instances/{instance_id}/action"
            self.assertIn(f"'{action}-server'", self.refused("POST", path, {action: {}}, status=501, app=self.admin))
        self.assertNotIn("fault", self.show(instance_id))


class ProviderOfTheInstanceTest(world.InstanceTestCase):
    other_providers = {"older": registry.Traits(frozenset({"reboot-server"}))}

    def test_what_counts_is_what_the_provider_of_the_instance_can_do(self) -> None:
        kept, moved = self.active(), self.active()
        with self.db.writer() as session:
            session.execute(sa.update(models.Instance).where(models.Instance.id == moved).values(provider="older"))
        path = f"/mgmt/instances/{moved}/action"
        self.assertIn("'migrate-server'", self.refused("POST", path, {"migrate": {}}, status=501, app=self.admin))
        wanted = {"instance": {"access": {"allowed_cidrs": ["192.0.2.0/24"]}}}
        self.assertIn("'access-rules'", self.refused("PUT", f"/instances/{moved}", wanted, status=501))
        self.call("POST", path, {"reboot": {}}, status=202, app=self.admin)
        self.call("PUT", f"/instances/{kept}", wanted, status=202)
        self.call("POST", f"/mgmt/instances/{self.active()}/action", {"migrate": {}}, status=202, app=self.admin)

    def test_nothing_is_known_of_a_provider_that_is_not_enabled(self) -> None:
        instance_id = self.active()
        with self.db.writer() as session:
            session.execute(sa.update(models.Instance).values(provider="gone"))
        path = f"/mgmt/instances/{instance_id}/action"
        self.assertIn("'reboot-server'", self.refused("POST", path, {"reboot": {}}, status=501, app=self.admin))
