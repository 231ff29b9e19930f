# SPDX-License-Identifier: Apache-2.0
"""Changing an instance: name and what may stand beside it, restart, resize, reset; who may, when, and what is left."""

from typing import Any

from trove.common import ids
from trove.db import models
from trove.domain import operations
from trove.objects import quota
from trove.providers import base as providers
from trove.tests.functional.api import base, world


class UpdateTest(world.InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.target_id = str(self.create()["id"])

    def refuse(self, method: str, change: Any, status: int, **options: Any) -> str:
        return self.refused(method, f"/instances/{self.target_id}", {"instance": change}, status=status, **options)

    def test_name(self) -> None:
        for method, name in (("PUT", "a'b"), ("PATCH", "ü1" * 100)):
            before = self.show(self.target_id)
            self.assertEqual(
                "", self.call(method, f"/instances/{self.target_id}", {"instance": {"name": name}}, status=202).text
            )
            shown = self.show(self.target_id)
            self.assertEqual(name, shown["name"])
            self.assertEqual({**before, "name": name, "updated": shown["updated"]}, shown)

    def test_what_changes_nothing(self) -> None:
        for method in ("PUT", "PATCH"):
            for change in ({}, {"configuration": None}):
                before = self.everything()
                self.call(method, f"/instances/{self.target_id}", {"instance": change}, status=202)
                self.assertEqual(before, self.everything())

    def test_what_the_service_cannot_do_yet(self) -> None:
        some_id = ids.new_id()
        for method in ("PUT", "PATCH"):
            self.assertIn(some_id, self.refuse(method, {"configuration": some_id}, 404))
            self.assertIn("'upgrade'", self.refuse(method, {"datastore_version": "17"}, 501))
            for value in (None, "", some_id):
                self.assertIn("not a replica", self.refuse(method, {"replica_of": value}, 400))
        self.refuse("PATCH", {"slave_of": None}, 400)

    def test_wrong_bodies(self) -> None:
        for method, change in (
            ("PUT", {"name": ""}),
            ("PUT", {"name": None}),
            ("PUT", {"surprise": 1}),
            ("PUT", {"slave_of": None}),
            ("PATCH", {"access": {}}),
            ("PUT", {"configuration": "x"}),
            ("PUT", []),
            ("PUT", None),
            ("PUT", {"name": "x", "configuration": None, "replica_of": None}),
            ("PATCH", {"configuration": None, "datastore_version": "17"}),
        ):
            with self.subTest(f"{method} {change}"):
                self.refuse(method, change, 400)
        self.refused("PUT", f"/instances/{self.target_id}", {}, status=400)
        self.assertIn("configuration, replica_of", self.refuse("PUT", {"configuration": None, "replica_of": None}, 400))

    def test_a_refusal_does_not_rename(self) -> None:
        self.refuse("PUT", {"name": "new", "replica_of": None}, 400)
        self.refuse("PATCH", {"name": "new", "datastore_version": "17"}, 501)

    def test_unknown_instance(self) -> None:
        self.refused("PUT", f"/instances/{ids.new_id()}", {"instance": {"name": "x"}}, status=404)


class ActionBodiesTest(world.InstanceTestCase):
    def test_wrong_bodies(self) -> None:
        instance_id = self.active()
        for body in ({}, [], None, 7, {"explode": {}}, {"restart": {}, "resize": {"volume": 3}}, {"restart": 1},
                     {"restart": {}, "reset_status": {}}, {"resize": None}, {"resize": {}}, {"resize": []},
                     {"resize": {"volume": None}}, {"resize": {"volume": {}}}, {"resize": {"volume": {"size": 0}}},
                     {"resize": {"volume": -1}}, {"resize": {"volume": True}}, {"resize": {"volume": "x"}},
                     {"resize": {"flavorRef": None}}, {"resize": {"flavorRef": ""}}, {"resize": {"flavorRef": True}},
                     {"resize": {"volume": 3, "flavorRef": "medium"}},
                     {"reset_status": 1}, {"reset-status": {}}):  # fmt: skip
            for version in (None, "1.1"):
                with self.subTest(f"{body} at {version}"):
                    self.refused(
                        "POST",
                        f"/instances/{instance_id}/action",
                        body or b"[]",
                        status=400,
                        version=version,
                        app=self.admin,
                    )
        self.refused("POST", f"/instances/{instance_id}/action", {"restart": {"x": 1}}, status=400, version="1.1")
        self.refused("POST", f"/instances/{instance_id}/action", b"", status=400)

    def test_unknown_instance(self) -> None:
        for body in ({"restart": {}}, {"resize": {"volume": 3}}):
            self.refused("POST", f"/instances/{ids.new_id()}/action", body, status=404)


class RestartTest(world.InstanceTestCase):
    def test_forms_of_clients(self) -> None:
        instance_id = self.active()
        for argument in ({}, None, {"ignored": True}):
            self.assertEqual("", self.action(instance_id, {"restart": argument}).text)
            self.assertEqual(("REBOOT", ""), self.status(instance_id))
            self.settle()
            self.assertEqual(("ACTIVE", "HEALTHY"), self.status(instance_id))
        self.assertEqual(3, [name for name, _ in self.guests.seen].count("restart"))

    def test_only_when_idle(self) -> None:
        instance_id = str(self.create()["id"])
        path = f"/instances/{instance_id}/action"
        self.assertIn("BUILD", self.refused("POST", path, {"restart": {}}, status=422))
        self.settle()
        self.action(instance_id, {"restart": {}})
        for body in ({"restart": {}}, {"resize": {"volume": 3}}, {"resize": {"flavorRef": "medium"}}):
            self.assertIn("REBOOT", self.refused("POST", path, body, status=422))
        self.call("DELETE", f"/instances/{instance_id}", status=202)
        self.assertIn("SHUTDOWN", self.refused("POST", path, {"restart": {}}, status=422))

    def test_a_failure_leaves_a_fault_and_an_idle_instance(self) -> None:
        instance_id = self.active()
        self.guests.failures["restart"] = ("engine.start", "The server did not start.")
        self.action(instance_id, {"restart": {}})
        self.settle()
        shown = self.show(instance_id, version="1.1")
        self.assertEqual("ACTIVE", shown["status"])
        self.assertEqual(
            ("engine.start", "The server did not start."), (shown["fault"]["symbol"], shown["fault"]["message"])
        )


class ResizeTest(world.InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.target_id = self.active()
        self.path = f"/instances/{self.target_id}/action"

    def test_flavor_up_and_down(self) -> None:
        self.action(self.target_id, {"resize": {"flavorRef": "http://nova/flavors/medium"}})
        self.assertEqual(("RESIZE", ""), self.status(self.target_id))
        self.assertEqual((1, 1024, 2), self.usages())
        self.settle()
        self.assertEqual("medium", self.show(self.target_id)["flavor"]["id"])
        self.action(self.target_id, {"resize": {"flavorRef": "small"}})
        self.assertEqual((1, 1024, 2), self.usages())
        self.settle()
        self.assertEqual("small", self.show(self.target_id)["flavor"]["id"])
        self.assertEqual((1, 512, 2), self.usages())

    def test_volume_in_the_forms_of_clients(self) -> None:
        for size, argument in ((3, 3), (4, "4"), (5, {"size": 5}), (6, {"size": "6"})):
            self.action(self.target_id, {"resize": {"volume": argument}})
            self.assertEqual("RESIZE", self.show(self.target_id)["status"])
            self.settle()
            self.assertEqual(size, self.show(self.target_id)["volume"]["size"])
            self.assertEqual((1, 512, size), self.usages())
        (volume,) = self.cloud.resources()["volume"].values()
        self.assertEqual(6, volume.size_gib)

    def test_refusals(self) -> None:
        for status, argument, words in (
            (400, {"flavorRef": "small"}, "has flavor small already"),
            (400, {"flavorRef": "huge"}, "Flavor huge was not found"),
            (400, {"volume": 2}, "more than the present 2"),
            (400, {"volume": {"size": 1}}, "more than the present 2"),
            (413, {"volume": {"size": 11}}, "at most 10"),
        ):
            self.assertIn(words, self.refused("POST", self.path, {"resize": argument}, status=status))
        self.seed_flavor(id="toy", name="toy", ram_mib=16)
        self.assertIn("memory", self.refused("POST", self.path, {"resize": {"flavorRef": "toy"}}, status=400))

    def test_quota(self) -> None:
        with self.db.writer() as session:
            quota.set_limit(session, base.PROJECT, "ram", 1000)
            quota.set_limit(session, base.PROJECT, "volumes", 4)
        for argument in ({"flavorRef": "medium"}, {"volume": 5}):
            self.assertIn("Quota exceeded", self.refused("POST", self.path, {"resize": argument}, status=413))
        self.action(self.target_id, {"resize": {"volume": 4}})

    def test_failures_give_back_what_was_taken_once(self) -> None:
        self.cloud.fail_next("resize_server", providers.QuotaError("no room"))
        self.action(self.target_id, {"resize": {"flavorRef": "medium"}})
        self.settle()
        shown = self.show(self.target_id)
        self.assertEqual(("ACTIVE", "small"), (shown["status"], shown["flavor"]["id"]))
        self.assertIn("fault", shown)
        self.assertEqual((1, 512, 2), self.usages())
        self.cloud.fail_next("ensure_volume", providers.QuotaError("no room"))
        self.action(self.target_id, {"resize": {"volume": 5}})
        self.settle()
        self.assertEqual((1, 512, 2), self.usages())
        self.assertEqual({"size": 2}, {"size": self.show(self.target_id)["volume"]["size"]})

    def test_a_datastore_without_volumes(self) -> None:
        tiny = self.active(datastore={"type": "tiny"}, volume=None)
        message = self.refused("POST", f"/instances/{tiny}/action", {"resize": {"volume": 5}}, status=501)
        self.assertIn("'volume'", message)
        self.action(tiny, {"resize": {"flavorRef": "medium"}})


class ResetTest(world.InstanceTestCase):
    def test_only_administrators(self) -> None:
        instance_id = str(self.create()["id"])
        for argument in ({}, None):
            body = {"reset_status": argument}
            message = self.refused("POST", f"/instances/{instance_id}/action", body, status=403)
            self.assertIn("instance:reset_status", message)
        self.action(instance_id, {"reset_status": {}}, app=self.admin)

    def test_a_creation_is_given_up_and_keeps_its_quota(self) -> None:
        instance_id = str(self.create()["id"])
        self.action(instance_id, {"reset_status": {}}, app=self.admin)
        self.assertEqual(("ACTIVE", "ERROR"), self.status(instance_id))
        self.assertEqual(
            [("instance.create", "REVERTED")], [(w["kind"], w["state"]) for w in self.workflows(instance_id)]
        )
        self.assertEqual((1, 512, 2), self.usages())
        self.call("DELETE", f"/instances/{instance_id}", status=202)
        self.settle()
        self.assertEqual((0, 0, 0), self.usages())

    def test_the_next_heartbeat_says_what_is_true(self) -> None:
        instance_id = self.active()
        self.action(instance_id, {"reset_status": None}, app=self.admin)
        self.assertEqual(("ACTIVE", "ERROR"), self.status(instance_id))
        self.guests.beat(instance_id)
        self.assertEqual(("ACTIVE", "HEALTHY"), self.status(instance_id))

    def test_an_abandoned_resize_gives_back_what_it_took(self) -> None:
        instance_id = self.active()
        for body in ({"resize": {"flavorRef": "medium"}}, {"resize": {"volume": 5}}):
            self.action(instance_id, body)
            for _ in range(3):
                self.action(instance_id, {"reset_status": {}}, app=self.admin)
            self.assertEqual((1, 512, 2), self.usages())
            self.settle()
            self.assertEqual((1, 512, 2), self.usages())
            self.guests.beat(instance_id)

    def test_what_is_queued_ends_too(self) -> None:
        """A deletion that waits for a cancelled creation must not delete an instance that was declared idle."""
        instance_id = str(self.create()["id"])
        self.call("DELETE", f"/instances/{instance_id}", status=202)
        self.action(instance_id, {"reset_status": {}}, app=self.admin)
        self.settle()
        self.assertEqual("ACTIVE", self.show(instance_id)["status"])
        self.assertEqual(["REVERTED", "REVERTED"], [w["state"] for w in self.workflows(instance_id)])
        with self.db.reader() as session:
            self.assertIsNone(self.store.active(session, operations.instance_claim(instance_id)))

    def test_owners_may_force_a_deletion_and_nothing_else(self) -> None:
        instance_id = self.active()
        self.action(instance_id, {"restart": {}})
        self.action(instance_id, {"reset_status": {"force_delete": True}})
        self.assertEqual("SHUTDOWN", self.show(instance_id)["status"])
        self.call("DELETE", f"/instances/{instance_id}", status=202)
        self.settle()
        self.call("GET", f"/instances/{instance_id}", status=404)
        self.assertEqual((0, 0, 0), self.usages())
        self.assertEqual([], self.rows(models.GuestIdentity))
