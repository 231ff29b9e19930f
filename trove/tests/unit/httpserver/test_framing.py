# SPDX-License-Identifier: Apache-2.0
"""What a request's head may look like."""

import contextlib

import hypothesis
from hypothesis import strategies as st

from trove.httpserver import framing
from trove.tests import base

GOOD = (
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET /a%2Fb?c=d HTTP/1.1\r\nhOST: [::1]:8779\r\nEmpty:\r\nOdd:\t a b \xe9 \r\n\r\n",
    b"GET http://trove.example:8779/v1.0/ HTTP/1.1\r\nHost: trove.example:8779\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \t 5 \t\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n",
)
START = b"POST / HTTP/1.1\r\nHost: x\r\n"
BAD = (
    b"\r\n\r\n",
    b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /\r\n\r\n",
    b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
    b"GET / http/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET x HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://u@x/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    # Lines.
    b"GET / HTTP/1.1\nHost: x\n\n",
    b"GET / HTTP/1.1\nHost: x\r\n\r\n",
    START + b"A: b\n\r\n",
    START + b"A: b\nContent-Length: 5\r\n\r\n",
    START + b"A: b\r\n\n",
    START + b"A: b\rContent-Length: 5\r\n\r\n",
    START + b"A: b\r\n folded\r\n\r\n",
    START + b"A: b\r\n\tfolded\r\n\r\n",
    START + b" A: b\r\n\r\n",
    START + b"A : b\r\n\r\n",
    START + b"A\t: b\r\n\r\n",
    START + b"A\r\n\r\n",
    START + b": b\r\n\r\n",
    START + b"A(: b\r\n\r\n",
    START + b"A: \0\r\n\r\n",
    START + b"A: \x1b[31m\r\n\r\n",
    # Lengths.
    START + b"Content-Length: +5\r\n\r\n",
    START + b"Content-Length: -5\r\n\r\n",
    START + b"Content-Length: 1_0\r\n\r\n",
    START + b"Content-Length: 0x5\r\n\r\n",
    START + b"Content-Length: 5.0\r\n\r\n",
    START + b"Content-Length: \r\n\r\n",
    START + b"Content-Length: 5, 5\r\n\r\n",
    START + b"Content-Length: 5 5\r\n\r\n",
    START + b"Content-Length: \xb2\r\n\r\n",
    START + b"Content-Length: 1" + b"0" * 18 + b"\r\n\r\n",
    START + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
    START + b"Content-Length: 5\r\ncontent-length: 6\r\n\r\n",
    START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    START + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    START + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    START + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    START + b"Transfer-Encoding: identity\r\n\r\n",
    START + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
    START + b"Expect: a miracle\r\n\r\n",
    START + b"Transfer-Encoding: \x0bchunked\r\n\r\n",
    b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
)


class CheckTest(base.UnitTestCase):
    def test_good_heads(self) -> None:
        for head in GOOD:
            framing.check(head)

    def test_bad_heads(self) -> None:
        for head in BAD:
            self.assertRaises(framing.Malformed, framing.check, head)

    def test_http_1_0_knows_no_expectations(self) -> None:
        framing.check(b"GET / HTTP/1.0\r\nExpect: a miracle\r\n\r\n")

    def test_long_garbage_is_known_at_once(self) -> None:
        for line in (b"a" * 60_000, b"a: b\r\n" * 10_000, b":" * 60_000, b"a:" * 30_000, b"\xff" * 60_000):
            with contextlib.suppress(framing.Malformed):
                framing.check(START + line + b"\n\r\n")

    @hypothesis.given(st.binary(max_size=200))
    def test_anything(self, data: bytes) -> None:
        with contextlib.suppress(framing.Malformed):
            framing.check(data)
            self.assertTrue(data.endswith(b"\r\n\r\n"))
