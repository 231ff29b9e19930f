# SPDX-License-Identifier: Apache-2.0
"""The gateway's application, called directly: paths, limits, statuses. The server has functional tests."""

import asyncio
from typing import Any

from trove.conductor import gateway
from trove.guestbus import envelope, framing
from trove.httpserver.application import Accept, Head, Reply, Request
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock
from trove.tests.unit.conductor import world
from trove.wire import command


class GatewayAppTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())
        made = gateway.Gateway(self.new_conf(), self.world.intake, self.world.outbox)
        self.application = made._application
        self.addCleanup(self.application.close)
        self.guest = self.world.enrolled()

    def head(self, data: bytes, changes: dict[str, Any]) -> Head:
        headers = {"Content-Type": framing.CONTENT_TYPE, "Content-Length": str(len(data))}
        fields: dict[str, Any] = {
            "method": "POST", "target": f"/v1/guests/{self.guest.id}/exchange", "version": "HTTP/1.1",
            "address": "127.0.0.1", "port": 1, "local": ("127.0.0.1", 2), "scheme": "http",
        }  # fmt: skip
        return Head(**{**fields, "headers": {**headers, **changes.pop("headers", {})}, **changes})

    def post(self, data: bytes, **changes: Any) -> tuple[int, dict[str, str], list[bytes]]:
        """Send one request; ``changes`` are fields of its head."""
        head = self.head(data, changes)

        async def run() -> Reply:
            try:
                return await self.application.answer(Request(head, data))
            finally:
                self.application.stopping()

        decision = self.application.decide(head)
        reply = asyncio.run(run()) if isinstance(decision, Accept) else decision
        assert isinstance(reply.body, bytes)
        if reply.status != 200:
            self.assertEqual(b"", reply.body)
        self.application._started = False  # each request has a loop of its own here
        return reply.status, dict(reply.headers), framing.split(reply.body)

    def sealed(self, message: Any) -> bytes:
        return self.guest.session.seal_report(message)

    def test_report(self) -> None:
        status, _headers, answers = self.post(self.sealed(hello := world.hello()))
        self.assertEqual((200, [command.Acknowledge(report_ids=[hello.report_id])]), (status, self.guest.hear(answers)))
        self.assertEqual((200, []), self.post(self.sealed(world.heartbeat()))[::2])

    def test_not_a_request_of_this_kind(self) -> None:
        data = self.sealed(world.heartbeat())
        exchange = f"/v1/guests/{self.guest.id}/exchange"
        self.assertEqual(404, self.post(data, target="/")[0])
        self.assertEqual(404, self.post(data, target=exchange + "%0A")[0])
        self.assertEqual(404, self.post(data, target="/v1/guests/../exchange")[0])
        self.assertEqual(405, self.post(data, method="GET")[0])
        self.assertEqual(405, self.post(data, target=f"/v1/guests/{self.guest.id}/uploads/t")[0])
        self.assertEqual(403, self.post(data, target=f"/v1/guests/{self.guest.id}/uploads/t", method="PUT")[0])
        self.assertEqual(400, self.post(data, headers={"Content-Type": "application/json"})[0])
        self.assertEqual(400, self.post(data, headers={"Content-Length": "0"})[0])
        self.assertEqual(400, self.post(data, headers={"Transfer-Encoding": "chunked"})[0])
        self.assertEqual(413, self.post(data, headers={"Content-Length": str(envelope.MAX_BYTES + 1)})[0])
        self.assertEqual(400, self.post(b"not an envelope")[0])
        self.assertEqual(400, self.post(data, target=f"/v1/guests/{self.world.instance()}/exchange")[0])
        self.assertEqual(200, self.post(data)[0])

    def test_refused(self) -> None:
        data = self.sealed(world.heartbeat())
        self.assertEqual(403, self.post(data[:-1] + bytes([data[-1] ^ 1]))[0])
        self.assertEqual(200, self.post(data)[0])
        self.assertEqual((403, {}, []), self.post(data))

    def test_beyond_the_budget(self) -> None:
        self.useFixture(ManualClock())  # or it would be filled again meanwhile
        wait = 0.0
        while not wait:
            wait = self.world.budgets.admit(self.guest.id, 0)
        status, headers, _answers = self.post(self.sealed(world.heartbeat()))
        self.assertEqual((429, "1"), (status, headers["Retry-After"]))

    def test_database_that_does_not_answer(self) -> None:
        self.world.db.dispose()
        for path in self.world.db_path().parent.iterdir():
            path.unlink()
        for _ in range(3):
            status, headers, _answers = self.post(self.sealed(world.hello()))
            self.assertEqual((503, "5"), (status, headers["Retry-After"]))
        # Thousands of guests come again meanwhile.
        self.assertEqual(1, self.logs.text().count("an exchange failed: "))
        self.assertNotIn("SELECT", self.logs.text())


class StartTest(base.UnitTestCase):
    def make(self, host: str, **options: Any) -> gateway.Gateway:
        conf = self.new_conf(guest_bus__gateway_bind_host=host, guest_bus__gateway_bind_port=0, **options)
        w = self.useFixture(world.World())
        return gateway.Gateway(conf, w.intake, w.outbox)

    def test_no_plain_text_beyond_this_host(self) -> None:
        for host in ("0.0.0.0", "::", "192.0.2.1"):
            error = self.assertRaises(gateway.InsecureGateway, self.make, host)
            self.assertIn("gateway_cert_file", str(error))
            self.assertRaises(gateway.InsecureGateway, self.make, host, guest_bus__gateway_cert_file="/c")

    def test_loopback(self) -> None:
        self.assertEqual("http://127.0.0.1:0", self.make("127.0.0.1").url)
        self.assertEqual("http://[::1]:0", self.make("::1").url)

    def test_second_address_is_never_without_tls(self) -> None:
        error = self.assertRaises(
            gateway.InsecureGateway, self.make, "127.0.0.1", guest_bus__gateway_tls_bind_host="192.0.2.1"
        )
        self.assertIn("gateway_cert_file", str(error))
