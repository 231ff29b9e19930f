# SPDX-License-Identifier: Apache-2.0
# covers: trove/objects/instance_module.py
# covers: trove/objects/module.py
"""Modules and the modules of instances, on every database."""

import datetime
from typing import Any

import sqlalchemy as sa

from trove.common import ids
from trove.db import models
from trove.objects import catalog, errors, heartbeat, instance_listing, instance_module, module
from trove.objects.instance import Instance
from trove.objects.instance_module import ModuleReport
from trove.objects.module import Module
from trove.objects.scope import Scope
from trove.tests.functional.db import case

MINE = Scope.project("p")


class ModulesCase(case.EveryDatabase):
    def setUp(self) -> None:
        super().setUp()
        with self.db.writer() as session:
            self.version = catalog.register_version(session, datastore="d", name="1", manager="postgresql")

    def make(self, name: str = "m", text: str = "message=x", **more: Any) -> Module:
        """Store a module of project ``p``."""
        made = Module(
            **{
                "name": name, "type": "ping", "description": None, "project_id": "p", "datastore_id": None,
                "datastore_version_id": None, "auto_apply": False, "visible": True, "live_update": False,
                "priority_apply": False, "apply_order": 5, "is_admin": False, **more,
            }
        )  # fmt: skip
        with self.db.writer() as session:
            made.create(session, text)
        return made

    def give(self, instance_id: str, *modules: Module) -> datetime.datetime:
        """Have an instance have modules; return when."""
        with self.db.writer() as session:
            now = self.db.now(session)
            instance_module.begin(session, instance_id, modules, now)
            said = [ModuleReport(item.id, item.md5, "OK", "m") for item in modules]
            instance_module.record(session, instance_id, said, now)
        return now


class Modules(ModulesCase):
    def test_rows(self) -> None:
        made = self.make(text="message=" + "ü" * 12_000, datastore_version_id=self.version.id,
                         datastore_id=self.version.datastore_id)  # fmt: skip
        with self.db.reader() as session:
            self.assertEqual("message=" + "ü" * 12_000, Module.get(session, MINE, made.id.upper()).text)
            row = module.get_row(session, MINE, made.id)
            self.assertEqual(("d", "1", 0, made.md5), (row.datastore_name, row.version_name, row[-1], row.md5))
            (stored,) = session.execute(sa.text("SELECT contents FROM modules")).one()
            self.assertNotIn("message", stored)
            self.assertNotIn("contents", row._fields)
            for find in (module.get_row, Module.get):
                self.assertRaises(errors.ModuleNotFound, find, session, Scope.project("q"), made.id)
                self.assertRaises(errors.ModuleNotFound, find, session, Scope.ALL, ids.new_id())

    def test_who_sees_what(self) -> None:
        for name, more in (
            ("mine", {}),
            ("theirs", {"project_id": "q"}),
            ("everybody's", {"project_id": None}),
            ("hidden", {"project_id": None, "visible": False}),
            ("mine and hidden", {"visible": False}),
        ):
            self.make(name, **more)
        with self.db.reader() as session:
            self.assertEqual(["everybody's", "mine"], [row.name for row in module.list_rows(session, MINE)])
            self.assertEqual(5, len(module.list_rows(session, Scope.ALL)))
            self.assertEqual(5, len(module.list_rows(session, Scope.ALL, for_all=True)))
            self.assertEqual([], module.list_rows(session, Scope.ALL, datastore_id=self.version.datastore_id))

    def test_no_two_alike(self) -> None:
        made = self.make()
        self.assertRaises(errors.ModuleExists, self.make)
        self.make(project_id=None)
        self.assertRaises(errors.ModuleExists, self.make, project_id=None)
        other = self.make("other")
        with self.db.writer() as session:
            found = Module.get(session, MINE, other.id, for_update=True)
            self.assertRaises(errors.ModuleExists, found.change, session, {"name": "m"})
        with self.db.writer() as session:
            Module.get(session, MINE, made.id, for_update=True).change(session, {"name": "n"}, "message=y")
        self.make()
        with self.db.reader() as session:
            found = Module.get(session, MINE, made.id)
            self.assertEqual(("n", "message=y", 2), (found.name, found.text, found.revision))

    def test_no_two_alike_at_once(self) -> None:
        results = self.at_once(*[self.make] * 4)
        self.assertEqual(1, len([item for item in results if isinstance(item, Module)]), results)
        with self.db.reader() as session:
            self.assertEqual(1, len(module.list_rows(session, Scope.ALL)))

    def test_those_that_new_instances_get(self) -> None:
        store, version = self.version.datastore_id, self.version.id
        with self.db.writer() as session:
            other = catalog.register_version(session, datastore="d", name="2", manager="postgresql")
        for name, more in (
            ("a", {}),
            ("b", {"project_id": None, "visible": False}),
            ("c", {"datastore_id": store}),
            ("d", {"datastore_id": store, "datastore_version_id": version}),
            ("other version", {"datastore_id": store, "datastore_version_id": other.id}),
            ("other project", {"project_id": "q"}),
            ("not by itself", {"auto_apply": False}),
        ):
            self.make(name, **{"auto_apply": True, **more})
        with self.db.writer() as session:
            found = {item.name for item in module.automatic(session, "p", store, version)}
        self.assertEqual({"a", "b", "c", "d"}, found)


class InstanceModules(ModulesCase):
    def test_life(self) -> None:
        instance = self.make_instance()
        late, soon = self.make("late", apply_order=9), self.make("soon", apply_order=0)
        with self.db.writer() as session:
            now = self.db.now(session)
            instance_module.begin(session, instance.id, [late, soon], now)
        with self.db.writer() as session:
            rows = instance_module.list_rows(session, MINE, instance.id)
            self.assertEqual([("soon", "PENDING"), ("late", "PENDING")], [(row.name, row.status) for row in rows])
            self.assertEqual(["soon", "late"], [m.name for m in instance_module.list_modules(session, instance.id)])
            said = ModuleReport(soon.id, "f" * 32, "OK", "x" * 300 + "\0")
            instance_module.record(session, instance.id, [said, ModuleReport(ids.new_id(), "f" * 32, "OK", None)], now)
            self.assertEqual([late.id], instance_module.pending(session, instance.id))
            instance_module.failed(session, instance.id, [late.id, soon.id], "silence", now)
        with self.db.writer() as session:
            first, second = instance_module.list_rows(session, MINE, instance.id)
            self.assertEqual(("OK", "f" * 32, 255), (first.status, first.md5, len(first.message or "")))
            self.assertEqual(("ERROR", late.md5, "silence"), (second.status, second.md5, second.message))
            self.assertEqual([], instance_module.list_rows(session, Scope.project("q"), instance.id))
            instance_module.begin(session, instance.id, [soon], now)
            self.assertEqual("f" * 32, instance_module.list_rows(session, MINE, instance.id)[0].md5)
            instance_module.remove(session, instance.id, soon.id)
            self.assertFalse(instance_module.exists(session, instance.id, soon.id))
            self.assertEqual([instance.id], instance_module.clear_module(session, late.id))
            self.assertEqual([], instance_module.list_rows(session, Scope.ALL, instance.id))

    def test_usage(self) -> None:
        made = self.make(project_id=None)
        mine = sorted(self.make_instance().id for _ in range(3))
        for instance_id in (*mine, self.make_instance("q").id):
            self.give(instance_id, made)
        gone = mine.pop()
        with self.db.writer() as session:
            session.execute(sa.update(models.Instance).where(models.Instance.id == gone).values(deleted=True))
        with self.db.reader() as session:
            self.assertEqual([(made.md5, 2)], [row[:2] for row in instance_module.usage(session, MINE, made.id)])
            self.assertEqual([(made.md5, 3)], [row[:2] for row in instance_module.usage(session, Scope.ALL, made.id)])
            self.assertEqual(3, module.get_row(session, Scope.ALL, made.id).instance_count)
            found = instance_listing.list_with_module(session, MINE, made.id, limit=9)
            self.assertEqual(mine, [row.id for row in found])
            found = instance_listing.list_with_module(session, MINE, made.id, limit=1, marker=mine[0])
            self.assertEqual(mine[1:], [row.id for row in found])

    def say(self, service_status: str, *instance_ids: str) -> None:
        """Have instances be ACTIVE, and their guests say what the database does."""
        with self.db.writer() as session:
            for instance_id in instance_ids:
                Instance.get(session, Scope.ALL, instance_id).process_event(session, "reset")
            now = self.db.now(session)
            heartbeat.record(session, [heartbeat.HeartbeatRecord(item, service_status, now) for item in instance_ids])

    def outdated(
        self, made: Module, until: datetime.datetime, *, scope: Scope = Scope.ALL, limit: int = 9, **only: Any
    ) -> instance_module.Outdated:
        with self.db.reader() as session:
            found = Module.get(session, Scope.ALL, made.id)
            return instance_module.outdated(session, scope, found, until, only, limit=limit)

    def test_out_of_date_and_busy(self) -> None:
        made = self.make()
        idle, ill, built = (self.make_instance().id for _ in range(3))
        failed = self.make_instance().id
        for instance_id in (idle, ill, built, failed):
            until = self.give(instance_id, made)
        self.say("healthy", idle)
        self.say("blocked", ill)
        with self.db.writer() as session:
            Instance.get(session, Scope.ALL, failed).process_event(session, "create_failed")
        self.assertEqual(([idle], True), self.outdated(made, until, force=True))
        self.assertEqual(([idle], False), self.outdated(made, until, force=True, limit=1))
        self.say("healthy", ill, built)
        self.assertEqual((sorted([idle, ill, built]), False), self.outdated(made, until, force=True))

    def test_what_is_out_of_date(self) -> None:
        made = self.make(project_id=None)
        mine, theirs = self.make_instance().id, self.make_instance("q").id
        self.give(mine, made)
        until = self.give(theirs, made)
        self.say("healthy", mine, theirs)

        def left(scope: Scope = Scope.ALL, **only: Any) -> list[str]:
            return self.outdated(made, until, scope=scope, **only).ready

        self.assertEqual([], left())
        self.assertEqual(sorted([mine, theirs]), left(force=True))
        self.assertEqual([mine], left(MINE, force=True))
        with self.db.writer() as session:
            Module.get(session, Scope.ALL, made.id, for_update=True).change(session, {}, "message=new")
        self.assertEqual(sorted([mine, theirs]), left())
        self.assertEqual(sorted([mine, theirs]), left(md5=made.md5))
        self.assertEqual([], left(md5="0" * 32))
        with self.db.writer() as session:
            now = self.db.now(session) + datetime.timedelta(seconds=1)
            instance_module.record(session, mine, [ModuleReport(made.id, made.md5, "ERROR", None)], now)
        self.assertEqual([theirs], left(force=True))
