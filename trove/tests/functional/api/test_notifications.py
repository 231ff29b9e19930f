# SPDX-License-Identifier: Apache-2.0
# covers: trove/operations/events.py
"""Notifications: each accepted request is told in a pair, in the transaction that did it; a refused one is not."""

from typing import Any

from trove.db import models
from trove.tests.functional.api import world

_PASSWORD = "hunter2-very-secret"


class ToldTest(world.InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.conf.set_override("driver", ["messagingv2"], "oslo_messaging_notifications")
        self.conf.set_override("notification_service_id", {"postgresql": "billing-7"})

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """Return type and payload of all that waits, in order."""
        return [(row["event_type"], row["payload"]) for row in self.rows(models.Notification)]

    def types(self) -> list[str]:
        return [name for name, _ in self.told()]

    def test_a_creation_from_start_to_end(self) -> None:
        users = [{"name": "u", "password": _PASSWORD, "databases": [{"name": "d"}]}]
        instance_id = self.create(users=users, databases=[{"name": "d"}])["id"]
        ((name, start),) = self.told()
        self.assertEqual("dbaas.instance_create.start", name)
        told = tuple(start[key] for key in ("name", "flavor_id", "datastore", "users"))
        self.assertEqual(("db", "small", "postgresql", ["u"]), told)
        self.assertEqual({"tenant_id", "client_ip", "server_ip", "server_type", "request_id"} - start.keys(), set())
        self.settle()
        self.assertEqual(
            ["dbaas.instance_create.start", "dbaas.instance_create.end", "trove.instance.create"], self.types()
        )
        end, use = (payload for _, payload in self.told()[1:])
        self.assertEqual({**start, "instance_id": instance_id}, end)
        self.assertEqual(
            (instance_id, "active", "billing-7", 2),
            (use["instance_id"], use["state"], use["service_id"], use["volume_size"]),
        )
        self.assertNotIn(_PASSWORD, str(self.told()))
        publishers = [row["publisher_id"] for row in self.rows(models.Notification)]
        self.assertEqual([f"api.{self.conf.host}", f"taskmanager.{self.conf.host}", self.conf.host], publishers)

    def test_a_failed_creation_ends_in_an_error(self) -> None:
        self.guests.failures["prepare"] = ("engine.start", "The engine did not start.")
        instance_id = self.create()["id"]
        self.settle()
        self.assertEqual(["dbaas.instance_create.start", "dbaas.instance_create.error"], self.types())
        error = self.told()[-1][1]
        self.assertEqual(
            ("engine.start", "The engine did not start.", instance_id),
            (error["exception"], error["message"], error["instance_id"]),
        )

    def test_every_change_is_told_in_a_pair(self) -> None:
        instance_id = self.active(databases=[{"name": "d"}])
        path = f"/instances/{instance_id}"
        begun = len(self.told())
        user = {"name": "u", "password": _PASSWORD, "databases": [{"name": "d"}]}
        for method, where, body in (
            ("POST", "/databases", {"databases": [{"name": "a"}, {"name": "b"}]}),
            ("POST", "/users", {"users": [user]}),
            ("PUT", "/users/u/databases", {"databases": [{"name": "a"}]}),
            ("DELETE", "/users/u/databases/a", None),
            ("PUT", "/users", {"users": [{"name": "u", "password": _PASSWORD}]}),
            ("PUT", "/users/u", {"user": {"name": "v"}}),
            ("DELETE", "/users/v", None),
            ("DELETE", "/databases/b", None),
            ("POST", "/action", {"restart": {}}),
            ("POST", "/action", {"resize": {"volume": {"size": 3}}}),
            ("POST", "/action", {"resize": {"flavorRef": "medium"}}),
            ("DELETE", "", None),
        ):
            self.call(method, path + where, body, status=202)
            self.settle()
        events = [name.removeprefix("dbaas.") for name in self.types()[begun:] if name.startswith("dbaas.")]
        expected = [
            *("database_create", "database_create", "user_create", "user_grant", "user_revoke", "user_change_password"),
            *("user_update_attributes", "user_delete", "database_delete", "instance_restart", "instance_resize_volume"),
            *("instance_resize_instance", "instance_delete"),
        ]
        self.assertEqual(expected, [name.removesuffix(".start") for name in events if name.endswith(".start")])
        self.assertEqual(expected, [name.removesuffix(".end") for name in events if name.endswith(".end")])
        self.assertEqual(
            ["trove.instance.modify_flavor", "trove.instance.delete"],
            [name for name in self.types()[begun:] if name.startswith("trove.")],
        )
        self.assertNotIn(_PASSWORD, str(self.told()))

    def test_configuration_groups(self) -> None:
        instance_id = self.active()
        begun = len(self.told())
        group = {"name": "g", "values": {}, "datastore": {"type": "postgresql", "version": "16"}}
        path = "/configurations/" + self.call("POST", "/configurations", {"configuration": group}, status=200).json[
            "configuration"
        ]["id"]
        group_id = path.rpartition("/")[2]
        self.call("PUT", f"/instances/{instance_id}", {"instance": {"configuration": group_id}}, status=202)
        self.settle()
        self.call("PATCH", path, {"configuration": {"values": {"work_mem": 8192}}}, status=200)
        self.settle()
        self.call("PUT", path, {"configuration": {"name": "h"}}, status=202)
        self.call("PUT", f"/instances/{instance_id}", {"instance": {"configuration": None}}, status=202)
        self.settle()
        self.call("DELETE", path, status=202)
        pairs = ("configuration_create", "instance_attach_configuration", "configuration_edit", "configuration_update",
                 "instance_detach_configuration", "configuration_delete")  # fmt: skip
        expected = [f"dbaas.{event}.{phase}" for event in pairs for phase in ("start", "end")]
        self.assertEqual(expected, self.types()[begun:])
        self.assertEqual(group_id, self.told()[begun + 1][1]["configuration_id"])

    def test_reboot_and_migration(self) -> None:
        instance_id = self.active()
        begun = len(self.told())
        self.conf.set_override("noauth_admin", True)
        admin = self.make_app(self.conf)
        for body in ({"reboot": {}}, {"migrate": {"host": "host-2"}}):
            self.call("POST", f"/mgmt/instances/{instance_id}/action", body, status=202, app=admin)
            self.settle()
        expected = [f"dbaas.{event}.{phase}" for event in ("instance_reboot", "migrate") for phase in ("start", "end")]
        self.assertEqual(expected, self.types()[begun:])

    def test_a_refused_request_tells_nothing(self) -> None:
        instance_id = self.active()
        before = self.told()
        self.refused("POST", f"/instances/{instance_id}/action", {"resize": {"flavorRef": "small"}}, status=400)
        self.refused("POST", "/instances", self.wanted(flavorRef="none"), status=400)
        self.assertEqual(before, self.told())

    def test_a_deletion_ends_what_it_cancels(self) -> None:
        instance_id = self.create()["id"]
        self.call("DELETE", f"/instances/{instance_id}", status=202)
        self.settle()
        self.assertEqual(
            {"dbaas.instance_create.start", "dbaas.instance_create.error", "dbaas.instance_delete.start",
             "dbaas.instance_delete.end", "trove.instance.delete"},
            set(self.types()),
        )  # fmt: skip

    def test_a_reset_ends_what_it_gives_up(self) -> None:
        instance_id = self.create()["id"]
        self.action(instance_id, {"reset_status": {}}, app=self.admin)
        # The administrator's process of this test has no driver, so it tells only what another one began.
        self.assertEqual(["dbaas.instance_create.start", "dbaas.instance_create.error"], self.types())

    def test_nothing_is_written_unless_somebody_listens(self) -> None:
        self.conf.set_override("driver", [], "oslo_messaging_notifications")
        self.call("DELETE", f"/instances/{self.active()}", status=202)
        self.settle()
        self.assertEqual([], self.told())
