# SPDX-License-Identifier: Apache-2.0
"""Reading instances: pages and their links, what is shown to whom and when, and what a read costs."""

import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa
from oslo_middleware import http_proxy_to_wsgi

from trove.common import clock, ids
from trove.db import models
from trove.domain import instance_states
from trove.objects import fault, heartbeat
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.tests.functional.api import base, world


class PagesTest(world.InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.conf.set_override("max_instances_per_tenant", -1)
        self.conf.set_override("max_volumes_per_tenant", -1)

    def fill(self, count: int) -> list[str]:
        """Create instances and return their ids in the order of pages."""
        return sorted(self.create(name=f"db{i}", volume={"size": 1})["id"] for i in range(count))

    def walk(self, path: str, **options: Any) -> list[list[str]]:
        """Follow the next links to the letter; return the ids of each page."""
        pages = []
        while path:
            document = self.call("GET", path, status=200, **options).json
            pages.append([item["id"] for item in document["instances"]])
            (link,) = document.get("links", [{"href": ""}])
            path = link["href"].replace("http://localhost:80", "/")
        return pages

    def test_pages(self) -> None:
        expected = self.fill(5)
        for path in ("/instances", "/instances/detail"):
            self.assertEqual([5], [len(page) for page in self.walk(path)])
            self.assertEqual([5], [len(page) for page in self.walk(f"{path}?limit=5")])
            pages = self.walk(f"{path}?limit=2&include_clustered=True")
            self.assertEqual([2, 2, 1], [len(page) for page in pages])
            self.assertEqual(expected, [item for page in pages for item in sorted(page)])

    def test_newest_first_within_a_page(self) -> None:
        made = [self.create(volume={"size": 1})["id"] for _ in range(3)]
        self.assertEqual([list(reversed(made))], self.walk("/instances"))

    def test_the_size_of_a_page_is_capped(self) -> None:
        self.conf.set_override("instances_page_size", 2)
        self.fill(3)
        for query in ("", "?limit=100", "?limit=999999999999999999"):
            self.assertEqual([2, 1], [len(page) for page in self.walk(f"/instances{query}")])

    def test_links_are_as_the_client_addressed_us(self) -> None:
        self.fill(2)
        conf = self.new_conf(auth_strategy="noauth")
        conf.register_opts(http_proxy_to_wsgi.OPTS, "oslo_middleware")
        conf.set_override("enable_proxy_headers_parsing", True, "oslo_middleware")
        behind_proxy = self.make_app(conf)
        headers = {"Host": "db.example", "X-Forwarded-Proto": "https"}
        for app, scheme in ((self.app, "http"), (behind_proxy, "https")):
            document = self.call("GET", "/instances?limit=1", headers=headers, status=200, app=app).json
            (link,) = document["links"]
            self.assertEqual("next", link["rel"])
            self.assertTrue(link["href"].startswith(f"{scheme}://db.example/v1.0/{base.PROJECT}/instances?"), link)
            marker = parse_qs(urlsplit(link["href"]).query)["marker"]
            self.assertEqual([document["instances"][0]["id"]], marker)

    def test_limits_and_markers_that_make_no_sense(self) -> None:
        for query in ("limit=0", "limit=-1", "limit=abc", "limit=", "limit=1.5", "limit=1&limit=2", "limit=" + "9" * 30,
                      "marker=" + "x" * 2000, "include_clustered=maybe"):  # fmt: skip
            for path in ("/instances", "/instances/detail"):
                with self.subTest(query):
                    self.call("GET", f"{path}?{query}", status=400)

    def test_a_marker_is_a_position(self) -> None:
        made = self.fill(3)
        self.assertEqual([made[1:]], [sorted(page) for page in self.walk(f"/instances?marker={made[0]}")])
        self.assertEqual([[]], self.walk(f"/instances?marker={made[2]}"))
        self.assertEqual([[]], self.walk("/instances?marker=zzz"))
        self.assertEqual([made], [sorted(page) for page in self.walk("/instances?marker=%2B")])

    def test_lists_are_of_the_own_project_even_for_administrators(self) -> None:
        mine, theirs = self.fill(1), self.create(project=base.OTHER_PROJECT)["id"]
        for options in ({}, {"app": self.admin}):
            self.assertEqual([mine], self.walk("/instances", **options))
            self.assertEqual([mine], self.walk("/instances/detail", **options))
            self.assertEqual([[]], self.walk(f"/instances?marker={theirs}", project="nobody", **options))


class ShownTest(world.InstanceTestCase):
    def test_by_id_only_and_other_projects_only_to_administrators(self) -> None:
        theirs = self.create(project=base.OTHER_PROJECT)["id"]
        for name in (theirs, "db", ids.new_id(), "%25", "x" * 300, "a%2Fb"):
            self.call("GET", f"/instances/{name}", status=404)
        shown = self.show(theirs, app=self.admin)
        self.assertEqual(base.OTHER_PROJECT, shown["tenant_id"])

    def test_what_only_administrators_see(self) -> None:
        instance_id = self.active()
        fields = {"tenant_id", "server_id", "volume_id", "encrypted_rpc_messaging"}
        self.assertFalse(fields & set(self.show(instance_id)))
        shown = self.show(instance_id, app=self.admin)
        self.assertEqual(fields, fields & set(shown))
        resources = self.cloud.resources()
        self.assertEqual([item.id for item in resources["server"].values()], [shown["server_id"]])
        self.assertEqual([item.id for item in resources["volume"].values()], [shown["volume_id"]])
        (listed,) = self.call("GET", "/instances", status=200, app=self.admin).json["instances"]
        self.assertEqual({"tenant_id"}, fields & set(listed))

    def test_which_form_has_what(self) -> None:
        instance_id = self.active()
        (short,) = self.call("GET", "/instances", status=200).json["instances"]
        (long,) = self.call("GET", "/instances/detail", status=200).json["instances"]
        one = self.show(instance_id)
        self.assertEqual([one["ip"][0]] * 3, [form["hostname"] for form in (short, long, one)])
        self.assertEqual({"created", "updated", "service_status_updated"}, set(long) - set(short))
        self.assertEqual(set(long), set(one))
        self.assertEqual(({"size": 2}, {"size": 2}), (short["volume"], long["volume"]))
        self.assertEqual({"size": 2, "used": 0.5, "used_percent": 25.0, "wal_size": 0.25}, one["volume"])
        self.assertEqual({"type", "version"}, set(short["datastore"]))
        self.assertEqual({"type", "version", "version_number"}, set(long["datastore"]))

    def test_what_came_with_1_1(self) -> None:
        instance_id = self.active()
        with self.db.writer() as session:
            session.execute(sa.update(models.Heartbeat).values(service_status="blocked", reason="recovering"))
        self.assertFalse({"endpoints", "service_status_reason"} & set(self.show(instance_id)))
        shown = self.show(instance_id, version="1.1")
        self.assertEqual([{"address": shown["ip"][0], "port": 5432}], shown["endpoints"])
        self.assertEqual("recovering", shown["service_status_reason"])

    def test_guest_that_reports_too_much(self) -> None:
        instance_id = self.active()
        with self.db.writer() as session:
            heartbeat.slow(session, [instance_id], self.db.now(session))
        self.assertNotIn("service_status_reason", self.show(instance_id))
        shown = self.show(instance_id, version="1.1")
        self.assertIn("reports more than the service takes", shown["service_status_reason"])
        self.assertEqual("HEALTHY", shown["operating_status"])
        with self.db.writer() as session:
            session.execute(sa.update(models.Heartbeat).values(slowed_at=clock.utcnow() - datetime.timedelta(hours=1)))
        self.assertNotIn("service_status_reason", self.show(instance_id, version="1.1"))

    def test_a_fault_is_shown_while_there_is_one(self) -> None:
        instance_id = self.active()
        self.assertNotIn("fault", self.show(instance_id))
        with self.db.writer() as session:
            fault.set_fault(session, instance_id, "guest.failed", "It failed.", "Traceback")
        shown = self.show(instance_id)["fault"]
        self.assertEqual({"message", "created", "details"}, set(shown))
        self.assertEqual(("It failed.", None), (shown["message"], shown["details"]))
        self.assertEqual("guest.failed", self.show(instance_id, version="1.1")["fault"]["symbol"])
        self.assertEqual("Traceback", self.show(instance_id, app=self.admin)["fault"]["details"])
        (listed,) = self.call("GET", "/instances/detail", status=200).json["instances"]
        self.assertEqual("It failed.", listed["fault"]["message"])
        self.action(instance_id, {"restart": {}})
        self.settle()
        self.assertNotIn("fault", self.show(instance_id))

    def test_a_rejected_request_leaves_no_fault(self) -> None:
        instance_id = self.active()
        self.action(instance_id, {"resize": {"flavorRef": "small"}}, status=400)
        self.assertNotIn("fault", self.show(instance_id))


class OperatingStatusTest(world.InstanceTestCase):
    def test_what_the_guest_says(self) -> None:
        instance_id = self.active()
        for said, word in instance_states.OPERATING_WORD.items():
            self.guests.beat(instance_id, said)
            self.assertEqual(("ACTIVE", word), self.status(instance_id))

    def test_a_silent_guest(self) -> None:
        instance_id = self.active()
        expiry = self.conf.guest_bus.agent_heartbeat_expiry
        for age, word in ((expiry - 5, "HEALTHY"), (expiry + 5, "ERROR")):
            self.guests.beat(instance_id, age=age)
            self.assertEqual(("ACTIVE", word), self.status(instance_id))
            for path in ("/instances", "/instances/detail"):
                (listed,) = self.call("GET", path, status=200).json["instances"]
                self.assertEqual(word, listed["operating_status"])
        shown = self.show(instance_id, version="1.1")
        since = shown["service_status_updated"].partition("+")[0].partition("Z")[0]
        self.assertIn(f"The agent has not reported since {since}", shown["service_status_reason"])
        self.guests.beat(instance_id, age=0)
        self.assertNotIn("service_status_reason", self.show(instance_id, version="1.1"))
        self.guests.beat(instance_id, age=expiry + 5)
        updated = datetime.datetime.fromisoformat(self.show(instance_id)["service_status_updated"])
        self.assertGreater((clock.utcnow() - updated).total_seconds(), expiry)

    def test_empty_while_something_is_in_progress(self) -> None:
        instance_id = self.active()
        self.action(instance_id, {"restart": {}})
        self.assertEqual(("REBOOT", ""), self.status(instance_id))
        self.settle()
        self.assertEqual(("ACTIVE", "HEALTHY"), self.status(instance_id))


class CostTest(world.InstanceTestCase):
    """A read is a fixed number of statements, whatever is listed, and asks nobody."""

    def setUp(self) -> None:
        super().setUp()
        self.conf.set_override("max_instances_per_tenant", -1)
        self.conf.set_override("max_volumes_per_tenant", -1)
        self.statements: list[str] = []
        for engine in {self.db.engine, self.db._reader_engine}:
            sa.event.listen(engine, "before_cursor_execute", self._count)

    def _count(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            self.statements.append(statement)

    def cost(self, path: str, **options: Any) -> list[str]:
        """Return the statements of one GET, which must not reach the cloud or send a hint."""
        self.statements.clear()
        calls, hints = len(self.cloud.calls), (len(self.hints.woken), len(self.hints.delivered))
        self.call("GET", path, status=200, **options)
        self.assertEqual(calls, len(self.cloud.calls))
        self.assertEqual(hints, (len(self.hints.woken), len(self.hints.delivered)))
        return list(self.statements)

    def test_one_statement(self) -> None:
        first = self.active()
        with self.db.writer() as session:
            fault.set_fault(session, first, "x.y", "m")
        paths = ("/instances", "/instances/detail", f"/instances/{first}")
        few = [self.cost(path) for path in paths]
        for _ in range(12):
            self.create(volume={"size": 1})
        many = [self.cost(path) for path in paths]
        self.assertEqual([1, 1, 1], [len(statements) for statements in many])
        self.assertEqual(few, many)

    def test_the_inside_of_a_database_is_two(self) -> None:
        first = self.active(databases=[{"name": f"d{i}"} for i in range(9)], users=[{"name": "u", "password": "p"}])
        for path in ("databases", "databases/d1", "users", "root"):
            self.assertEqual(2, len(self.cost(f"/instances/{first}/{path}")), path)

    def test_a_name_in_the_row_is_enough(self) -> None:
        """The flavor may be gone; what is shown of it was copied."""
        shown = self.create()
        with self.db.writer() as session:
            session.execute(sa.delete(models.Flavor))
            self.assertEqual(512, Instance.get(session, Scope.ALL, shown["id"]).ram_mib)
        self.assertEqual("small", self.show(shown["id"])["flavor"]["id"])
