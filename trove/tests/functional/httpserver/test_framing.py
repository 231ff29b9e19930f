# SPDX-License-Identifier: Apache-2.0
# covers: trove/httpserver/answers.py
"""Where requests end, byte by byte, over the wire: one answer for each request, and none for what is none."""

from trove.tests.functional.httpserver.base import ServerTestCase, statuses
from trove.tests.unit.httpserver.test_framing import BAD

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
#: Follows each bad request, and must not be answered.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

BAD_CHUNKS = (
    b"4A;A /v1.0/ HTTP/1.1\r\n" + b"x" * 0x4A + b"\r\n0\r\n\r\n",
    b"5;name=value\r\nhello\r\n0\r\n\r\n",
    b"zz\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5_0\r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello!\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
    b"5\r\nhello\r\n0\n\n",
    b"0" * 500 + b"5\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n",
    b"f" * 200 + b"\r\nhello\r\n0\r\n\r\n",
)


class FramingTest(ServerTestCase):
    def test_bad_heads(self) -> None:
        for head in BAD:
            answer = self.say(head + b"hello" + SMUGGLED)
            self.assertEqual([400], statuses(answer), head)
            self.assertIn(b"Connection: close", answer)
            self.assertIn(b'{"refused": ', answer)
        self.assertEqual([], self.application.heads)

    def test_bad_chunks(self) -> None:
        for chunks in BAD_CHUNKS:
            answer = self.say(CHUNKED + chunks + SMUGGLED)
            self.assertIn(statuses(answer), ([400], [413]), chunks)
            self.assertIn(b"Connection: close", answer)
        self.assertEqual({"/"}, {head.path for head in self.application.heads})

    def test_good_requests_on_one_connection(self) -> None:
        answer = self.say(
            HEAD + b"Content-Length: 5\r\n\r\nhello"
            b"\r\n" + CHUNKED + b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + SMUGGLED
        )  # fmt: skip
        self.assertEqual([200, 200, 200], statuses(answer))
        self.assertIn(b"echo hello", answer)
        self.assertIn(b"echo abc0123456789", answer)

    def test_a_long_head_is_refused(self) -> None:
        answer = self.say(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 20_000 + b"\r\n\r\n" + SMUGGLED)
        self.assertEqual([431], statuses(answer))
        self.assertEqual([], statuses(self.say(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 200_000)))

    def test_http_1_0(self) -> None:
        self.assertEqual([200], statuses(self.say(b"GET / HTTP/1.0\r\n\r\n" + SMUGGLED)))
        answer = self.say(
            b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"
            b"GET /large HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + SMUGGLED
        )
        self.assertEqual([200, 200], statuses(answer))
        self.assertNotIn(b"chunked", answer)
        self.assertTrue(answer.endswith(b"x" * 65536))

    def test_an_answer_to_head_has_no_body(self) -> None:
        answer = self.say(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertIn(b"Content-Length: 5\r\n", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\n"))

    def test_a_header_that_cannot_be_sent(self) -> None:
        self.assertEqual(500, self.ask("/early")[0])

    def test_nothing_of_it_is_logged(self) -> None:
        for data in (b"GET / HTTP/1.1\r\nHost: x\r\nsecret\x1b\r\n\r\n", HEAD + b"Content-Length: secret\r\n\r\n"):
            self.say(data)
        self.assertNotIn("secret", self.logs.text())


class BodyTest(ServerTestCase):
    def test_a_stated_length_over_the_limit_is_refused_unread(self) -> None:
        client = self.connect()
        client.sendall(HEAD + b"Content-Length: 4294967296\r\n\r\n")
        self.assertEqual([413], statuses(client.recv(65536)))

    def test_a_chunked_body_over_the_limit_is_refused_at_once(self) -> None:
        client = self.connect()
        client.sendall(CHUNKED + b"800\r\n" + b"x" * 1500)
        self.assertEqual([413], statuses(client.recv(65536)))

    def test_an_honest_client_sees_the_refusal(self) -> None:
        for framing, body in (
            (b"Content-Length: 200000\r\n\r\n", b"x" * 200_000),
            (b"Transfer-Encoding: chunked\r\n\r\n", b"2000\r\n" + b"x" * 8192 + b"\r\n0\r\n\r\n"),
        ):
            self.assertEqual([413], statuses(self.say(HEAD + framing + body)))

    def test_who_waits_to_be_told_is_told(self) -> None:
        client = self.connect()
        client.sendall(HEAD + b"Connection: close\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
        self.assertEqual([100], statuses(client.recv(100)))
        client.sendall(b"hello")
        self.assertEqual([200], statuses(client.recv(65536)))
        self.assertEqual([413], statuses(self.say(HEAD + b"Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n")))

    def test_a_body_that_the_application_does_not_want(self) -> None:
        data = b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 70\r\n\r\n"
        answer = self.say(data + SMUGGLED)
        self.assertEqual([404], statuses(answer))
        self.assertIn(b"Connection: close", answer)
        last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = self.say(b"GET /refuse HTTP/1.1\r\nHost: x\r\n\r\n" + last)
        self.assertEqual([404, 200], statuses(answer))

    def test_a_streamed_body(self) -> None:
        self.assertEqual((200, b"3000000"), self.ask("/stream", body=b"x" * 3_000_000, method="PUT")[:2])
        head = b"PUT /stream HTTP/1.1\r\nHost: x\r\n"
        self.assertEqual([413], statuses(self.say(head + b"Content-Length: 10000001\r\n\r\n")))
