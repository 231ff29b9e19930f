# SPDX-License-Identifier: Apache-2.0
# covers: trove/conductor/uploads.py
# covers: trove/guestbus/upload_client.py
"""Uploads through a real gateway: what a ticket is good for, and what is left when a guest is slow or hostile."""

import datetime
import http.client
import threading
from collections.abc import Iterator
from typing import Any

import trove.conf
from trove.common import clock, ids
from trove.conductor import revocation
from trove.conductor.gateway import Gateway
from trove.conductor.uploads import Uploads
from trove.guestbus import upload_client
from trove.guestbus.transport import TransportError
from trove.guestbus.upload_client import UploadClient
from trove.objects import guest_log
from trove.objectstore import base as stores
from trove.objectstore.filesystem import FilesystemStore
from trove.tests import base
from trove.tests.unit.conductor.world import World
from trove.wire import report

LIMIT = 2 * 1024 * 1024
CONTAINER = "database_logs"


class UploadsTest(base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(World())
        self.store: stores.ObjectStore = FilesystemStore(self.tempdir() / "objects")
        self.conf = trove.conf.new(files=[])
        self.conf.set_override("guest_log_limit", LIMIT)
        self.conf.set_override("gateway_bind_port", 0, "guest_bus")
        self.uploads = Uploads(self.conf, self.world.db, self.store, budgets=self.world.budgets, slots=1)
        self.gateway = Gateway(self.conf, self.world.intake, self.world.outbox, self.uploads)
        self.gateway.start()
        self.addCleanup(self.gateway.stop)
        self.instance_id = self.world.instance()
        self.client = UploadClient(self.gateway.url, self.instance_id)
        with self.world.db.writer() as session:
            fact = report.LogFact(name="general", type="USER", enabled=True, size=100, pending=100)
            guest_log.record(session, self.instance_id, [fact], self.world.db.now(session))
        self.ticket = self.issue()

    def issue(self, *, seconds: float = 60.0, limit: int = 10 * LIMIT) -> guest_log.Ticket:
        """Issue a ticket."""
        with self.world.db.writer() as session:
            now = self.world.db.now(session)
            ticket = guest_log.Ticket(ids.new_id(), "s3cret", now + datetime.timedelta(seconds=seconds), limit)
            row = guest_log.get(session, self.instance_id, "general")
            guest_log.issue(session, row, ticket, now, prefix=f"{self.instance_id}/postgresql-general/")
        return ticket

    def row(self) -> guest_log.LogRow:
        """Return the log as it is."""
        with self.world.db.reader() as session:
            return guest_log.get(session, self.instance_id, "general")

    def put(self, content: bytes = b"a\nb\n", *, before: str = "", after: str = "p:1", **changes: Any) -> Any:
        """Upload; return the answer."""
        headers = {upload_client.TICKET: changes.get("secret", "s3cret"), upload_client.BEFORE: before}
        headers[upload_client.AFTER] = after
        client = changes.get("client", self.client)
        ticket_id = changes.get("ticket_id", self.ticket.ticket_id)
        return client.put(ticket_id, headers, iter([content]), changes.get("size", len(content)))

    def stored(self) -> list[bytes]:
        """Return the published objects, in order."""
        found = self.store.find("p", CONTAINER, f"{self.instance_id}/postgresql-general/")
        return [b"".join(self.store.get("p", CONTAINER, item.name)) for item in found]

    def test_stored_in_order_and_once(self) -> None:
        self.assertEqual(204, self.put(after="p:1").status)
        answer = self.put(after="p:1")  # its answer was lost
        self.assertEqual((409, "p:1"), (answer.status, answer.position))
        self.assertEqual(204, self.put(b"c\n", before="p:1", after="p:2").status)
        self.assertEqual([b"a\nb\n", b"c\n"], self.stored())
        row = self.row()
        self.assertEqual((6, 94, "p:2", "Partial"), (row.published_bytes, row.pending_bytes, row.position, row.status))
        large = b"x" * (LIMIT - 1) + b"\n"
        self.assertEqual(204, self.put(large, before="p:2", after="p:3").status)
        self.assertEqual(large, self.stored()[2])

    def test_wrong_tickets(self) -> None:
        other = UploadClient(self.gateway.url, self.world.instance())
        for changes in ({"secret": "guess"}, {"secret": ""}, {"ticket_id": ids.new_id()}, {"client": other}):
            self.assertEqual(403, self.put(**changes).status, changes)
        old = self.ticket
        self.ticket = self.issue()
        self.assertEqual(403, self.put(ticket_id=old.ticket_id).status, "the new one takes its place")
        with self.world.db.writer() as session:
            guest_log.close(session, self.instance_id, "general", self.ticket.ticket_id)
        self.assertEqual(403, self.put().status, "closed")
        self.ticket = self.issue(seconds=-1)
        self.assertEqual(403, self.put().status, "over")
        self.assertEqual([], self.stored())
        self.assertNotIn("s3cret", self.logs.text())
        # Who asks without a ticket may be anybody, as often as they like.
        self.assertEqual(1, self.logs.text().count("no such ticket"))

    def test_a_revoked_guest_uploads_nothing_more(self) -> None:
        self.assertEqual(204, self.put().status)
        self.world.guest(self.instance_id)
        with self.world.db.writer() as session:
            revocation.revoke(session, self.world.store, self.instance_id, self.world.db.now(session))
        self.assertEqual(403, self.put(b"c\n", before="p:1", after="p:2").status)
        self.assertEqual([b"a\nb\n"], self.stored())

    def test_too_much(self) -> None:
        self.ticket = self.issue(limit=6000)  # an object counts for at least 4096
        self.assertEqual(204, self.put(b"1234").status)
        self.assertEqual(413, self.put(b"1234", before="p:1", after="p:2").status)
        self.ticket = self.issue()
        with self.world.db.writer() as session:
            session.execute(guest_log._TABLE.update().values(ticket_objects=10000))
        self.assertEqual(413, self.put(before="p:1", after="p:2").status)
        self.assertEqual([b"1234"], self.stored())

    def test_an_object_that_is_too_large(self) -> None:
        try:
            status = self.put(b"x" * (LIMIT + 1)).status
        except TransportError:
            status = 413  # the server closed while we were sending, as it may
        self.assertEqual(413, status)
        self.assertEqual([], self.stored())

    def test_malformed(self) -> None:
        self.assertEqual(400, self.put(after="").status)
        self.assertEqual(400, self.put(after="x" * 129).status)
        self.assertEqual(400, self.put(b"", size=0).status)
        path = f"/v1/guests/{self.instance_id}/uploads/{self.ticket.ticket_id}"
        for method, expected in (("POST", 405), ("GET", 405)):
            connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=20)
            connection.request(method, path, body=b"x")
            self.assertEqual(expected, connection.getresponse().status)
            connection.close()

    def test_an_upload_that_breaks_off_leaves_nothing(self) -> None:
        def broken() -> Iterator[bytes]:
            yield b"half of it\n"
            raise RuntimeError("the agent dies")

        headers = {upload_client.TICKET: "s3cret", upload_client.BEFORE: "", upload_client.AFTER: "p:1"}
        self.assertRaises(RuntimeError, self.client.put, self.ticket.ticket_id, headers, broken(), 1000)
        give_up = clock.monotonic() + 30
        while self.put(b"whole\n").status == 503 and clock.monotonic() < give_up:
            clock.sleep(0.05)
        self.assertEqual([b"whole\n"], self.stored())

    def test_one_too_many_is_told_to_wait(self) -> None:
        entered, leave = threading.Event(), threading.Event()
        real = self.store.put

        def slow(*args: Any, **kwargs: Any) -> Any:
            entered.set()
            clock.wait(leave, 30)
            return real(*args, **kwargs)

        self.store.put = slow  # type: ignore[method-assign]
        first: list[Any] = []
        thread = threading.Thread(target=lambda: first.append(self.put()))
        thread.start()
        self.assertTrue(clock.wait(entered, 30))
        answer = self.put()
        leave.set()
        thread.join()
        self.assertEqual((503, 2.0, 204), (answer.status, answer.retry_after, first[0].status))

    def test_a_store_that_is_away(self) -> None:
        def away(*_args: Any, **_kwargs: Any) -> Any:
            raise stores.StoreUnavailable("gone")

        real, self.store.put = self.store.put, away  # type: ignore[method-assign]
        self.assertEqual(503, self.put().status)
        self.store.put = real  # type: ignore[method-assign]
        self.assertEqual((None, 0), (self.row().position, self.row().published_bytes))
        self.assertEqual(204, self.put().status)

    def test_without_a_store(self) -> None:
        gateway = Gateway(self.conf, self.world.intake, self.world.outbox)
        gateway.start()
        self.addCleanup(gateway.stop)
        self.assertEqual(403, self.put(client=UploadClient(gateway.url, self.instance_id)).status)
