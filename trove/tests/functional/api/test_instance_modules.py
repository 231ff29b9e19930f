# SPDX-License-Identifier: Apache-2.0
"""Modules of instances: applied at creation and later, listed, removed, applied again; the guests are played by the
test."""

import base64
import contextlib
import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

from trove.api import waiting
from trove.common import clock, ids
from trove.db import models
from trove.tests.functional.api import base
from trove.tests.functional.api.test_modules import ModuleTestCase, encoded


class AppliedTestCase(ModuleTestCase):
    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """Let the world go on meanwhile, in a thread of its own."""
        over = threading.Event()

        def run() -> None:
            while not over.is_set():
                self.settle(0.05)
                clock.wait(over, 0.02)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(30)

    def apply(self, instance_id: str, *module_ids: str, **options: Any) -> list[dict[str, Any]]:
        """Apply modules while the guest answers."""
        body = {"modules": [{"id": item} for item in module_ids]}
        with self.going_on():
            return list(
                self.call("POST", f"/instances/{instance_id}/modules", body, status=200, **options).json["modules"]
            )

    def applied(self, instance_id: str, query: str = "", **options: Any) -> list[dict[str, Any]]:
        """Return the modules of an instance as they are shown."""
        return list(self.call("GET", f"/instances/{instance_id}/modules{query}", status=200, **options).json["modules"])

    def statuses(self, instance_id: str) -> list[tuple[str, str]]:
        """Return name and status of the modules of an instance."""
        return [(item["name"], item["status"]) for item in self.applied(instance_id)]

    def sent(self, name: str = "apply_modules") -> list[list[str]]:
        """Return the names of the modules of each command that applied some."""
        return [[item["name"] for item in args["modules"]] for kind, args in self.guests.seen if kind == name]


class ApplyTest(AppliedTestCase):
    def test_applying(self) -> None:
        instance_id, made = self.active(), self.module()
        (shown,) = self.apply(instance_id, made["id"])
        self.assertEqual(
            {
                "id": made["id"], "name": "m", "type": "ping", "datastore": "all", "datastore_version": "all",
                "tenant": base.PROJECT, "md5": made["md5"], "status": "OK", "message": "hello", "removed": None,
                "auto_apply": False, "visible": True, "is_admin": False,
            },
            {key: value for key, value in shown.items() if key not in ("created", "updated")},
        )  # fmt: skip
        self.assertEqual([shown], self.applied(instance_id))
        self.assertEqual([shown], self.applied(instance_id, "?from_guest=True"))
        self.assertEqual(1, self.shown(made["id"])["instance_count"])
        kinds = [row["kind"] for row in self.workflows(instance_id)]
        self.assertEqual(["instance.create", "module.apply"], kinds)
        self.assertNotIn("hello", str([row["inputs"] for row in self.workflows(instance_id)]))

    def test_in_order_whatever_the_request_says(self) -> None:
        instance_id = self.active()
        made = {
            name: self.module(by_admin=bool(more), name=name, apply_order=order, **more)
            for name, order, more in (("late", 9, {}), ("soon", 0, {}), ("first", 9, {"priority_apply": 1}))
        }
        self.apply(instance_id, *(item["id"] for item in made.values()))
        self.assertEqual([["first", "soon", "late"]], self.sent())
        self.assertEqual(["first", "soon", "late"], [item["name"] for item in self.applied(instance_id)])

    def test_one_that_fails_does_not_keep_the_others(self) -> None:
        instance_id, good, bad = self.active(), self.module(name="good"), self.module(name="bad")
        self.guests.effects[instance_id, "apply_modules"] = lambda made: {
            "modules": [
                {"id": item.id, "md5": good["md5"], "message": "said",
                 "status": "ERROR" if item.name == "bad" else "OK"}
                for item in made.modules
            ]
        }  # fmt: skip
        shown = self.apply(instance_id, good["id"], bad["id"])
        self.assertEqual([("bad", "ERROR"), ("good", "OK")], [(item["name"], item["status"]) for item in shown])

    def test_a_guest_that_cannot(self) -> None:
        instance_id, made = self.active(), self.module()
        self.guests.failures["apply_modules"] = ("guest.too_old", "agent too old, upgrade it")
        (shown,) = self.apply(instance_id, made["id"])
        self.assertEqual(("ERROR", "agent too old, upgrade it"), (shown["status"], shown["message"]))
        self.assertNotIn("fault", self.show(instance_id))
        (shown,) = self.apply(instance_id, made["id"])
        self.assertEqual("OK", shown["status"])

    def test_a_guest_that_talks_nonsense(self) -> None:
        instance_id, made = self.active(), self.module()
        for answer in ({}, {"modules": 7}, {"modules": [7, {}, {"id": made["id"], "status": "FINE", "md5": "x"}]}):
            self.guests.effects[instance_id, "apply_modules"] = lambda _made, answer=answer: answer
            (shown,) = self.apply(instance_id, made["id"])
            self.assertEqual(("ERROR", made["md5"]), (shown["status"], shown["md5"]))

    def test_a_guest_that_is_slow(self) -> None:
        instance_id, made = self.active(), self.module()
        body = {"modules": [{"id": made["id"]}]}
        with mock.patch.object(waiting, "SECONDS", 0.2):
            (shown,) = self.call("POST", f"/instances/{instance_id}/modules", body, status=200).json["modules"]
        self.assertEqual(("PENDING", None), (shown["status"], shown["message"]))
        self.settle()
        self.assertEqual([("m", "OK")], self.statuses(instance_id))

    def test_refusals(self) -> None:
        instance_id, made = self.active(), self.module()
        path = f"/instances/{instance_id}/modules"
        tiny = self.module(name="tiny", datastore={"type": "tiny"})
        theirs = self.module(name="theirs", project="elsewhere")
        hidden = self.module(by_admin=True, name="hidden", visible=0)
        for body, status in (
            (None, 400),
            ({}, 400),
            ({"modules": []}, 400),
            ({"modules": [{}]}, 400),
            ({"modules": [{"id": "x"}]}, 400),
            ({"modules": [{"id": made["id"]}, {"id": made["id"].upper()}]}, 400),
            ({"modules": [{"id": made["id"]}, {"id": ids.new_id()}]}, 404),
            ({"modules": [{"id": theirs["id"]}]}, 404),
            ({"modules": [{"id": hidden["id"]}]}, 404),
            ({"modules": [{"id": tiny["id"]}]}, 400),
        ):
            with self.subTest(str(body)):
                self.refused("POST", path, body, status=status)
        body = {"modules": [{"id": made["id"]}]}
        self.refused("POST", path, body, status=404, project="elsewhere")
        self.refused("GET", path, status=404, project="elsewhere")
        self.refused("GET", f"{path}?from_guest=perhaps", status=400)
        self.refused("POST", f"/instances/{self.create()['id']}/modules", body, status=422)

    def test_more_than_a_message_holds(self) -> None:
        instance_id = self.active()
        text = encoded("message=x\n#" + "x" * 32_000)
        made = [self.module(name=f"m{number}", contents=text)["id"] for number in range(9)]
        body = {"modules": [{"id": item} for item in made]}
        self.assertIn("apply fewer", self.refused("POST", f"/instances/{instance_id}/modules", body, status=400))

    def test_contents_for_those_they_belong_to(self) -> None:
        instance_id, mine = self.active(), self.module(live_update=1)
        foreign = self.module(by_admin=True, all_tenants=1, name="z")
        self.apply(instance_id, mine["id"], foreign["id"])
        for query in ("?include_contents=True&from_guest=True", "?include_contents=1"):
            shown = self.applied(instance_id, query)
            self.assertEqual([b"message=hello\n", b""], [base64.b64decode(item["contents"]) for item in shown])
        self.assertEqual([encoded()] * 2, [i["contents"] for i in self.applied(instance_id, query, app=self.admin)])
        for query in ("", "?include_contents=False", "?from_guest=True"):
            self.assertNotIn("contents", self.applied(instance_id, query)[0])
        self.put(mine["id"], contents=encoded("message=new"))
        shown = self.applied(instance_id, "?include_contents=1")[0]
        self.assertEqual(("", mine["md5"]), (shown["contents"], shown["md5"]))

    def test_removing(self) -> None:
        instance_id, made = self.active(), self.module()
        path = f"/instances/{instance_id}/modules/{made['id']}"
        self.refused("DELETE", path, status=404)
        self.refused("DELETE", f"/instances/{instance_id}/modules/{ids.new_id()}", status=404)
        self.apply(instance_id, made["id"])
        self.refused("DELETE", path, status=404, project="elsewhere")
        self.guests.failures["remove_module"] = ("module.not_removed", "it is stuck")
        with self.going_on():
            self.assertIn("stuck", self.fault(self.call("DELETE", path, status=422))["message"])
        self.assertEqual([("m", "ERROR")], self.statuses(instance_id))
        self.assertEqual(made["md5"], self.applied(instance_id)[0]["md5"])
        with self.going_on():
            self.assertEqual(b"", self.call("DELETE", path, status=200).body)
        self.assertEqual([], self.applied(instance_id))
        self.call("DELETE", f"/modules/{made['id']}", status=200)

    def test_an_instance_that_goes_has_none(self) -> None:
        instance_id, made = self.active(), self.module()
        self.apply(instance_id, made["id"])
        self.call("DELETE", f"/instances/{instance_id}", status=202)
        self.assertEqual(0, self.shown(made["id"])["instance_count"])
        self.settle()
        self.assertEqual([], self.rows(models.InstanceModule))
        self.call("DELETE", f"/modules/{made['id']}", status=200)


class CreateTest(AppliedTestCase):
    def test_with_modules(self) -> None:
        made = self.module()
        instance_id = str(self.create(modules=[{"id": made["id"]}])["id"])
        self.assertEqual([("m", "PENDING")], self.statuses(instance_id))
        self.settle()
        self.assertEqual([("m", "OK")], self.statuses(instance_id))
        self.assertEqual([["m"]], self.sent())

    def test_those_that_every_instance_gets(self) -> None:
        for name, more in (
            ("of another project", {}),
            ("everywhere", {"all_tenants": 1, "apply_order": 7}),
            ("hidden", {"all_tenants": 1, "visible": 0, "priority_apply": 1}),
            ("this version", {"all_tenants": 1, "datastore": {"type": "postgresql", "version": "16"}}),
            ("another engine", {"all_tenants": 1, "datastore": {"type": "tiny"}}),
        ):
            project = "elsewhere" if name.startswith("of") else base.PROJECT
            self.module(by_admin=True, project=project, name=name, auto_apply=1, **more)
        mine = self.module(name="mine", apply_order=6)
        instance_id = self.active(modules=[{"id": mine["id"]}])
        self.assertEqual([["hidden", "this version", "mine", "everywhere"]], self.sent())
        self.assertEqual(["this version", "mine", "everywhere"], [name for name, _ in self.statuses(instance_id)])
        self.assertEqual(4, len(self.applied(instance_id, app=self.admin)))

    def test_a_module_that_fails_does_not_fail_the_instance(self) -> None:
        made = self.module()
        self.guests.failures["apply_modules"] = ("guest.internal_error", "it broke")
        instance_id = self.active(modules=[{"id": made["id"]}])
        (shown,) = self.applied(instance_id)
        self.assertEqual(("ERROR", "it broke"), (shown["status"], shown["message"]))

    def test_a_creation_that_fails_keeps_no_module_from_going(self) -> None:
        made = self.module()
        self.guests.failures["prepare"] = ("engine.broken", "no")
        instance_id = str(self.create(modules=[{"id": made["id"]}])["id"])
        self.settle()
        self.assertEqual("ERROR", self.show(instance_id)["status"])
        self.call("DELETE", f"/modules/{made['id']}", status=200)

    def test_a_creation_that_an_operator_gives_up(self) -> None:
        made = self.module()
        instance_id = str(self.create(modules=[{"id": made["id"]}])["id"])
        self.action(instance_id, {"reset_status": {}}, app=self.admin)
        (shown,) = self.applied(instance_id)
        self.assertEqual("ERROR", shown["status"])
        self.assertIn("given up", shown["message"])

    def test_refusals(self) -> None:
        theirs = self.module(project="elsewhere")
        tiny = self.module(name="tiny", datastore={"type": "tiny"})
        for references, status in (
            ([{"id": ids.new_id()}], 404),
            ([{"id": theirs["id"]}], 404),
            ([{"id": tiny["id"]}], 400),
            ([{"id": "x"}], 400),
            ([{}], 400),
        ):
            with self.subTest(str(references)):
                self.refused("POST", "/instances", self.wanted(modules=references), status=status)


class ReapplyTest(AppliedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.made = self.module(live_update=1)
        self.path = f"/modules/{self.made['id']}/instances"

    def instances(self, number: int) -> list[str]:
        """Make instances that have the module."""
        return sorted(self.active(modules=[{"id": self.made["id"]}]) for _ in range(number))

    def counts(self, **options: Any) -> list[tuple[str, int, bool]]:
        """Return how many instances have which contents."""
        found = self.call("GET", f"{self.path}?count_only=True", status=200, **options).json["instances"]
        return [(item["module_md5"], item["instance_count"], item["current"]) for item in found]

    def reapply(self, **options: Any) -> None:
        """Ask for the module to be applied again, and let it happen."""
        self.call("PUT", self.path, {"reapply": options}, status=202)
        self.settle()

    def asked(self) -> int:
        """Return how often the module was applied."""
        return len(self.sent())

    def test_listing(self) -> None:
        made = self.instances(3)
        first = self.call("GET", f"{self.path}?limit=2&include_clustered=True", status=200).json
        self.assertEqual(made[:2], [item["id"] for item in first["instances"]])
        path = "/" + first["links"][0]["href"].partition("/v1.0/")[2].partition("/")[2]
        self.assertEqual(made[2:], [item["id"] for item in self.call("GET", path).json["instances"]])
        self.assertEqual([(self.made["md5"], 3, True)], self.counts())
        for query in ("limit=0", "limit=x", "count_only=perhaps"):
            self.refused("GET", f"{self.path}?{query}", status=400)

    def test_only_what_is_out_of_date(self) -> None:
        self.instances(2)
        self.reapply()
        self.assertEqual(2, self.asked())
        self.put(self.made["id"], contents=encoded("message=new"))
        self.assertEqual([(self.made["md5"], 2, False)], self.counts())
        self.reapply()
        self.assertEqual(4, self.asked())
        self.assertEqual([(self.shown(self.made["id"])["md5"], 2, True)], self.counts())
        self.reapply(md5=self.made["md5"], force=1)
        self.assertEqual(4, self.asked())
        self.reapply(force=True)
        self.assertEqual(6, self.asked())

    def test_in_batches(self) -> None:
        self.conf.set_override("module_reapply_max_batch_size", 2)
        self.conf.set_override("module_reapply_min_batch_delay", 1)
        self.instances(3)
        self.call("PUT", self.path, {"reapply": {"force": 1, "batch_size": 100, "batch_delay": 0}}, status=202)
        self.settle()
        self.assertEqual(5, self.asked())
        (row,) = [row for row in self.rows(models.Workflow) if row["kind"] == "module.reapply"]
        self.assertEqual((2, 1), (row["inputs"]["batch_size"], row["inputs"]["batch_delay"]))
        self.settle(2.0)
        self.assertEqual(6, self.asked())

    def test_a_busy_instance_is_waited_for(self) -> None:
        busy, idle = self.instances(2)
        self.put(self.made["id"], contents=encoded("message=new"))
        self.action(busy, {"restart": {}})
        self.guests.silent = True
        self.settle()
        with mock.patch("trove.taskmanager.steps.modules.BUSY_PAUSE", 0.5):
            self.call("PUT", self.path, {"reapply": {"batch_delay": 1}}, status=202)
            self.conf.set_override("module_reapply_min_batch_delay", 1)
            self.settle()
            states = {row["kind"]: row["state"] for row in self.rows(models.Workflow)}
            self.assertEqual("WAITING", states["module.reapply"])
            self.guests.silent = False
            self.settle(3.0)
        self.assertEqual([(self.shown(self.made["id"])["md5"], 2, True)], self.counts())
        self.assertEqual("ACTIVE", self.show(idle)["status"])

    def test_only_the_callers_instances(self) -> None:
        shared = self.module(by_admin=True, name="shared", all_tenants=1)
        reference = [{"id": shared["id"]}]
        mine, theirs = self.active(modules=reference), self.active(modules=reference, project="elsewhere")
        path = f"/modules/{shared['id']}/instances"
        for options, seen in (
            ({}, [mine]),
            ({"project": "elsewhere"}, [theirs]),
            ({"app": self.admin}, [mine, theirs]),
        ):
            found = self.call("GET", path, status=200, **options).json["instances"]  # type: ignore[arg-type]
            self.assertEqual(sorted(seen), [item["id"] for item in found])
        self.call("PUT", path, {"reapply": {"force": 1}}, status=202)
        self.settle()
        self.assertEqual(
            [mine], [row["resource_id"] for row in self.rows(models.Workflow) if row["kind"] == "module.apply"]
        )

    def test_bad_input(self) -> None:
        for body in (None, {}, {"reapply": None}, {"reapply": {"md5": "x"}}, {"reapply": {"batch_size": 0}},
                     {"reapply": {"batch_delay": -1}}, {"reapply": {"force": 2}}):  # fmt: skip
            with self.subTest(str(body)):
                self.refused("PUT", self.path, body, status=400)

    def test_a_module_that_goes_meanwhile(self) -> None:
        self.instances(1)
        self.call("PUT", self.path, {"reapply": {"force": 1}}, status=202)
        self.call("DELETE", f"/modules/{self.made['id']}", status=200)
        self.settle()
        self.assertEqual(1, self.asked())
        self.assertEqual([], self.rows(models.InstanceModule))
