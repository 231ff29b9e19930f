# SPDX-License-Identifier: Apache-2.0
# covers: trove/api/requests/modules.py
"""Modules: who may make, see, change and delete them."""

import base64
import hashlib
from typing import Any

import fixtures
import sqlalchemy as sa

from trove.common import ids
from trove.db import models
from trove.tests.functional.api import base, world

CONTENTS = "message=hello\n"


def encoded(text: str = CONTENTS) -> str:
    """Return contents as clients send them."""
    return base64.b64encode(text.encode()).decode()


class ModuleTestCase(world.InstanceTestCase):
    def body(self, **more: Any) -> dict[str, Any]:
        """Return a body that makes a module."""
        return {"module": {"name": "m", "module_type": "ping", "contents": encoded(), **more}}

    def module(self, *, by_admin: bool = False, project: str = base.PROJECT, **more: Any) -> dict[str, Any]:
        """Make a module and return its document."""
        options: dict[str, Any] = {"project": project}
        if by_admin:
            options["app"] = self.admin
        return dict(self.call("POST", "/modules", self.body(**more), status=200, **options).json["module"])

    def shown(self, module_id: str, **options: Any) -> dict[str, Any]:
        """Return a module as it is shown."""
        return dict(self.call("GET", f"/modules/{module_id}", status=200, **options).json["module"])

    def names(self, query: str = "", **options: Any) -> list[str]:
        """Return the names of the modules that a caller sees."""
        found = self.call("GET", f"/modules{query}", status=200, **options).json["modules"]
        return [item["name"] for item in found]

    def put(self, module_id: str, status: int = 200, by_admin: bool = False, **changes: Any) -> Any:
        """Change a module."""
        options = {"app": self.admin} if by_admin else {}
        return self.call("PUT", f"/modules/{module_id}", {"module": changes}, status=status, **options)

    def link(self, instance_id: str, module: dict[str, Any]) -> None:
        """Have an instance have a module."""
        row = {"md5": module["md5"], "status": "OK", "created_at": self.now(), "updated_at": self.now()}
        with self.db.writer() as session:
            session.execute(
                sa.insert(models.InstanceModule).values(instance_id=instance_id, module_id=module["id"], **row)
            )

    def now(self) -> Any:
        """Return the database's clock."""
        with self.db.reader() as session:
            return self.db.now(session)


class LifeTest(ModuleTestCase):
    def test_what_a_module_shows(self) -> None:
        made = self.module(description="d", live_update=1, datastore={"type": "postgresql", "version": "16"})
        expected = {
            "name": "m",
            "type": "ping",
            "description": "d",
            "tenant_id": base.PROJECT,
            "tenant": base.PROJECT,
            "datastore_id": self.version.datastore_id,
            "datastore": "postgresql",
            "datastore_version_id": self.version.id,
            "datastore_version": "16",
            "auto_apply": False,
            "priority_apply": False,
            "apply_order": 5,
            "is_admin": False,
            "visible": True,
            "live_update": True,
            "md5": hashlib.md5(CONTENTS.encode()).hexdigest(),
        }
        self.assertEqual(expected, {k: v for k, v in made.items() if k not in ("id", "created", "updated")})
        self.assertEqual({**made, "instance_count": 0}, self.shown(made["id"]))
        (listed,) = self.call("GET", "/modules", status=200).json["modules"]
        self.assertEqual({key: made[key] for key in listed}, listed)
        for document in (made, listed, self.shown(made["id"].upper())):
            self.assertNotIn("contents", document)

    def test_contents_are_encrypted_at_rest(self) -> None:
        self.module(contents=encoded("message=top-secret"))
        with self.db.reader() as session:
            (stored,) = session.execute(sa.text("SELECT contents FROM modules")).one()
        self.assertNotIn("secret", stored)
        self.assertNotIn(encoded("message=top-secret")[:12], stored)

    def test_plain_contents_are_taken_too(self) -> None:
        self.assertEqual(hashlib.md5(b"message=x").hexdigest(), self.module(contents="message=x")["md5"])

    def test_restrictions_that_are_none(self) -> None:
        made = self.module(by_admin=True, all_tenants=True)
        self.assertEqual(
            ("all", "all", "all", None),
            tuple(made[k] for k in ("tenant", "datastore", "datastore_version", "tenant_id")),
        )

    def test_changing(self) -> None:
        made = self.module(datastore={"type": "postgresql", "version": "16"})
        changed = self.put(
            made["id"], name="n", type="new_relic_license", description="e", contents=encoded("message=b"),
            apply_order=0, live_update=1, all_datastore_versions=1,
        ).json["module"]  # fmt: skip
        self.assertEqual(
            ("n", "ping", "e", hashlib.md5(b"message=b").hexdigest(), 0, True, "postgresql", "all"),
            tuple(changed[key] for key in (
                "name", "type", "description", "md5", "apply_order", "live_update", "datastore", "datastore_version",
            )),
        )  # fmt: skip
        self.assertEqual("all", self.put(made["id"], all_datastores=1).json["module"]["datastore"])
        again = self.put(made["id"], datastore={"type": "tiny", "version": "1"}).json["module"]
        self.assertEqual(("tiny", "1"), (again["datastore"], again["datastore_version"]))
        moved = self.put(made["id"], datastore={"type": "postgresql"}).json["module"]
        self.assertEqual(("postgresql", "all"), (moved["datastore"], moved["datastore_version"]))
        self.assertEqual(moved, {k: v for k, v in self.shown(made["id"]).items() if k != "instance_count"})

    def test_deleting(self) -> None:
        made = self.module()
        self.call("DELETE", f"/modules/{made['id']}", status=200)
        self.refused("GET", f"/modules/{made['id']}", status=404)
        self.refused("DELETE", f"/modules/{made['id']}", status=404)
        self.assertEqual([], self.rows(models.Module))

    def test_one_statement_for_a_list(self) -> None:
        for number in range(3):
            self.module(name=f"m{number}")
        seen: list[str] = []
        with self.db.reader() as session:
            engine = session.get_bind()
        sa.event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
        self.call("GET", "/modules", status=200)
        self.assertEqual(1, len([text for text in seen if text.lstrip().upper().startswith("SELECT")]), str(seen))


class RulesTest(ModuleTestCase):
    def test_a_twin_is_refused(self) -> None:
        made = self.module()
        self.assertIn("'m'", self.refused("POST", "/modules", self.body(), status=400))
        other = self.module(name="other")
        self.refused("PUT", f"/modules/{other['id']}", {"module": {"name": "m"}}, status=400)
        self.module(datastore={"type": "postgresql"})
        self.module(datastore={"type": "postgresql", "version": "16"})
        self.module(project="elsewhere")
        self.put(made["id"], name="m")

    def test_bad_input(self) -> None:
        for body, status in (
            ({}, 400),
            ({"module": None}, 400),
            ({"module": {"name": "m", "module_type": "ping"}}, 400),
            (self.body(name=""), 400),
            (self.body(name="!!"), 400),
            (self.body(contents=""), 400),
            (self.body(contents=encoded("nothing")), 400),
            (self.body(contents=encoded("message=\x01")), 400),
            (self.body(contents=encoded("message=" + "x" * 33_000)), 400),
            (self.body(module_type="new_relic_license"), 400),
            (self.body(module_type="unheard_of"), 404),
            (self.body(module_type="../ping"), 400),
            (self.body(apply_order=10), 400),
            (self.body(apply_order="5"), 400),
            (self.body(live_update=2), 400),
            (self.body(live_update="1"), 400),
            (self.body(datastore={"version": "16"}), 400),
            (self.body(datastore={"type": "unheard of"}), 404),
            (self.body(datastore={"type": "postgresql", "version": "99"}), 400),
            (self.body(description=7), 400),
        ):
            with self.subTest(str(body)[:100]):
                self.refused("POST", "/modules", body, status=status)

    def test_bad_changes(self) -> None:
        path = f"/modules/{self.module()['id']}"
        for change, status in (
            ({"contents": encoded("nothing")}, 400),
            ({"all_datastores": 1, "datastore": {"type": "postgresql"}}, 400),
            ({"all_datastore_versions": 1, "datastore": {"type": "postgresql", "version": "16"}}, 400),
            ({"name": None}, 400),
            ({"visible": 0}, 403),
            ({"all_tenants": 1}, 403),
        ):
            with self.subTest(str(change)):
                self.refused("PUT", path, {"module": change}, status=status)
        self.refused("PUT", f"/modules/{ids.new_id()}", {"module": {"name": "x"}}, status=404)

    def test_contents_are_in_no_refusal(self) -> None:
        for text in ("hunter2", "message=" + "hunter2" * 100):
            self.assertNotIn("hunter2", self.refused("POST", "/modules", self.body(contents=encoded(text)), status=400))

    def test_types_in_any_case(self) -> None:
        self.assertEqual("ping", self.module(module_type="Ping")["type"])

    def test_what_is_for_administrators(self) -> None:
        for name, value in (
            ("all_tenants", 1), ("auto_apply", 1), ("visible", 0), ("priority_apply", True), ("full_access", 1),
        ):  # fmt: skip
            with self.subTest(name):
                self.assertIn(name, self.refused("POST", "/modules", self.body(**{name: value}), status=403))
                made = self.module(by_admin=True, name=name, **{name: value})
                self.assertEqual(name != "full_access", made["is_admin"])
        self.refused(
            "POST", "/modules", self.body(full_access=1, auto_apply=1), status=400, app=self.admin
        )  # fmt: skip
        self.module(all_tenants=0, auto_apply=0, visible=1, priority_apply=False)

    def test_an_administrators_module_is_changed_by_administrators(self) -> None:
        made = self.module(by_admin=True, all_tenants=1)
        self.assertEqual(["m"], self.names())
        self.refused("PUT", f"/modules/{made['id']}", {"module": {"name": "x"}}, status=403)
        self.refused("DELETE", f"/modules/{made['id']}", status=403)
        self.put(made["id"], by_admin=True, name="n")
        given = self.put(made["id"], by_admin=True, all_tenants=0, full_access=1).json["module"]
        self.assertEqual((False, base.PROJECT), (given["is_admin"], given["tenant"]))
        self.put(made["id"], name="mine")

    def test_visibility(self) -> None:
        mine = self.module(name="mine")
        self.module(name="theirs", project="elsewhere")
        self.module(by_admin=True, name="everybody's", all_tenants=1)
        hidden = self.module(by_admin=True, name="hidden", visible=0)
        self.assertEqual(["everybody's", "mine"], self.names())
        self.assertEqual(["everybody's", "theirs"], self.names(project="elsewhere"))
        self.assertEqual(["everybody's", "hidden", "mine", "theirs"], self.names(app=self.admin))
        for method, path, body in (
            ("GET", "", None),
            ("PUT", "", {"module": {"name": "x"}}),
            ("DELETE", "", None),
            ("GET", "/instances", None),
            ("PUT", "/instances", {"reapply": {}}),
        ):
            self.refused(method, f"/modules/{mine['id']}{path}", body, status=404, project="elsewhere")
            self.refused(method, f"/modules/{hidden['id']}{path}", body, status=404)

    def test_filter_by_datastore(self) -> None:
        self.module(name="any")
        self.module(name="pg", datastore={"type": "postgresql"})
        self.module(name="tiny", datastore={"type": "tiny", "version": "1"})
        self.assertEqual(["pg"], self.names("?datastore=postgresql"))
        self.assertEqual(["tiny"], self.names(f"?datastore={self.tiny.datastore_id}"))
        self.assertEqual(["any"], self.names("?datastore=all"))
        self.assertEqual(["any", "pg", "tiny"], self.names("?limit=1"))
        self.refused("GET", "/modules?datastore=unheard-of", status=404)

    def test_what_is_applied_is_not_changed_unless_it_was_made_for_that(self) -> None:
        made = self.module()
        self.link(self.active(), made)
        self.refused("PUT", f"/modules/{made['id']}", {"module": {"name": "x"}}, status=403)
        self.refused("DELETE", f"/modules/{made['id']}", status=403)
        self.assertEqual(1, self.shown(made["id"])["instance_count"])
        live = self.module(name="live", live_update=1)
        self.link(self.active(), live)
        self.put(live["id"], contents=encoded("message=new"))

    def test_deleting_what_is_applied_removes_it(self) -> None:
        made = self.module(live_update=1)
        instance_id = self.active()
        self.link(instance_id, made)
        self.call("DELETE", f"/modules/{made['id']}", status=200)
        self.settle()
        self.assertEqual(("remove_module", {"id": made["id"], "type": "ping"}), self.guests.seen[-1])
        self.assertEqual(["instance.create", "module.remove"], [row["kind"] for row in self.workflows(instance_id)])
        self.assertEqual([], self.rows(models.InstanceModule))

    def test_deleting_what_is_applied_to_many_removes_it_some_at_a_time(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.operations.modules.BATCH", 2))
        made = self.module(live_update=1)
        had_it = [self.active() for _ in range(5)]
        for instance_id in had_it:
            self.link(instance_id, made)
        self.call("DELETE", f"/modules/{made['id']}", status=200)
        self.call("GET", f"/modules/{made['id']}", status=404)
        kinds = [[row["kind"] for row in self.workflows(item)].count("module.remove") for item in had_it]
        self.assertEqual(2, sum(kinds))
        self.settle()
        self.assertEqual(["remove_module"] * 5, [name for name, _ in self.guests.seen if name == "remove_module"])
        self.assertEqual({"SUCCEEDED"}, {row["state"] for row in self.workflows(made["id"])})

    def test_a_datastore_that_a_module_is_for_stays(self) -> None:
        self.module(datastore={"type": "tiny", "version": "1"})
        self.refused("DELETE", "/datastores/tiny", status=400, app=self.admin)
