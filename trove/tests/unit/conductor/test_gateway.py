# SPDX-License-Identifier: Apache-2.0
"""The gateway's application, called directly: paths, limits, statuses. The server has functional tests."""

import io
from typing import Any

from trove.conductor import gateway
from trove.guestbus import envelope, framing
from trove.tests import base
from trove.tests.unit.conductor import world
from trove.wire import command


class GatewayAppTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())
        conf = self.new_conf(guest_bus__gateway_threads=2)
        self.gateway = gateway.Gateway(conf, self.world.intake, self.world.outbox)
        self.guest = self.world.enrolled()

    def post(
        self, data: bytes, *, guest_id: str | None = None, **environ: Any
    ) -> tuple[int, dict[str, str], list[bytes]]:
        values = {
            "REQUEST_METHOD": "POST", "PATH_INFO": f"/v1/guests/{guest_id or self.guest.id}/exchange",
            "CONTENT_TYPE": framing.CONTENT_TYPE, "CONTENT_LENGTH": str(len(data)), "wsgi.input": io.BytesIO(data),
        }  # fmt: skip
        answer: list[Any] = []
        body = b"".join(
            self.gateway.app({**values, **environ}, lambda status, headers: answer.extend((status, headers)))
        )
        headers = dict(answer[1])
        self.assertEqual(str(len(body)), headers["Content-Length"])
        status = int(answer[0].partition(" ")[0])
        if status != 200:
            self.assertEqual(b"", body)
        return status, headers, framing.split(body)

    def sealed(self, message: Any) -> bytes:
        return self.guest.session.seal_report(message)

    def test_report(self) -> None:
        status, _headers, answers = self.post(self.sealed(hello := world.hello()))
        self.assertEqual((200, [command.Acknowledge(report_ids=[hello.report_id])]), (status, self.guest.hear(answers)))
        self.assertEqual((200, []), self.post(self.sealed(world.heartbeat()))[::2])

    def test_poll(self) -> None:
        self.assertEqual((200, []), self.post(self.sealed(world.poll()))[::2])
        commands = [self.world.submit(self.guest.id, command.Restart()) for _ in range(2)]
        status, _headers, answers = self.post(self.sealed(world.poll()))
        frames = self.guest.hear(answers)
        self.assertEqual((200, commands), (status, [frame.id for frame in frames]))

    def test_poll_beyond_the_places(self) -> None:
        other = self.world.enrolled()
        with self.gateway._polls.hold(other.id):
            status, headers, answers = self.post(self.sealed(world.poll(5)))
        self.assertEqual((200, []), (status, answers))
        self.assertTrue(0 < float(headers["X-Trove-Poll-After"]) < 2)

    def test_not_a_request_of_this_kind(self) -> None:
        data = self.sealed(world.heartbeat())
        self.assertEqual(404, self.post(data, PATH_INFO="/")[0])
        self.assertEqual(404, self.post(data, PATH_INFO=f"/v1/guests/{self.guest.id}/exchange\n")[0])
        self.assertEqual(404, self.post(data, PATH_INFO="/v1/guests/../exchange")[0])
        self.assertEqual(405, self.post(data, REQUEST_METHOD="GET")[0])
        self.assertEqual(400, self.post(data, CONTENT_TYPE="application/json")[0])
        for length in ("", "x", "-1", "0", str(len(data) + 1)):
            self.assertEqual(400, self.post(data, CONTENT_LENGTH=length)[0])
        self.assertEqual(400, self.post(b"not an envelope")[0])
        self.assertEqual(400, self.post(data, guest_id=self.world.instance())[0])
        self.assertEqual(200, self.post(data)[0])

    def test_huge_body_is_not_read(self) -> None:
        class Unreadable(io.BytesIO):
            def read(self, *_arguments: Any) -> bytes:
                raise AssertionError("read")

        environ = {"CONTENT_LENGTH": str(envelope.MAX_BYTES + 1), "wsgi.input": Unreadable()}
        self.assertEqual(413, self.post(b"", **environ)[0])

    def test_refused(self) -> None:
        data = self.sealed(world.heartbeat())
        self.assertEqual(403, self.post(data[:-1] + bytes([data[-1] ^ 1]))[0])
        self.assertEqual(200, self.post(data)[0])
        status, headers, _answers = self.post(data)
        self.assertEqual((403, {"Content-Type", "Content-Length"}), (status, set(headers)))

    def test_database_that_does_not_answer(self) -> None:
        self.world.db.dispose()
        for path in self.world.db_path().parent.iterdir():
            path.unlink()
        status, headers, _answers = self.post(self.sealed(world.hello()))
        self.assertEqual((503, "5"), (status, headers["Retry-After"]))
        self.assertIn("an exchange failed: ", self.logs.text())
        self.assertNotIn("SELECT", self.logs.text())


class StartTest(base.UnitTestCase):
    def make(self, host: str, **options: Any) -> gateway.Gateway:
        conf = self.new_conf(guest_bus__gateway_bind_host=host, guest_bus__gateway_bind_port=0, **options)
        return gateway.Gateway(conf, None, None)

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
