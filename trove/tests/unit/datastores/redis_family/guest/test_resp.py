# SPDX-License-Identifier: Apache-2.0

from typing import Any, cast

from trove.common import clock
from trove.datastores.redis_family.guest import resp
from trove.tests import base


class Wire:
    """A connection whose other end has already said everything, in small pieces."""

    def __init__(self, answer: bytes, piece: int = 3) -> None:
        self._pieces = [answer[at : at + piece] for at in range(0, len(answer), piece)]
        self.sent = b""

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def recv(self, _size: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def connection(answer: bytes, seconds: float = 10) -> resp.Connection:
    return resp.Connection(cast(Any, Wire(answer)), clock.monotonic() + seconds)


class TestResp(base.UnitTestCase):
    def test_words_cannot_become_anything_else(self) -> None:
        self.assertEqual(b"*2\r\n$3\r\nGET\r\n$6\r\na\r\n$1b\r\n", resp.encode(("GET", "a\r\n$1b")))
        self.assertEqual("*1\r\n$2\r\nü\r\n".encode(), resp.encode(("ü",)))

    def test_answers(self) -> None:
        for answer, expected in (
            (b"+OK\r\n", "OK"),
            (b":42\r\n", 42),
            (b"$5\r\na\r\nbc\r\n", "a\r\nbc"),
            (b"$0\r\n\r\n", ""),
            (b"$-1\r\n", None),
            (b"*-1\r\n", None),
            (b"*3\r\n+a\r\n*1\r\n:1\r\n$1\r\nb\r\n", ["a", [1], "b"]),
        ):
            self.assertEqual(expected, connection(answer).call("X"))

    def test_refusals(self) -> None:
        error = self.assertRaises(resp.ReplyError, connection(b"-NOAUTH Authentication required.\r\n").call, "X")
        self.assertEqual("NOAUTH", error.code)
        self.assertIsInstance(connection(b"-ERR x\r\n").ask("X"), resp.ReplyError)

    def test_away_or_refusing(self) -> None:
        for error, away in (
            (resp.Unreachable("the server hung up"), True),
            (resp.ReplyError("LOADING Redis is loading the dataset in memory"), True),
            (resp.ReplyError("NOAUTH Authentication required."), False),
        ):
            self.assertEqual(away, resp.is_away(error), error)

    def test_nonsense_and_silence(self) -> None:
        for answer in (b"", b"+O", b"HTTP/1.1 200 OK\r\n", b"$x\r\n", b"\r\n", b"$5\r\nab"):
            self.assertRaises(resp.Unreachable, connection(answer).call, "X")
        error = self.assertRaises(resp.Unreachable, connection(b"+OK\r\n", seconds=0).call, "X")
        self.assertIn("in time", str(error))

    def test_a_server_that_hangs_up_before_it_is_asked_has_said_why(self) -> None:
        class HungUp(Wire):
            def sendall(self, data: bytes) -> None:
                raise BrokenPipeError

        for answer, kind in ((b"-ERR max number of clients reached\r\n", resp.ReplyError), (b"", resp.Unreachable)):
            asked = resp.Connection(cast(Any, HungUp(answer)), clock.monotonic() + 10)
            self.assertRaises(kind, asked.call, "AUTH")

    def test_a_transaction_tells_the_first_failure(self) -> None:
        connection(b"+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n").transaction([("A",)])
        failing = connection(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n-ERR first\r\n-ERR second\r\n")
        error = self.assertRaises(resp.ReplyError, failing.transaction, [("A",), ("B",)])
        self.assertEqual("ERR first", error.text)

    def test_info(self) -> None:
        self.assertEqual({"a": "1", "b": "x:y"}, resp.parse_info("# Server\r\na:1\r\n\r\nb:x:y\r\n"))

    def test_an_address_does_not_show_its_password(self) -> None:
        self.assertNotIn("hunter2", repr(resp.Address(self.tempdir(), "hunter2")))
