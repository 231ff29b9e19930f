# SPDX-License-Identifier: Apache-2.0
"""The intake and the outbox on every database system, and from many threads at once."""

import functools
import threading
from collections.abc import Callable
from typing import Any

from trove.common import clock
from trove.conductor.heartbeats import HeartbeatBatcher
from trove.conductor.intake import Intake
from trove.conductor.sealing import Refused
from trove.db.api import Database
from trove.domain import operations
from trove.objects import heartbeat, inventory
from trove.tests import base
from trove.tests.unit.conductor import world
from trove.wire import command, report


def together(*functions: Callable[[], Any]) -> list[Any]:
    """Call every function in a thread of its own, at the same moment; return results and exceptions."""
    barrier = threading.Barrier(len(functions))
    results: list[Any] = [None] * len(functions)

    def run(number: int) -> None:
        barrier.wait(60)
        try:
            results[number] = functions[number]()
        except Exception as err:  # boundary: the test looks at it
            results[number] = err

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


class OnSQLiteTest(base.FunctionalTestCase):
    dialect = "sqlite"

    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World(self.dialect))
        self.receive = self.world.intake.receive

    def conductor(self) -> Intake:
        """Another conductor process, as far as the database can tell."""
        db = Database(self.world.db.url.render_as_string(hide_password=False))
        self.addCleanup(db.dispose)
        return self.world.make_intake(HeartbeatBatcher(db), db)

    def test_a_whole_conversation(self) -> None:
        guest = self.world.enrolled()
        workflow_id = self.world.workflow(guest.id, claim=True)
        guest.hear(self.receive(guest.session.seal_report(world.hello())))
        command_id = self.world.submit(guest.id, command.Restart(), workflow_id=workflow_id)
        (frame,) = guest.hear(self.world.outbox.envelopes_for(guest.id))
        self.assertEqual(command_id, frame.id)
        self.receive(guest.session.seal_report(world.result(command_id, "ACCEPTED")))
        self.receive(guest.session.seal_report(world.result(command_id, result={"text": "ü€𝄞\u0000"})))
        self.assertEqual(
            {operations.GUEST_READY, operations.command_signal(command_id)}, set(self.world.signals(workflow_id))
        )
        message = report.Inventory(
            report_id="r",
            databases=[report.InventoryDatabase(name="ü€𝄞"), report.InventoryDatabase(name="a\u0000b")],
            users=[report.InventoryUser(name="u", databases=["ü€𝄞"])],
            root_enabled=True,
        )
        for _ in range(2):
            self.receive(guest.session.seal_report(message))
        with self.world.db.reader() as session:
            names = [row.name for row in inventory.list_databases(session, guest.id, limit=9)]
        self.assertEqual(["ü€𝄞"], names)

    def test_heartbeats_of_two_conductors(self) -> None:
        """One that waited in a batch does not replace a later one of the same guest that another conductor has written,
        and those that wait with it are written."""
        first, second = self.conductor(), self.conductor()
        overtaken, other = self.world.enrolled(), self.world.enrolled()

        def status(guest: world.Guest) -> tuple[str, int | None]:
            with self.world.db.reader() as session:
                row = heartbeat.get(session, guest.id)
            assert row is not None
            return row.service_status, row.volume_used_bytes

        first.receive(overtaken.session.seal_report(world.heartbeat(service_status="healthy", volume_used_bytes=1)))
        first.receive(other.session.seal_report(world.heartbeat(service_status="healthy", volume_used_bytes=2)))
        clock.sleep(0.05)
        second.receive(overtaken.session.seal_report(world.heartbeat(service_status="crashed", volume_used_bytes=3)))
        second.batcher.flush()
        first.batcher.flush()
        self.assertEqual([("crashed", 3), ("healthy", 2)], [status(overtaken), status(other)])
        clock.sleep(0.05)
        first.receive(overtaken.session.seal_report(world.heartbeat(service_status="healthy", volume_used_bytes=4)))
        first.batcher.flush()
        self.assertEqual(("healthy", 4), status(overtaken))

    def test_heartbeats_with_hostile_values(self) -> None:
        guests = [self.world.enrolled() for _ in range(3)]
        hostile = {
            "agent_version": "é\u0000" * 127, "reason": "\u0000" * 255, "protocol_min": 2**62, "protocol_max": 2**62,
            "volume_used_bytes": 2**62, "volume_total_bytes": 2**62, "wal_bytes": 2**62,
        }  # fmt: skip
        for guest, fields in zip(guests, ({}, hostile, {}), strict=True):
            self.receive(guest.session.seal_report(world.heartbeat(**fields)))
        self.world.batcher.flush()
        with self.world.db.reader() as session:
            rows = [heartbeat.get(session, guest.id) for guest in guests]
        self.assertEqual(["healthy"] * 3, [row.service_status for row in rows if row])
        self.assertNotIn("failed", self.logs.text())

    def test_replay_to_several_conductors_at_once(self) -> None:
        """The same envelope reaches three conductors at the same moment: it counts once."""
        guest = self.world.enrolled()
        intakes = [self.conductor() for _ in range(3)]
        for _ in range(5):
            data = guest.session.seal_report(world.result("c"))
            results = together(*(functools.partial(intake.receive, data) for intake in intakes))
            refused = [result for result in results if isinstance(result, Refused)]
            self.assertEqual((2, 1), (len(refused), sum(isinstance(result, list) for result in results)), results)

    def test_enrolments_at_once(self) -> None:
        """In whatever order two attempts are served, the guest ends up with the key that the control plane has."""
        for _ in range(5):
            guest = self.world.guest()
            intakes = [self.conductor(), self.conductor()]
            sealed = [guest.session.seal_enrol("1", "1") for _ in intakes]
            results = together(*(functools.partial(i.receive, data) for i, data in zip(intakes, sealed, strict=True)))
            self.assertIsInstance(results[1], list)
            guest.hear(results[1])
            guest.hear(self.receive(guest.session.seal_report(world.hello())))

    def test_workers_and_guests_at_once(self) -> None:
        """A taskmanager locks workflow, then guest; a report locks guest, then workflow. Collisions are repeated."""
        guest = self.world.enrolled()
        workflow_id = self.world.workflow(guest.id)
        first = [self.world.submit(guest.id, command.Restart(), workflow_id=workflow_id) for _ in range(10)]

        def worker() -> list[str]:
            return [self.submit_like_a_step(guest.id, workflow_id) for _ in range(10)]

        def reporter() -> int:
            return len([self.receive(guest.session.seal_report(world.result(item))) for item in first])

        def beats() -> None:
            for _ in range(10):
                self.receive(guest.session.seal_report(world.heartbeat()))
                self.world.batcher.flush()

        submitted, reported, _none = together(worker, reporter, beats)
        self.assertEqual((10, 10), (len(submitted), reported))
        self.assertEqual(["DONE"] * 10, [self.world.command(item).state for item in first])
        self.assertTrue({operations.command_signal(item) for item in first} <= set(self.world.signals(workflow_id)))
        self.assertNotIn("heartbeats failed", self.logs.text())

    def submit_like_a_step(self, instance_id: str, workflow_id: str) -> str:
        from trove.db.api import retry_on_conflict
        from trove.objects import guest_command

        @retry_on_conflict
        def checkpoint() -> str:
            with self.world.db.writer() as session:
                self.world.store.signal(session, workflow_id, "locks-the-workflow", {})
                return guest_command.submit(
                    session, instance_id=instance_id, command=command.Restart(), deadline_seconds=60,
                    now=self.world.db.now(session), workflow_id=workflow_id,
                )  # fmt: skip

        command_id: str = checkpoint()
        return command_id


class OnMySQLTest(OnSQLiteTest):
    dialect = "mysql"


class OnPostgreSQLTest(OnSQLiteTest):
    dialect = "postgresql"
