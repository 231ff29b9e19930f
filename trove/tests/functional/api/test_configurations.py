# SPDX-License-Identifier: Apache-2.0
# covers: trove/api/requests/configurations.py
"""Configuration groups: what they may hold, and how instances come to run with it."""

from typing import Any

import fixtures
import sqlalchemy as sa

from trove.common import ids
from trove.db import models
from trove.tests.functional.api import base, world

#: One value that a running engine takes over, and one that needs a restart.
LIVE = {"work_mem": "16MB"}
RESTART = {"max_connections": 50}


class GroupTestCase(world.InstanceTestCase):
    def group(self, values: Any = None, **more: Any) -> dict[str, Any]:
        """Make a group and return its document."""
        project = more.pop("project", base.PROJECT)
        body = {"configuration": {"name": "g", "values": LIVE if values is None else values, **more}}
        return dict(self.call("POST", "/configurations", body, status=200, project=project).json["configuration"])

    def shown(self, group_id: str, **options: Any) -> dict[str, Any]:
        """Return a group as it is shown."""
        return dict(self.call("GET", f"/configurations/{group_id}", status=200, **options).json["configuration"])

    def set_values(self, group_id: str, values: dict[str, Any]) -> None:
        """Set some values of a group."""
        self.call("PATCH", f"/configurations/{group_id}", {"configuration": {"values": values}}, status=200)

    def attach(self, instance_id: str, group_id: str | None) -> None:
        """Attach a group, or detach it."""
        body = {"instance": {"configuration": group_id}}
        self.call("PUT", f"/instances/{instance_id}", body, status=202)

    def running(self, instance_id: str) -> dict[str, Any]:
        """Return the values of a group that an engine runs with."""
        return self.guests.engines[instance_id].running


class LifeTest(GroupTestCase):
    def test_what_a_group_shows(self) -> None:
        made = self.group({"WORK_MEM": "16MB", "Max_Connections": 50}, description="d")
        self.assertEqual(
            {
                "name": "g",
                "description": "d",
                "values": {"work_mem": "16MB", "max_connections": 50},
                "instance_count": 0,
                "datastore_name": "postgresql",
                "datastore_version_id": self.version.id,
                "datastore_version_name": "16",
                "datastore_version_number": "16",
            },
            {key: value for key, value in made.items() if key not in ("id", "created", "updated")},
        )
        self.assertEqual(made, self.shown(made["id"]))
        (listed,) = self.call("GET", "/configurations", status=200).json["configurations"]
        self.assertEqual({key: made[key] for key in listed}, listed)
        self.assertNotIn("values", listed)

    def test_lists_have_pages(self) -> None:
        made = sorted(self.group(name=f"g{number}")["id"] for number in range(3))
        first = self.call("GET", "/configurations?limit=2", status=200).json
        self.assertEqual(made[:2], [item["id"] for item in first["configurations"]])
        path = "/" + first["links"][0]["href"].partition("/v1.0/")[2].partition("/")[2]
        self.assertEqual(made[2:], [item["id"] for item in self.call("GET", path).json["configurations"]])

    def test_one_statement_for_a_list(self) -> None:
        for number in range(3):
            self.group(name=f"g{number}")
        seen: list[str] = []
        with self.db.reader() as session:
            engine = session.get_bind()
        sa.event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
        self.call("GET", "/configurations", status=200)
        self.assertEqual(1, len([text for text in seen if text.lstrip().upper().startswith("SELECT")]), str(seen))

    def test_replacing(self) -> None:
        group_id = self.group({**LIVE, **RESTART})["id"]
        for change, name, values in (
            ({"name": "n"}, "n", {**LIVE, **RESTART}),
            ({}, "n", {**LIVE, **RESTART}),
            ({"values": {"deadlock_timeout": "2s"}}, "n", {"deadlock_timeout": "2s"}),
            ({"values": {}, "description": None}, "n", {}),
        ):
            self.call("PUT", f"/configurations/{group_id}", {"configuration": change}, status=202)
            shown = self.shown(group_id)
            self.assertEqual((name, values), (shown["name"], shown["values"]))

    def test_setting_some(self) -> None:
        group_id = self.group(LIVE)["id"]
        body = {"configuration": {"values": {"Work_Mem": 64, **RESTART}}}
        answer = self.call("PATCH", f"/configurations/{group_id}", body, status=200).json["configuration"]
        self.assertEqual({"work_mem": 64, **RESTART}, answer["values"])
        self.assertEqual(answer, self.shown(group_id))

    def test_history(self) -> None:
        group_id = self.group(LIVE)["id"]
        self.set_values(group_id, RESTART)
        self.set_values(group_id, RESTART)
        self.set_values(group_id, {"work_mem": 64})
        path = f"/configurations/{group_id}/history"
        self.call("GET", path, status=404)
        found = self.call("GET", path, status=200, version="1.2").json["history"]
        self.assertEqual(
            [(3, {"work_mem": 64, **RESTART}), (2, {**LIVE, **RESTART}), (1, LIVE)],
            [(item["revision"], item["values"]) for item in found],
        )
        page = self.call("GET", f"{path}?limit=1&marker=3", status=200, version="1.2").json
        self.assertEqual([2], [item["revision"] for item in page["history"]])
        self.refused("GET", f"{path}?marker=x", status=400, version="1.2")
        self.call("DELETE", f"/configurations/{group_id}", status=202)
        self.assertEqual([], self.rows(models.ConfigurationHistory))

    def test_others_see_nothing_and_administrators_everything(self) -> None:
        group_id = self.group(project=base.OTHER_PROJECT)["id"]
        self.assertEqual([], self.call("GET", "/configurations", status=200).json["configurations"])
        for method, path, body in (
            ("GET", "", None),
            ("GET", "/instances", None),
            ("PUT", "", {"configuration": {"name": "x"}}),
            ("PATCH", "", {"configuration": {"values": {}}}),
            ("DELETE", "", None),
        ):
            self.refused(method, f"/configurations/{group_id}{path}", body, status=404)
        for version, expected in ((None, None), ("1.2", base.OTHER_PROJECT)):
            (listed,) = self.call("GET", "/configurations", app=self.admin, version=version).json["configurations"]
            self.assertEqual(expected, listed.get("tenant_id"))
        instance_id = self.active()
        self.refused("PUT", f"/instances/{instance_id}", {"instance": {"configuration": group_id}}, status=404)


class RefusalTest(GroupTestCase):
    def test_wrong_bodies(self) -> None:
        group_id = self.group()["id"]
        good = {"name": "g", "values": {}}
        for body in (None, {}, [], {"configuration": None}, {"configuration": []}, {"configuration": {}},
                     {"configuration": {"name": "g"}}, {"configuration": {"values": {}}},
                     {"configuration": {**good, "name": ""}}, {"configuration": {**good, "name": 7}},
                     {"configuration": {**good, "values": []}}, {"configuration": {**good, "values": None}},
                     {"configuration": {**good, "values": {"": 1}}},
                     {"configuration": {**good, "values": {"x" * 129: 1}}},
                     {"configuration": {**good, "values": {str(n): 1 for n in range(2001)}}},
                     {"configuration": {**good, "description": "x" * 1025}},
                     {"configuration": {**good, "datastore": "postgresql"}},
                     {"configuration": {**good, "datastore": {"type": "postgresql", "version": "0"}}}):  # fmt: skip
            with self.subTest(str(body)[:80]):
                self.refused("POST", "/configurations", body, status=400)
        for body in (None, {}, {"configuration": {"values": 1}}, {"configuration": {"name": None}}):
            self.refused("PUT", f"/configurations/{group_id}", body, status=400)
        for body in (None, {"configuration": {}}, {"configuration": {"values": "x"}}):
            self.refused("PATCH", f"/configurations/{group_id}", body, status=400)
        more = {**good, "surprise": 1}
        self.refused("POST", "/configurations", {"configuration": more}, status=400, version="1.1")
        self.call("POST", "/configurations", {"configuration": more}, status=200)
        self.refused("GET", "/configurations?limit=x", status=400)

    def test_wrong_values_are_named_all_at_once(self) -> None:
        group_id = self.group()["id"]
        wrong = {"nothing": 1, "max_connections": "fifty", "work_mem": -5, "autovacuum": "maybe", "port": 1,
                 "deadlock_timeout": "2 months", "TimeZone": 7, "log_min_messages": None, "DEADLOCK_TIMEOUT": 1000,
                 "vacuum_cost_delay": {}, "search_path": "a\nport = 1"}  # fmt: skip
        said = ""
        for method, path, body in (
            ("POST", "", {"name": "g", "values": wrong}),
            ("PUT", f"/{group_id}", {"values": wrong}),
            ("PATCH", f"/{group_id}", {"values": wrong}),
        ):
            said = self.refused(method, f"/configurations{path}", {"configuration": body}, status=422)
            for word in wrong:
                if word != "DEADLOCK_TIMEOUT":
                    self.assertIn(word, said)
        self.assertIn("from 1 to 262143", said)
        self.assertIn("managed by the service", said)

    def test_too_much(self) -> None:
        names = [name for name, item in self.guests_parameters().items() if item.type == "string"]
        said = self.refused(
            "POST", "/configurations",
            {"configuration": {"name": "g", "values": dict.fromkeys(names[:20], "x" * 4000)}}, status=422,
        )  # fmt: skip
        self.assertIn("All values together", said)

    def guests_parameters(self) -> Any:
        """Return what may be set."""
        known = self.plugins()["postgresql"].parameters("16")
        return {name: item for name, item in known.items() if not item.protected}

    def test_datastores(self) -> None:
        good = {"name": "g", "values": {}}
        for datastore, status in (
            ({"type": "nothing"}, 404),
            ({"type": "tiny"}, 501),
            ({"version": ids.new_id()}, 404),
        ):
            self.refused("POST", "/configurations", {"configuration": {**good, "datastore": datastore}}, status=status)
        self.seed(name="9", active=False, default=False)
        old = {**good, "datastore": {"type": "postgresql", "version": "9"}}
        self.refused("POST", "/configurations", {"configuration": old}, status=400)

    def test_a_retired_version_that_still_has_instances(self) -> None:
        instance_id = self.active()
        self.seed(active=False)
        retired = {"datastore": {"type": "postgresql", "version": "16"}}
        other = {"configuration": {"name": "g", "values": {}, **retired}}
        self.refused("POST", "/configurations", other, status=400, project="stranger")
        group = self.group(**retired)
        self.set_values(group["id"], {"work_mem": "32MB"})
        self.attach(instance_id, group["id"])
        self.settle()
        self.assertEqual({"work_mem": "32MB"}, self.running(instance_id))
        self.call("DELETE", f"/instances/{instance_id}", status=202)
        self.settle()
        self.refused("POST", "/configurations", other, status=400)

    def test_numbers_and_truth_as_text(self) -> None:
        values = {"random_page_cost": "1.1", "max_connections": "50", "autovacuum": "yes", "deadlock_timeout": "2s",
                  "synchronous_commit": "FALSE"}  # fmt: skip
        kept = {"random_page_cost": 1.1, "max_connections": 50, "autovacuum": True, "synchronous_commit": "off",
                "deadlock_timeout": "2s"}  # fmt: skip
        self.assertEqual(kept, self.shown(self.group(values)["id"])["values"])

    def test_what_would_keep_the_service_out(self) -> None:
        self.seed(name="17", default=False)
        version = {"datastore": {"type": "postgresql", "version": "17"}}
        body = {"configuration": {"name": "g", "values": {"transaction_timeout": 10}, **version}}
        said = self.refused("POST", "/configurations", body, status=422)
        self.assertIn("transaction_timeout must be 0, or an integer (unit ms)", said)
        self.group({"transaction_timeout": "1s", "idle_session_timeout": 1}, **version)

    def test_unknown_groups(self) -> None:
        for group_id in (ids.new_id(), "x", "%20"):
            for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/instances")):
                self.refused(method, f"/configurations/{group_id}{path}", status=404)


class CreateWithGroupTest(GroupTestCase):
    def test_the_engine_starts_with_the_values(self) -> None:
        group = self.group({**LIVE, **RESTART})
        instance_id = self.active(configuration=group["id"])
        self.assertEqual({**LIVE, **RESTART}, self.running(instance_id))
        shown = self.show(instance_id)["configuration"]
        self.assertEqual({"id": group["id"], "name": "g"}, {key: shown[key] for key in ("id", "name")})
        self.assertEqual(1, self.shown(group["id"])["instance_count"])
        listed = self.call("GET", f"/configurations/{group['id']}/instances", status=200).json
        self.assertEqual({"instances": [{"id": instance_id, "name": "db"}]}, listed)
        self.assertNotIn("configuration", self.show(self.active()))

    def test_values_that_change_while_it_is_built(self) -> None:
        group = self.group(LIVE)
        instance_id = str(self.create(configuration=group["id"])["id"])
        self.set_values(group["id"], RESTART)
        self.set_values(group["id"], {"work_mem": 64})
        self.assertEqual(["instance.create", "instance.configure"], [w["kind"] for w in self.workflows(instance_id)])
        self.settle()
        self.assertEqual("ACTIVE", self.show(instance_id)["status"])
        self.assertEqual({"work_mem": 64, **RESTART}, self.running(instance_id))

    def test_refusals_store_nothing(self) -> None:
        self.seed(name="15", default=False)
        other = self.group(datastore={"type": "postgresql", "version": "15"})
        self.refused("POST", "/instances", self.wanted(configuration=ids.new_id()), status=404)
        self.refused("POST", "/instances", self.wanted(configuration=other["id"]), status=400)
        foreign = self.group(project=base.OTHER_PROJECT)
        self.refused("POST", "/instances", self.wanted(configuration=foreign["id"]), status=404)
        self.refused("POST", "/instances", self.wanted(configuration="x"), status=400)

    def test_one_that_fails_is_not_configured_and_can_be_deleted(self) -> None:
        group = self.group(LIVE)
        self.guests.failures["prepare"] = ("configuration.refused", "work_mem was refused.")
        instance_id = str(self.create(configuration=group["id"])["id"])
        self.set_values(group["id"], RESTART)
        self.settle()
        shown = self.show(instance_id, version="1.1")
        self.assertEqual(("ERROR", "configuration.refused"), (shown["status"], shown["fault"]["symbol"]))
        self.set_values(group["id"], {"work_mem": 64})
        self.settle()
        self.assertEqual(shown["fault"], self.show(instance_id, version="1.1")["fault"])
        self.refused("DELETE", f"/configurations/{group['id']}", status=400)
        self.call("DELETE", f"/instances/{instance_id}", status=202)
        self.call("DELETE", f"/configurations/{group['id']}", status=202)
        self.settle()
        self.call("GET", f"/instances/{instance_id}", status=404)


class AttachTest(GroupTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.target = self.active()

    def words(self, version: str = "1.2") -> tuple[str, str, str | None]:
        """Return status, operating status and fault of the instance."""
        shown = self.show(self.target, version=version)
        return shown["status"], shown["operating_status"], shown.get("fault", {}).get("symbol")

    def test_live_values_count_at_once(self) -> None:
        group = self.group(LIVE)
        self.attach(self.target, group["id"])
        self.assertEqual(("UPDATING", "", None), self.words())
        self.assertEqual(("ACTIVE", "", None), self.words("1.0"))
        self.settle()
        self.assertEqual(("ACTIVE", "HEALTHY", None), self.words())
        self.assertEqual(LIVE, self.running(self.target))
        self.attach(self.target, None)
        self.settle()
        self.assertEqual({}, self.running(self.target))
        self.assertNotIn("configuration", self.show(self.target))
        self.attach(self.target, None)
        self.assertEqual(("ACTIVE", "HEALTHY", None), self.words())

    def test_what_needs_a_restart_waits_for_one(self) -> None:
        group = self.group({**LIVE, **RESTART})
        for action in ({"restart": {}}, {"resize": {"flavorRef": "medium"}}):
            self.attach(self.target, group["id"])
            self.settle()
            self.assertEqual(("RESTART_REQUIRED", "", None), self.words())
            self.assertEqual(LIVE, self.running(self.target))
            self.action(self.target, action)
            self.settle()
            self.assertEqual(("ACTIVE", "HEALTHY", None), self.words())
            self.assertEqual({**LIVE, **RESTART}, self.running(self.target))
            self.call("PUT", f"/instances/{self.target}", {"instance": {}}, status=202)
            self.settle()
            self.assertEqual("RESTART_REQUIRED", self.words()[0])
            self.action(self.target, {"restart": {}})
            self.settle()
            self.assertEqual({}, self.running(self.target))

    def test_a_larger_volume_does_not_restart_the_engine(self) -> None:
        self.attach(self.target, self.group(RESTART)["id"])
        self.settle()
        self.action(self.target, {"resize": {"volume": {"size": 3}}})
        self.settle()
        self.assertEqual("RESTART_REQUIRED", self.words()[0])
        self.guests.failures["reconfigure"] = ("engine.failed", "It did not work.")
        self.action(self.target, {"resize": {"flavorRef": "medium"}})
        self.settle()
        self.assertEqual(("RESTART_REQUIRED", "", "engine.failed"), self.words())

    def test_taking_the_value_back_needs_no_restart(self) -> None:
        group = self.group({**LIVE, **RESTART})
        self.attach(self.target, group["id"])
        self.settle()
        self.call("PUT", f"/configurations/{group['id']}", {"configuration": {"values": LIVE}}, status=202)
        self.settle()
        self.assertEqual(("ACTIVE", "HEALTHY", None), self.words())

    def test_users_can_be_made_while_a_restart_is_due(self) -> None:
        self.attach(self.target, self.group(RESTART)["id"])
        self.settle()
        body = {"users": [{"name": "u", "password": "p"}]}
        self.call("POST", f"/instances/{self.target}/users", body, status=202)
        self.settle()
        self.assertIn(("u", "%"), self.guests.engines[self.target].users)
        self.assertEqual("RESTART_REQUIRED", self.words()[0])

    def test_refusals(self) -> None:
        group, other = self.group(LIVE), self.group(LIVE)
        path = f"/instances/{self.target}"
        self.refused("PUT", path, {"instance": {"configuration": ids.new_id()}}, status=404)
        self.seed(name="15", default=False)
        older = self.group(datastore={"type": "postgresql", "version": "15"})
        self.refused("PATCH", path, {"instance": {"configuration": older["id"]}}, status=400)
        self.attach(self.target, group["id"])
        self.refused("PUT", path, {"instance": {"configuration": other["id"]}}, status=400)
        self.settle()
        for wanted in (group, other):
            self.refused("PUT", path, {"instance": {"configuration": wanted["id"]}}, status=400)
        self.refused("DELETE", f"/configurations/{group['id']}", status=400)
        self.action(self.target, {"restart": {}})
        self.refused("PUT", path, {"instance": {"configuration": None}}, status=422)
        self.settle()

    def test_a_value_that_the_engine_refuses(self) -> None:
        group = self.group(LIVE)
        self.guests.failures["configure"] = ("configuration.refused", "work_mem was refused.")
        self.attach(self.target, group["id"])
        self.settle()
        self.assertEqual(("ACTIVE", "HEALTHY", "configuration.refused"), self.words())
        self.assertNotIn("configuration", self.show(self.target))
        self.call("DELETE", f"/configurations/{group['id']}", status=202)

    def test_a_failed_detachment_leaves_the_group(self) -> None:
        group = self.group({**LIVE, **RESTART})
        self.attach(self.target, group["id"])
        self.settle()
        self.guests.failures["configure"] = ("engine.failed", "It did not work.")
        self.attach(self.target, None)
        self.set_values(group["id"], {"work_mem": 64})
        self.settle()
        self.assertEqual(group["id"], self.show(self.target)["configuration"]["id"])
        self.assertEqual({"work_mem": 64}, self.running(self.target))
        self.assertEqual("RESTART_REQUIRED", self.words()[0])

    def test_a_group_may_go_right_after_it_was_detached(self) -> None:
        group = self.group(LIVE)
        self.attach(self.target, group["id"])
        self.settle()
        self.attach(self.target, None)
        self.call("DELETE", f"/configurations/{group['id']}", status=202)
        self.guests.failures["configure"] = ("engine.failed", "It did not work.")
        self.settle()
        self.assertNotIn("configuration", self.show(self.target))
        self.assertEqual({}, self.running(self.target))


class PushTest(GroupTestCase):
    def test_every_instance_gets_new_values(self) -> None:
        group = self.group(LIVE)
        idle, busy = (self.active(configuration=group["id"]) for _ in range(2))
        self.action(busy, {"restart": {}})
        for values in ({"work_mem": 64}, {"work_mem": 65}, RESTART):
            self.set_values(group["id"], values)
        kinds = [workflow["kind"] for workflow in self.workflows(busy)]
        self.assertEqual(["instance.create", "instance.restart", "instance.configure"], kinds)
        self.settle()
        for instance_id in (idle, busy):
            self.assertEqual("RESTART_REQUIRED", self.show(instance_id)["status"])
            self.assertEqual({"work_mem": 65}, self.running(instance_id))
            self.action(instance_id, {"restart": {}})
        self.settle()
        self.assertEqual({"work_mem": 65, **RESTART}, self.running(busy))

    def test_many_instances_get_them_some_at_a_time(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.operations.configurations.BATCH", 2))
        group = self.group(LIVE)
        made = sorted(self.active(configuration=group["id"]) for _ in range(5))
        self.set_values(group["id"], {"work_mem": 64})
        words = [self.show(instance_id, version="1.2")["status"] for instance_id in made]
        self.assertEqual(["UPDATING"] * 2 + ["ACTIVE"] * 3, words)
        self.assertEqual(["ACTIVE"] * 5, [self.show(instance_id)["status"] for instance_id in made])
        (rest,) = self.workflows(group["id"])
        self.assertEqual(("configuration.push", "QUEUED"), (rest["kind"], rest["state"]))
        self.assertIn(rest["id"], self.hints.woken)
        self.set_values(group["id"], {"work_mem": 65})
        self.settle()
        self.assertEqual([{"work_mem": 65}] * 5, [self.running(instance_id) for instance_id in made])
        self.assertEqual({"SUCCEEDED"}, {row["state"] for row in self.workflows(group["id"])})
        # One for each change where both came at once; the others were seen to by the later change alone.
        counts = [[row["kind"] for row in self.workflows(item)].count("instance.configure") for item in made]
        self.assertEqual([2, 2, 1, 1, 1], counts)

    def test_what_does_not_change_the_values_disturbs_nobody(self) -> None:
        group = self.group(LIVE)
        instance_id = self.active(configuration=group["id"])
        path = f"/configurations/{group['id']}"
        self.call("PUT", path, {"configuration": {"name": "other", "values": LIVE}}, status=202)
        self.set_values(group["id"], LIVE)
        self.assertEqual("ACTIVE", self.show(instance_id)["status"])
        self.assertEqual(["instance.create"], [workflow["kind"] for workflow in self.workflows(instance_id)])

    def test_a_refused_value_is_stored_and_explained(self) -> None:
        group = self.group(RESTART)
        instance_id = self.active(configuration=group["id"])
        self.set_values(group["id"], {"max_connections": 51})
        self.settle()
        self.guests.failures["configure"] = ("configuration.refused", "work_mem was refused.")
        self.set_values(group["id"], LIVE)
        self.settle()
        shown = self.show(instance_id, version="1.2")
        self.assertEqual(
            ("RESTART_REQUIRED", "configuration.refused", group["id"]),
            (shown["status"], shown["fault"]["symbol"], shown["configuration"]["id"]),
        )
        self.assertEqual(RESTART, self.running(instance_id))
        self.assertEqual({"max_connections": 51, **LIVE}, self.shown(group["id"])["values"])

    def test_deletion_does_not_wait(self) -> None:
        group = self.group(LIVE)
        instance_id = self.active(configuration=group["id"])
        self.action(instance_id, {"restart": {}})
        self.set_values(group["id"], RESTART)
        for _ in range(2):
            self.call("DELETE", f"/instances/{instance_id}", status=202)
        self.assertEqual(0, self.shown(group["id"])["instance_count"])
        self.settle()
        self.call("GET", f"/instances/{instance_id}", status=404)
        self.assertNotIn("configure", [name for name, _ in self.guests.seen])
        kinds = [workflow["kind"] for workflow in self.workflows(instance_id)]
        self.assertEqual(1, kinds.count("instance.delete"))

    def test_a_reset_says_that_values_may_be_others(self) -> None:
        group = self.group(LIVE)
        instance_id = self.active(configuration=group["id"])
        self.action(instance_id, {"restart": {}})
        self.set_values(group["id"], RESTART)
        self.action(instance_id, {"reset_status": {}}, app=self.admin)
        shown = self.show(instance_id, version="1.1")
        self.assertEqual(("ACTIVE", "configuration.unknown"), (shown["status"], shown["fault"]["symbol"]))


class DefaultConfigurationTest(GroupTestCase):
    def test_it_fits_the_size_and_leaves_the_group_out(self) -> None:
        group = self.group({"shared_buffers": "32MB"})
        small, large = self.active(configuration=group["id"]), self.active(flavorRef="medium")
        found = [self.call("GET", f"/instances/{one}/configuration", status=200).json for one in (small, large)]
        values = [document["instance"]["configuration"] for document in found]
        self.assertTrue(values[0])
        self.assertNotEqual("32MB", values[0].get("shared_buffers"))
        self.assertNotEqual(values[0], values[1])

    def test_refusals(self) -> None:
        tiny = str(self.create(datastore={"type": "tiny"}, volume=None)["id"])
        self.refused("GET", f"/instances/{tiny}/configuration", status=501)
        self.refused("GET", f"/instances/{ids.new_id()}/configuration", status=404)
