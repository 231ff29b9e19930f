# SPDX-License-Identifier: Apache-2.0
# covers: trove/guestagent/service.py
"""A whole agent in this process against a real gateway."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import msgspec

from trove.conductor.intake import Opened, Received
from trove.guestagent import service as services
from trove.guestagent.journal import Journal
from trove.guestagent.key_store import JournalKeyStore
from trove.guestagent.service import Files, Service, Timing
from trove.guestbus.gateway_client import GatewayClient
from trove.guestbus.session import GuestSession
from trove.tests.base import FunctionalTestCase
from trove.tests.functional.guestagent.control import ControlPlane, wait_for
from trove.tests.unit.guestagent.fakes import FakeHandler, document
from trove.wire import command, report
from trove.wire.bootstrap import Bootstrap

TIMING = Timing(poll_wait=2.0, empty_pause=0.05, step=0.05, stop_grace=5.0)


def create(*names: str) -> command.CreateDatabases:
    return command.CreateDatabases(databases=[command.DatabaseSpec(name=name) for name in names])


class TestService(FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.control = self.useFixture(ControlPlane())
        self.handler = FakeHandler()
        guest = self.control.world.guest()
        self.instance_id = guest.id
        self.directory = self.tempdir()
        self.path = self.directory / "bootstrap.json"
        made = document(
            self.directory,
            instance_id=guest.id,
            endpoint=self.control.gateway.url,
            one_time_key=guest.document.one_time_key,
            heartbeat_interval=0.3,
            options={"volume_gib": 3},
        )
        self.path.write_text(json.dumps(made.to_wire()))
        self.start()

    def start(self) -> None:
        made = msgspec.json.decode(self.path.read_bytes(), type=Bootstrap)
        journal = Journal.open(Path(made.state_dir) / "journal.sqlite", made.instance_id)
        self.journal = journal
        self.service = Service(
            made,
            journal,
            GuestSession(made, JournalKeyStore(journal)),
            GatewayClient(made.endpoint, made.instance_id, timeout=5.0),
            self.handler,
            files=Files(self.path),
            timing=TIMING,
        )
        service = self.service
        self.service.start()
        self.addCleanup(journal.close)
        self.addCleanup(service.stop)

    def stop(self) -> None:
        self.service.stop()
        self.journal.close()

    def beat(self) -> dict[str, object]:
        return wait_for(lambda: self.control.heartbeat(self.instance_id), what="a heartbeat")

    def test_enrols_beats_and_carries_out(self) -> None:
        beat = self.beat()
        self.assertEqual(("healthy", 7), (beat["service_status"], beat["wal_bytes"]))
        self.assertEqual(3 * 1024**3, beat["volume_total_bytes"])
        self.assertEqual("ENROLLED", self.control.state(self.instance_id))
        wait_for(lambda: "one_time_key" not in json.loads(self.path.read_text()), what="erasing the one-time key")
        command_id = self.control.submit(self.instance_id, create("a", "b"))
        self.assertEqual("DONE", self.control.finished(command_id).state)
        # The inventory came first: what the API shows is right the moment the command is done.
        self.assertEqual(["a", "b"], self.control.databases(self.instance_id))
        wait_for(lambda: not self.journal.unacknowledged(), what="acknowledgement of everything")

    def test_commands_in_order(self) -> None:
        sent = [self.control.submit(self.instance_id, create(f"d{number:02}")) for number in range(20)]
        for command_id in sent:
            self.assertEqual("DONE", self.control.finished(command_id).state)
        self.assertEqual([f"d{number:02}" for number in range(20)], self.handler.databases)

    def test_status_change_is_told_at_once(self) -> None:
        self.beat()
        self.handler.status_word = "crashed"
        wait_for(lambda: self.beat()["service_status"] == "crashed", 10, "the news")

    def test_polls_are_its_heartbeats(self) -> None:
        seen = self.restarted_with_a_longer_interval(lambda message: message)
        self.beat()
        wait_for(lambda: seen.count(("poll", True)) >= 3, 30, "three polls with heartbeats")
        after = seen[seen.index(("poll", True)) :]
        self.assertNotIn(("heartbeat", False), after)

    def test_conductor_of_an_earlier_release_gets_heartbeats_apart(self) -> None:
        seen = self.restarted_with_a_longer_interval(
            lambda message: (
                msgspec.structs.replace(message, heartbeat=None) if isinstance(message, report.Poll) else message
            )
        )
        for _ in range(2):
            before = self.beat()["reported_at"]
            wait_for(lambda before=before: self.beat()["reported_at"] != before, 30, "another heartbeat")
        self.assertIn(("heartbeat", False), seen)
        self.assertNotIn(("poll", True), seen)

    def restarted_with_a_longer_interval(
        self, read: Callable[[report.Report], report.Report]
    ) -> list[tuple[str, bool]]:
        """Start an agent for which polls that are heartbeats are worth it; return the names of its frequent messages,
        each with whether it is a poll with a heartbeat, as far as they come.

        :param read: how the conductor reads a message.
        """
        self.stop()
        seen: list[tuple[str, bool]] = []
        intake = self.control.world.intake
        decoded = intake._decoded

        def watched(opened: Opened) -> report.Report | Received:
            message = decoded(opened)
            if not isinstance(message, report.Report):
                return message
            message = read(message)
            seen.append((message.name, getattr(message, "heartbeat", None) is not None))
            return message

        intake._decoded = watched  # type: ignore[method-assign]
        fields = json.loads(self.path.read_text())
        self.path.write_text(json.dumps({**fields, "heartbeat_interval": 4.0}))
        self.start()
        return seen

    def test_a_sender_that_stands_still_hangs(self) -> None:
        self.beat()
        self.assertFalse(self.service.hangs())
        stuck, go = threading.Event(), threading.Event()
        self.addCleanup(go.set)

        def step(_link: object) -> float:
            stuck.set()
            go.wait(60)
            return 0.1

        with mock.patch.object(self.service._outbox, "step", autospec=True, side_effect=step):
            self.assertTrue(stuck.wait(60))
            with mock.patch.object(services, "SENDER_PATIENCE", -1.0):
                self.assertTrue(self.service.hangs())
            go.set()

    def test_heartbeats_go_on_during_a_long_command(self) -> None:
        self.beat()
        go, began = threading.Event(), threading.Event()

        def during(name: str) -> None:
            began.set()
            go.wait(60)

        self.handler.during = during
        self.addCleanup(go.set)
        command_id = self.control.submit(self.instance_id, command.Restart())
        self.assertTrue(began.wait(60))
        seen = self.beat()["reported_at"]
        wait_for(lambda: self.beat()["reported_at"] > seen, what="a heartbeat")
        wait_for(lambda: self.control.world.command(command_id).state == "ACCEPTED", what="acceptance")
        supervised = self.handler.supervised
        threading.Event().wait(0.3)
        self.assertEqual(supervised, self.handler.supervised)
        go.set()
        self.assertEqual("DONE", self.control.finished(command_id).state)

    def test_control_plane_goes_away_and_comes_back(self) -> None:
        self.beat()
        self.control.stop_gateway()
        command_id = self.control.world.submit(self.instance_id, create("later"))
        supervised = self.handler.supervised
        wait_for(lambda: self.handler.supervised > supervised + 3, what="supervision meanwhile")
        self.handler.databases.append("made_meanwhile")
        self.control.start_gateway()
        self.assertEqual("DONE", self.control.finished(command_id).state)
        self.assertEqual(["later", "made_meanwhile"], self.control.databases(self.instance_id))

    def test_restarted_agent_finishes_the_command_and_tells(self) -> None:
        self.beat()
        began, go = threading.Event(), threading.Event()

        def interrupted(name: str) -> None:
            began.set()
            go.wait(60)
            raise SystemExit  # its agent is gone by now: nothing of this may be seen

        self.handler.during = interrupted
        command_id = self.control.submit(self.instance_id, create("a"))
        self.assertTrue(began.wait(60))
        self.service._timing = Timing(stop_grace=0.2)
        self.stop()
        self.handler.during = lambda name: None
        self.start()
        self.assertEqual("DONE", self.control.finished(command_id).state)
        self.assertEqual(2, self.journal.boot)
        go.set()

    def test_control_plane_from_an_older_backup_is_greeted_again(self) -> None:
        """The stored position is ahead of the agent's, as when the agent's machine was put back: it begins new
        boots."""
        self.beat()
        with self.control.world.db.writer() as session:
            from trove.objects.guest_identity import GuestIdentity

            identity = GuestIdentity.get(session, self.instance_id, for_update=True)
            identity.boot = identity.boot + 2
            identity.save(session)
        command_id = self.control.submit(self.instance_id, create("a"))
        self.assertEqual("DONE", self.control.finished(command_id, 60).state)

    def test_damaged_journal_ends_the_agent(self) -> None:
        self.beat()
        self.journal._connection.execute("DROP TABLE outbox")
        self.control.submit(self.instance_id, create("a"))
        self.assertTrue(self.service.finished.wait(60))
        self.assertEqual("JournalRefused", type(self.service.failure).__name__)
