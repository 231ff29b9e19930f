# SPDX-License-Identifier: Apache-2.0
"""What may be submitted, and behind what it waits."""

import pathlib
import re

import fixtures

import trove
from trove.common import exception
from trove.domain import operations
from trove.operations import ending, submitting
from trove.tests import base
from trove.tests.unit.operations import case
from trove.wire import command

VOLUME = {"size_gib": 5, "old_size_gib": 2, "restart_required": False}


class SubmitTest(case.OperationsCase):
    def test_the_row(self) -> None:
        row = self.workflow(self.submit(operations.INSTANCE_RESTART))
        self.assertEqual(
            ("instance.restart", "instance", self.instance_id, "p", "req-1", f"instance:{self.instance_id}", "QUEUED"),
            tuple(row[name] for name in ("kind", "resource_type", "resource_id", "project_id", "request_id",
                                         "claim_key", "state")),
        )  # fmt: skip
        self.assertIsNotNone(row["wake_at"])
        submitted = f"instance.restart {row['id']} of instance {self.instance_id} was submitted by a test"
        self.assertIn(submitted, self.logs.text())

    def test_whoever_is_seen_busy_refuses(self) -> None:
        self.submit(operations.INSTANCE_RESTART)
        for kind in (operations.INSTANCE_REBOOT, operations.INSTANCE_CONFIGURE):
            self.assertRaises(submitting.InstanceBusy, self.submit, kind)
        self.assertEqual(1, len(self.workflows()))

    def test_what_does_not_need_the_instance_for_itself_is_accepted(self) -> None:
        self.submit(operations.INSTANCE_RESTART)
        self.assertIsNone(self.workflow(self.submit(operations.DATABASE_CREATE, command_id="c"))["claim_key"])

    def test_what_cannot_be_seen_is_waited_for(self) -> None:
        first = self.submit(operations.INSTANCE_CONFIGURE)
        second = self.workflow(self.submit(operations.INSTANCE_RESTART))
        self.assertEqual(
            (first, None, None, f"instance:{self.instance_id}"),
            tuple(second[name] for name in ("after_id", "wake_at", "claim_key", "wanted_claim")),
        )

    def test_a_queue_has_a_bound(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.operations.submitting.MOST_QUEUED", 1))
        self.submit(operations.INSTANCE_CONFIGURE)
        self.submit(operations.INSTANCE_RESTART)
        self.assertRaises(submitting.InstanceBusy, self.submit, operations.INSTANCE_RESTART)

    def test_what_is_parked_and_cannot_be_seen_gives_way(self) -> None:
        """And what it was told counts for the one that takes its place."""
        parked = self.submit(operations.INSTANCE_CONFIGURE, was="RESTART_REQUIRED")
        with self.work() as work:
            self.instance(work).process_event(work.session, "update")
        self.put(parked, state="PARKED", wake_at=None)
        taken = self.submit(operations.INSTANCE_RESIZE_VOLUME, **VOLUME)
        self.assertEqual(
            ("REVERTED", ending.SUPERSEDED), tuple(self.workflow(parked)[n] for n in ("state", "error_symbol"))
        )
        self.assertEqual(taken, self.holder())
        self.assertTrue(self.workflow(taken)["inputs"]["restart_required"])

    def test_quota_is_taken_or_nothing_is(self) -> None:
        self.submit(operations.INSTANCE_RESIZE_VOLUME, **VOLUME)
        self.assertEqual(5, self.used()["volumes"])
        self.conf.set_override("max_volumes_per_tenant", 6)
        another = self.make()
        self.instance_id = another
        self.assertRaises(exception.QuotaExceeded, self.submit, operations.INSTANCE_RESIZE_VOLUME, **VOLUME)
        self.assertEqual([], self.workflows())
        self.assertEqual(7, self.used()["volumes"])

    def test_its_events_start_and_are_kept(self) -> None:
        row = self.workflow(self.submit(operations.INSTANCE_RESTART))
        ((name, payload),) = self.notified()
        self.assertEqual("dbaas.instance_restart.start", name)
        self.assertEqual([{"event": "instance_restart", "payload": payload}], row["inputs"]["notices"])
        self.assertEqual(
            ("p", "192.0.2.1", "api", "req-1", self.instance_id),
            tuple(payload[key] for key in ("tenant_id", "client_ip", "server_type", "request_id", "instance_id")),
        )

    def test_for_any_resource(self) -> None:
        with self.work() as work:
            resource = submitting.Resource("module", "m", "p")
            inputs = {"module_id": "m", "type": "ping", "instances": []}
            submitted = submitting.submit_for(work, operations.MODULE_WITHDRAW, resource, inputs)
            self.assertEqual([submitted], work.wakes)
        (row,) = self.workflows("m")
        self.assertEqual(("module", None, inputs), (row["resource_type"], row["claim_key"], row["inputs"]))
        self.assertEqual([], self.notified())

    def test_of_a_kind_in_their_order(self) -> None:
        with self.work() as work:
            self.assertEqual([], submitting.queued(work, self.instance(work), operations.INSTANCE_CONFIGURE))
        begun = [
            self.submit(operations.INSTANCE_CONFIGURE),
            self.submit(operations.INSTANCE_RESTART),
            self.submit(operations.INSTANCE_CONFIGURE),
        ]
        with self.work() as work:
            found = submitting.queued(work, self.instance(work), operations.INSTANCE_CONFIGURE)
        self.assertEqual([begun[0], begun[2]], [row["id"] for row in found])


class EditTest(case.OperationsCase):
    def edit(self) -> str:
        change = command.CreateDatabases(databases=[command.DatabaseSpec(name="d"), command.DatabaseSpec(name="e")])
        with self.work() as work:
            edited = submitting.edit(work, operations.ROOT_ENABLE, self.instance(work), change, user_id="u")
            self.assertEqual(([edited], [self.instance_id]), (work.wakes, work.deliveries))
        return edited

    def test_command_and_workflow(self) -> None:
        inputs = self.workflow(self.edit())["inputs"]
        self.assertEqual("u", inputs["user_id"])
        self.assertEqual(["dbaas.database_create.start"] * 2, [name for name, _ in self.notified()])
        with self.db.reader() as session:
            row = submitting.guest_command.get(session, inputs["command_id"])
        self.assertEqual(("create_databases", self.workflows()[0]["id"]), (row.name, row.workflow_id))

    def test_a_bound(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.operations.submitting.MOST_EDITS", 1))
        self.edit()
        self.assertRaises(submitting.QueueFull, self.edit)
        self.assertEqual(1, len(self.workflows()))


class ProgramsTest(base.UnitTestCase):
    def test_no_program_submits_or_ends_workflows_by_itself(self) -> None:
        """Rules that are written into a program are written again wherever another one needs them."""
        package = pathlib.Path(trove.__file__).parent
        own = re.compile(r"\b[sS]tore(\(.*\))?\.(submit|abandon|request_cancel)\(")
        for program in ("api", "cmd", "conductor", "standalone", "taskmanager"):
            for path in sorted((package / program).rglob("*.py")):
                self.assertIsNone(own.search(path.read_text("utf-8")), path)
