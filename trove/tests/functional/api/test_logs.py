# SPDX-License-Identifier: Apache-2.0
# covers: trove/guestagent/publishing.py
# covers: trove/objects/guest_log.py
"""The logs of an instance: who sees which, what the switches do, what publishing leaves in the store."""

import json
from typing import Any

from trove.common import ids
from trove.db import models
from trove.objects import guest_identity
from trove.objectstore import base as stores
from trove.tests.functional.api import base, world
from trove.tests.functional.api.logs import PlayedLogs
from trove.wire import report

LINES = "".join(f"statement {number}\n" for number in range(200))


class LogTestCase(world.InstanceTestCase):
    object_limit = 1024

    def setUp(self) -> None:
        super().setUp()
        self.conf.set_override("guest_log_limit", self.object_limit)
        self.instance_id = self.active()
        self.played = PlayedLogs(self, self.instance_id)
        self.path = f"/instances/{self.instance_id}/log"

    def ask(self, name: str = "general", *, status: int = 200, **wanted: Any) -> Any:
        """Send a request while the guest answers at once; return the log, or the fault."""
        options = {key: wanted.pop(key) for key in ("app", "version", "project") if key in wanted}
        self.hints.wake = lambda _workflow_id: self.settle(0.05)  # type: ignore[method-assign]
        response = self.call("POST", self.path, {"name": name, **wanted}, status=status, **options)
        return response.json["log"] if status == 200 else self.fault(response)

    def listed(self, **options: Any) -> dict[str, dict[str, Any]]:
        """Return the logs that are shown, by name."""
        return {item["name"]: item for item in self.call("GET", self.path, status=200, **options).json["logs"]}

    def published(self, name: str = "general", **options: Any) -> str:
        """Return what can be read of a log."""
        path = f"{self.path}/{name}/content"
        return str(self.call("GET", path, status=200, version=base.LATEST, **options).text)

    def objects_of(self, prefix: str) -> list[stores.ObjectInfo]:
        """Return what the store has of a log, with metadata."""
        assert self.objects is not None
        found = self.objects.find(base.PROJECT, "database_logs", prefix)
        return [self.objects.head(base.PROJECT, "database_logs", item.name) for item in found]


class StoryTest(LogTestCase):
    def test_life(self) -> None:
        self.assertEqual({"general"}, set(self.listed()))
        shown = self.listed()["general"]
        metafile = f"{self.instance_id}/postgresql-general_metafile"
        self.assertEqual(
            {"name": "general", "type": "USER", "status": "Disabled", "published": 0, "pending": 0,
             "container": "None", "prefix": "None", "metafile": metafile},
            shown,
        )  # fmt: skip
        self.assertEqual("Enabled", self.ask(enable=1)["status"])
        self.assertTrue(self.played.enabled)
        self.played.write("general", LINES)
        self.played.tell()
        shown = self.ask()
        self.assertEqual(("Ready", 0, len(LINES)), (shown["status"], shown["published"], shown["pending"]))
        shown = self.ask(publish=True)
        self.assertEqual(("Published", len(LINES), 0), (shown["status"], shown["published"], shown["pending"]))
        self.assertEqual(("database_logs", f"{self.instance_id}/postgresql-general/"),
                         (shown["container"], shown["prefix"]))  # fmt: skip
        self.assertEqual(LINES, self.published())
        found = self.objects_of(shown["prefix"])
        self.assertGreater(len(found), 2)
        self.assertTrue(all(item.size <= 1024 for item in found))
        self.assertEqual(200, sum(int(item.metadata["lines"]) for item in found))
        assert self.objects is not None
        described = json.loads(b"".join(self.objects.get(base.PROJECT, "database_logs", metafile)))
        self.assertEqual(("general", "USER", "general.log", len(LINES)),
                         tuple(described[key] for key in ("log_name", "log_type", "log_file", "log_size")))  # fmt: skip
        self.assertIn("log_header_digest", described)
        # A second publication appends.
        self.played.write("general", "more\n")
        self.played.tell()
        self.assertEqual("Partial", self.ask()["status"])
        self.assertEqual("Published", self.ask(publish=1)["status"])
        self.assertEqual(LINES + "more\n", self.published())
        self.assertEqual(("Disabled", len(LINES) + 5),
                         tuple(self.ask(disable=1)[key] for key in ("status", "published")))  # fmt: skip

    def test_discard(self) -> None:
        self.played.write("general", LINES)
        shown = self.ask(publish=1)
        self.assertTrue(self.played.enabled, "publishing enables")
        shown = self.ask(discard=1, disable=1)
        self.assertEqual(("Disabled", 0, len(LINES), "None"),
                         tuple(shown[key] for key in ("status", "published", "pending", "container")))  # fmt: skip
        self.assertEqual([], self.objects_of(self.instance_id))
        self.assertEqual("", self.published())
        self.assertEqual("Published", self.ask(publish=1, discard=1)["status"])
        self.assertEqual(LINES, self.published())

    def test_rotation_loses_nothing(self) -> None:
        self.played.write("general", LINES)
        self.ask(publish=1)
        self.played.write("general", "before\n")
        self.played.rotate("general")
        self.played.write("general", "after\n")
        self.assertEqual("Published", self.ask(publish=1)["status"])
        self.assertEqual(LINES + "before\nafter\n", self.published())

    def test_a_log_that_is_gone_is_published_anew(self) -> None:
        self.played.write("general", LINES)
        self.ask(publish=1)
        (self.played.directory / "general.log").write_text("another\n")
        self.played.tell()
        self.assertEqual("Rotated", self.ask()["status"])
        shown = self.ask(publish=1)
        self.assertEqual(("Published", 8), (shown["status"], shown["published"]))
        self.assertEqual(f"{LINES}another\n", self.published())

    def test_operations_tell_of_it(self) -> None:
        self.ask(enable=1)
        self.played.write("general", "x\n")
        self.ask(publish=1)
        found = self.call("GET", f"/instances/{self.instance_id}/operations", version="1.1", status=200).json
        self.assertEqual(["log.publish", "log.change"], [item["kind"] for item in found["operations"][:2]])


class QuotaTest(LogTestCase):
    """What published logs may take."""

    object_limit = 8192

    def setUp(self) -> None:
        super().setUp()
        self.conf.set_override("guest_log_instance_limit", 20480)
        self.line = "x" * 1023 + "\n"

    def refusal(self) -> Any:
        return self.ask(publish=1, status=413)

    def test_an_instance(self) -> None:
        self.played.write("general", self.line * 30)
        shown = self.ask(publish=1)
        self.assertEqual(("Partial", 16384), (shown["status"], shown["published"]), "two objects fit")
        shown = self.ask(publish=1)
        self.assertEqual(("Partial", 20480), (shown["status"], shown["published"]))
        fault = self.refusal()
        self.assertIn("of this instance take 20480 bytes of the 20480", fault["message"])
        self.assertIn("discard", fault["message"])
        self.assertEqual(20480, len(self.published()))
        shown = self.ask(publish=1, discard=1)
        self.assertEqual(("Partial", 16384), (shown["status"], shown["published"]))

    def test_a_project(self) -> None:
        self.conf.set_override("guest_log_instance_limit", -1)
        self.conf.set_override("guest_log_project_limit", 8192)
        self.played.write("general", self.line * 30)
        self.assertEqual(8192, self.ask(publish=1)["published"])
        other = self.active(name="other")
        PlayedLogs(self, other).write("general", self.line)
        self.path = f"/instances/{other}/log"
        self.assertIn("of this project take 8192 bytes of the 8192", self.refusal()["message"])
        self.conf.set_override("guest_log_project_limit", -1)
        self.assertEqual("Published", self.ask(publish=1)["status"])

    def test_small_objects_count_for_what_a_store_needs(self) -> None:
        for number in range(5):
            self.played.write("general", f"{number}\n")
            self.assertEqual("Published", self.ask(publish=1)["status"])
        self.played.write("general", "one too many\n")
        self.assertIn("take 20480 bytes", self.refusal()["message"])

    def test_a_log_that_is_forgotten_still_counts(self) -> None:
        self.played.write("general", self.line * 30)
        self.ask(publish=1)
        self.ask(publish=1)
        self.guests.report(self.instance_id, report.Logs(report_id=ids.new_id(), logs=[]))
        self.played.write("general", "more\n")
        self.played.tell()
        self.assertIn("take 20480 bytes", self.refusal()["message"])


class VisibilityTest(LogTestCase):
    def test_administrators_see_all(self) -> None:
        self.assertEqual({"general", "error", "guest"}, set(self.listed(app=self.admin)))
        self.assertEqual("Ready", self.ask("guest", app=self.admin)["status"])
        self.assertEqual("Published", self.ask("guest", publish=1, app=self.admin)["status"])
        self.assertEqual("agent starts\n", self.published("guest", app=self.admin))
        # In the project's account, but not for its members.
        path = f"{self.path}/guest/content"
        self.refused("GET", path, status=400, version=base.LATEST)

    def test_options_expose(self) -> None:
        self.conf.set_override("guest_log_exposed_logs", ["error"], "postgresql")
        self.assertEqual({"error"}, set(self.listed()))
        self.refused("POST", self.path, {"name": "general"}, status=400)

    def test_other_projects(self) -> None:
        for method, path, body in (
            ("GET", self.path, None),
            ("POST", self.path, {"name": "general"}),
            ("POST", self.path, {"name": "general", "publish": 1}),
            ("GET", f"{self.path}/general/content", None),
        ):
            self.refused(method, path, body, status=404, project=base.OTHER_PROJECT, version=base.LATEST)

    def test_content_is_new(self) -> None:
        self.call("GET", f"{self.path}/general/content", status=404, version="1.1")


class RefusalTest(LogTestCase):
    def test_what_makes_no_sense(self) -> None:
        for body in (
            {},
            {"name": 7},
            {"name": "general", "enable": "yes"},
            {"name": "general", "enable": 1, "disable": 1},
            {"name": "no-such-log"},
            {"name": "error", "publish": 1},
            {"name": "x" * 300},
        ):
            self.refused("POST", self.path, body, status=400)
        for switch in ("enable", "disable"):
            message = self.refused("POST", self.path, {"name": "error", switch: 1}, status=400, app=self.admin)
            self.assertIn("SYS", message)

    def test_without_a_store(self) -> None:
        self.objects = None
        app = self.make_app(self.conf)
        for switch in ("publish", "discard"):
            message = self.refused("POST", self.path, {"name": "general", switch: 1}, status=501, app=app)
            self.assertIn("log-publishing", message)
        self.refused("GET", f"{self.path}/general/content", status=501, version=base.LATEST, app=app)
        self.assertEqual("Disabled", self.ask(app=app)["status"])

    def test_an_agent_on_the_message_bus_without_a_gateway(self) -> None:
        table = models.GuestIdentity.__table__
        with self.db.writer() as session:
            session.execute(table.update().values(transport="messaging"))
        message = self.refused("POST", self.path, {"name": "general", "publish": 1}, status=501)
        self.assertIn("gateway_url", message)
        self.conf.set_override("gateway_url", "https://gateway.example", "guest_bus")
        self.played.write("general", "x\n")
        self.assertEqual("Published", self.ask(publish=1)["status"])
        self.assertEqual("https://gateway.invalid", self.guests.seen[-1][1]["url"])
        with self.db.reader() as session:
            found = guest_identity.GuestIdentity.get(session, self.instance_id, for_update=False)
        self.assertEqual("messaging", found.transport)

    def test_a_guest_that_is_away(self) -> None:
        self.guests.beat(self.instance_id, age=600)
        for wanted in ({"enable": 1}, {"publish": 1}):
            self.refused("POST", self.path, {"name": "general", **wanted}, status=422)
        self.assertEqual("Disabled", self.ask()["status"])

    def test_logs_of_a_database_that_does_not_run(self) -> None:
        """That is when they are wanted."""
        self.ask(enable=1)
        self.played.write("general", "the last words\n")
        self.guests.beat(self.instance_id, "crashed")
        self.assertEqual("Published", self.ask(publish=1)["status"])
        self.assertEqual("the last words\n", self.published())

    def test_a_failure_leaves_no_fault(self) -> None:
        self.guests.failures["publish_log"] = ("log.not_uploaded", "Nothing of the log could be uploaded; try again.")
        fault = self.ask(publish=1, status=422)
        self.assertEqual("Nothing of the log could be uploaded; try again.", fault["message"])
        self.assertNotIn("fault", self.show(self.instance_id))
        self.assertEqual([None], [row["ticket_id"] for row in self.rows(models.GuestLog) if row["name"] == "general"])

    def test_the_ticket_stands_nowhere(self) -> None:
        self.played.write("general", "x\n")
        self.ask(publish=1)
        (ticket,) = [args["ticket"] for name, args in self.guests.seen if name == "publish_log"]
        self.assertNotIn(ticket, str(self.everything()))
