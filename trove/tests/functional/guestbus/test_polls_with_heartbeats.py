# SPDX-License-Identifier: Apache-2.0
"""Polls that are heartbeats too, at a real gateway: taken, said to be taken, and bounded as any message of a guest."""

from typing import Any

from oslo_db import exception as db_exc

from trove.common import ids
from trove.guestbus.gateway_client import GatewayClient
from trove.guestbus.transport import TransportError
from trove.objects import heartbeat
from trove.tests.functional.guestbus import case
from trove.tests.unit.conductor import world
from trove.wire import base as wire
from trove.wire import command, report


class PollsWithHeartbeatsTest(case.GatewayCase):
    def setUp(self) -> None:
        super().setUp()
        self.guest = self.world.enrolled()

    def ask(self, client: GatewayClient, wait: float = 0.1, **says: Any) -> list[wire.Message]:
        """Poll, and say what a heartbeat would."""
        message = report.Poll(report_id=ids.new_id(), wait=wait, heartbeat=world.heartbeat(**says))
        return self.guest.hear(client.exchange(self.guest.session.seal_report(message), wait))

    def recorded(self) -> heartbeat.HeartbeatRecord | None:
        with self.world.db.reader() as session:
            row = heartbeat.get(session, self.guest.id)
        return row if row is not None and row.service_status != "new" else None

    def test_it_is_written_while_the_poll_is_held(self) -> None:
        self.conductor()
        client = self.client(self.guest)
        waiting = self.in_thread(lambda: self.ask(client, 20, volume_used_bytes=7))
        self.wait_for(self.recorded)
        row = self.recorded()
        assert row is not None and self.gateway is not None
        self.assertEqual(("healthy", 7, 1), (row.service_status, row.volume_used_bytes, self.held()))
        command_id = self.world.submit(self.guest.id, command.Restart())
        self.gateway.deliver(self.guest.id)
        self.assertEqual([command_id], [getattr(item, "id", None) for item in waiting.get(timeout=18)])
        self.assertTrue(client.heartbeat_taken)

    def test_a_change_need_not_wait_for_others(self) -> None:
        self.conductor()._batcher._interval = 3600.0
        client = self.client(self.guest)
        for word in ("building", "healthy", "blocked"):
            self.ask(client, service_status=word)
            self.wait_for(lambda word=word: getattr(self.recorded(), "service_status", "") == word)

    def test_agent_of_an_earlier_release(self) -> None:
        self.conductor()
        client = self.client(self.guest)
        self.ask(client)
        self.assertTrue(client.heartbeat_taken)
        self.assertEqual([], self.poll(self.guest, client, 0.1))
        self.assertFalse(client.heartbeat_taken)

    def test_a_status_of_a_later_release_is_taken(self) -> None:
        conductor = self.conductor()
        client = self.client(self.guest)
        self.ask(client, service_status="splendid")
        self.assertTrue(client.heartbeat_taken)
        conductor._batcher.flush()
        self.assertIsNotNone(self.recorded())

    def test_what_no_heartbeat_may_say_is_refused_whole(self) -> None:
        conductor = self.conductor()
        client = self.client(self.guest)
        for says in (
            {"reason": "x" * 256},
            {"reason": "x" * 500_000},
            {"agent_version": "9" * 256},
            {"volume_used_bytes": -1},
            {"wal_bytes": 2**63},
        ):
            (answer,) = self.ask(client, 20, **says)  # at once: it is not held
            assert isinstance(answer, command.Refused)
            self.assertEqual("guest.report", answer.symbol)
            self.assertFalse(client.heartbeat_taken)
        conductor._batcher.flush()
        self.assertIsNone(self.recorded())
        self.ask(client)
        self.assertTrue(client.heartbeat_taken)

    def test_it_counts_as_a_message(self) -> None:
        self.conductor(guest_bus__guest_message_rate=1.0)
        client = self.client(self.guest)

        def flood() -> None:
            for _ in range(100):
                self.ask(client, 0.001)

        error = self.assertRaises(TransportError, flood)
        self.assertTrue(1 <= (error.retry_after or 0) <= 30)
        self.assertFalse(client.heartbeat_taken)

    def test_one_that_could_not_be_written_is_not_said_to_be_taken(self) -> None:
        conductor = self.conductor()
        client = self.client(self.guest)
        conductor._batcher._write = _no_database  # type: ignore[method-assign]
        self.assertEqual([], self.ask(client, 20))
        self.assertFalse(client.heartbeat_taken)


def _no_database(items: object) -> None:
    raise db_exc.DBConnectionError
