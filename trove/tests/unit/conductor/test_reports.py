# SPDX-License-Identifier: Apache-2.0
"""What each report writes, and that repeating it changes nothing."""

from trove.conductor import reports
from trove.domain import instance_states, operations
from trove.objects import guest_command, heartbeat, inventory, root_history
from trove.tests import base
from trove.tests.unit.conductor import world
from trove.wire import base as wire
from trove.wire import command, report


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
        self.assertEqual({"restart": [1]}, self.world.identity(self.guest.id).commands)
        with self.world.db.reader() as session:
            row = heartbeat.get(session, self.guest.id)
        assert row is not None
        self.assertEqual(("1.1", "2.0", 1), (row.agent_version, row.handler_version, row.protocol_max))
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
        self.assertEqual({}, self.world.identity(self.guest.id).commands)
        self.assertEqual({}, self.world.signals(workflow_id))


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


class KnownCommandsTest(base.UnitTestCase):
    def test_only_what_could_be_sent(self) -> None:
        self.assertEqual({}, reports.known_commands({f"c{n}": [1] for n in range(1000)}))
        everything = {name: [1, 2, 3] for name, _version in command.COMMANDS}
        self.assertEqual({name: [1] for name in everything}, reports.known_commands(everything))

    def test_every_report_is_handled(self) -> None:
        """A new report needs a handler, unless the intake takes it itself."""
        w = self.useFixture(world.World())
        handled = set(reports.Reports(w.db, w.store).handlers)
        self.assertEqual(
            set(report.TO_CONTROL.values()), handled | {report.Enrol, report.Heartbeat, report.Poll, report.Inventory}
        )

    def test_states_of_wire_and_table_agree(self) -> None:
        self.assertEqual({"PENDING", "ACCEPTED", *guest_command.FINAL}, set(command.CommandState.__args__))
