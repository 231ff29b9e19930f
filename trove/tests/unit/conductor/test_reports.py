# SPDX-License-Identifier: Apache-2.0
"""What each report writes, and that repeating it changes nothing."""

import datetime

from trove.conductor import reports
from trove.domain import instance_states, operations
from trove.objects import guest_command, guest_log, guest_support, heartbeat, inventory, root_history
from trove.tests import base
from trove.tests.unit.conductor import world
from trove.wire import base as wire
from trove.wire import command, report

NOW = datetime.datetime(2026, 1, 1)


class ReportCase(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())
        self.guest = self.world.enrolled()

    def say(self, message: report.Report) -> list[wire.Message]:
        return self.guest.hear(self.world.intake.receive(self.guest.session.seal_report(message)))


class HelloTest(ReportCase):
    def test_versions_and_commands(self) -> None:
        self.say(world.hello(agent_version="1.1", commands={"restart": [1, 7], "dance": [1]}))
        self.assertEqual({"restart": [1, 7], "dance": [1]}, self.world.identity(self.guest.id).commands)
        with self.world.db.reader() as session:
            row = heartbeat.get(session, self.guest.id)
        assert row is not None
        self.assertEqual(("1.1", "2.0", wire.PROTOCOL_MAX), (row.agent_version, row.handler_version, row.protocol_max))
        self.assertEqual((instance_states.SERVICE_NEW, None), (row.service_status, row.reported_at))

    def test_status_is_not_touched(self) -> None:
        self.say(world.heartbeat(service_status="healthy", volume_used_bytes=5))
        self.world.batcher.flush()
        self.say(world.hello(agent_version="3"))
        with self.world.db.reader() as session:
            row = heartbeat.get(session, self.guest.id)
        assert row is not None
        self.assertEqual(("healthy", 5, "3"), (row.service_status, row.volume_used_bytes, row.agent_version))
        self.assertIsNotNone(row.reported_at)

    def test_workflow_that_claims_the_instance_is_told(self) -> None:
        self.say(world.hello())
        self.assertEqual([], self.world.woken)
        workflow_id = self.world.workflow(self.guest.id, claim=True)
        self.say(world.hello())
        self.assertEqual([workflow_id], self.world.woken)
        self.assertEqual({operations.GUEST_READY: {}}, self.world.signals(workflow_id))

    def test_other_protocol(self) -> None:
        workflow_id = self.world.workflow(self.guest.id, claim=True)
        answers = self.say(world.hello(protocol_min=7, protocol_max=9))
        self.assertEqual(["acknowledge", "refused"], [answer.name for answer in answers])
        self.assertEqual({}, self.world.signals(workflow_id))
        with self.world.db.reader() as session:
            support = guest_support.get(session, self.guest.id)
        self.assertEqual((7, 9), support.protocol)
        self.assertFalse(support.understands("restart", 1))


class CommandResultTest(ReportCase):
    def setUp(self) -> None:
        super().setUp()
        self.workflow_id = self.world.workflow(self.guest.id)
        self.command_id = self.world.submit(self.guest.id, command.Restart(), workflow_id=self.workflow_id)
        self.signal = operations.command_signal(self.command_id)

    def test_accepted_is_no_result(self) -> None:
        self.say(world.result(self.command_id, "ACCEPTED"))
        self.assertEqual("ACCEPTED", self.world.command(self.command_id).state)
        self.assertEqual(([], {}), (self.world.woken, self.world.signals(self.workflow_id)))

    def test_done(self) -> None:
        self.say(world.result(self.command_id, result={"n": 1}))
        row = self.world.command(self.command_id)
        self.assertEqual(("DONE", {"n": 1}, None), (row.state, row.result, row.args))
        payload = self.world.signals(self.workflow_id)[self.signal]
        self.assertEqual(
            {"state": "DONE", "result": {"n": 1}, "error_symbol": None, "error_message": None, "log_tail": None},
            payload,
        )
        self.assertEqual([self.workflow_id], self.world.woken)

    def test_failed(self) -> None:
        self.say(
            world.result(self.command_id, "FAILED", error_symbol="database.exists", error_message="m", log_tail="l")
        )
        row = self.world.command(self.command_id)
        self.assertEqual(("FAILED", "database.exists", "m\nl"), (row.state, row.error_symbol, row.error_detail))
        payload = self.world.signals(self.workflow_id)[self.signal]
        self.assertEqual(
            ("FAILED", "database.exists", "m", "l"),
            (payload["state"], payload["error_symbol"], payload["error_message"], payload["log_tail"]),
        )

    def test_repeated_and_contradicted(self) -> None:
        done = world.result(self.command_id)
        for message in (done, done, world.result(self.command_id, "FAILED"), world.result(self.command_id, "ACCEPTED")):
            self.assertEqual([command.Acknowledge(report_ids=[message.report_id])], self.say(message))
        self.assertEqual("DONE", self.world.command(self.command_id).state)
        self.assertEqual([self.workflow_id], self.world.woken)

    def test_another_guests_command(self) -> None:
        """It is acknowledged, so that it is not repeated for ever, and changes nothing."""
        other = self.world.enrolled()
        other.hear(self.world.intake.receive(other.session.seal_report(world.result(self.command_id))))
        self.assertEqual("PENDING", self.world.command(self.command_id).state)
        self.assertEqual({}, self.world.signals(self.workflow_id))


    def test_a_state_of_a_later_release_is_no_end(self) -> None:
        message = world.result(self.command_id, "half_way", result={"percent": 50})
        self.assertEqual([command.Acknowledge(report_ids=[message.report_id])], self.say(message))
        self.assertEqual("PENDING", self.world.command(self.command_id).state)
        self.say(world.result(self.command_id))
        self.assertEqual("DONE", self.world.command(self.command_id).state)


class HeartbeatTest(ReportCase):
    def status(self, word: str) -> str:
        self.say(world.heartbeat(service_status=word))
        self.world.batcher.flush()
        with self.world.db.reader() as session:
            row = heartbeat.get(session, self.guest.id)
        assert row is not None
        return row.service_status

    def test_a_status_of_a_later_release_is_kept(self) -> None:
        self.assertEqual("promoting", self.status("promoting"))
        self.assertEqual("ERROR", instance_states.operating_status("ACTIVE", "promoting", None, NOW, 90))
        self.assertEqual("healthy", self.status("healthy"))

    def test_what_only_the_control_plane_may_say_is_not(self) -> None:
        for word in (instance_states.SERVICE_NEW, instance_states.SERVICE_UNKNOWN):
            self.assertEqual(instance_states.SERVICE_UNKNOWN, self.status(word))


class LogsTest(ReportCase):
    def test_a_log_of_an_unknown_type_does_not_hide_the_others(self) -> None:
        facts = [report.LogFact(name=name, type=type_, size=1, pending=1)
                 for name, type_ in (("a", "USER"), ("b", "AUDIT"), ("c", "SYS"))]  # fmt: skip
        self.say(report.Logs(report_id="r1", logs=facts))
        with self.world.db.reader() as session:
            self.assertEqual(["a", "c"], [row.name for row in guest_log.list_rows(session, self.guest.id)])


class InventoryTest(ReportCase):
    def test_replaces(self) -> None:
        user = report.InventoryUser(name="u", databases=["a"])
        self.say(report.Inventory(
            report_id="r1", databases=[report.InventoryDatabase(name=n) for n in "ab"], users=[user], root_enabled=True
        ))  # fmt: skip
        self.say(report.Inventory(
            report_id="r2", databases=[report.InventoryDatabase(name=n) for n in "bc"], users=[user], root_enabled=False
        ))  # fmt: skip
        with self.world.db.reader() as session:
            names = [row.name for row in inventory.list_databases(session, self.guest.id, limit=9)]
            users = [
                (row.name, row.host, row.databases) for row in inventory.list_users(session, self.guest.id, limit=9)
            ]
            root = root_history.get(session, self.guest.id)
        self.assertEqual((["b", "c"], [("u", "%", ["a"])]), (names, users))
        assert root is not None
        self.assertFalse(root.enabled)


class CompletenessTest(base.UnitTestCase):
    def test_every_report_is_handled(self) -> None:
        """A new report needs a handler, unless the intake takes it itself."""
        w = self.useFixture(world.World())
        handled = set(reports.Reports(w.db, w.store).handlers)
        self.assertEqual(
            set(report.TO_CONTROL.values()), handled | {report.Enrol, report.Heartbeat, report.Poll, report.Inventory}
        )

    def test_states_of_wire_and_table_agree(self) -> None:
        self.assertEqual({"PENDING", "ACCEPTED", *guest_command.FINAL}, set(command.CommandState.__args__))
