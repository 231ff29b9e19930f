# SPDX-License-Identifier: Apache-2.0
"""What passes between a server and its application."""

import asyncio

from trove.httpserver.application import BodyReader, Disconnected, Head
from trove.tests import base


def head(target: str = "/", **headers: str) -> Head:
    return Head("GET", target, "HTTP/1.1", headers, "127.0.0.1", 1, ("127.0.0.1", 2), "http")


class HeadTest(base.UnitTestCase):
    def test_targets(self) -> None:
        for target, path, query in (
            ("/a%2Fb?c=d?e", "/a%2Fb", "c=d?e"),
            ("/", "/", ""),
            ("http://x:1/a/b?c", "/a/b", "c"),
            ("http://x", "/", ""),
            ("*", "*", ""),
        ):
            self.assertEqual((path, query), (head(target).path, head(target).query))

    def test_length(self) -> None:
        self.assertEqual(0, head().length)
        self.assertEqual(5, head(**{"Content-Length": "5"}).length)
        self.assertIsNone(head(**{"Transfer-Encoding": "chunked"}).length)


class BodyReaderTest(base.UnitTestCase):
    """With the loop's thread and the reader's being one: what is read has come before."""

    def setUp(self) -> None:
        super().setUp()
        self.taken: list[int] = []

    def run_with_reader(self, test: "object") -> None:
        async def main() -> None:
            await test(BodyReader(asyncio.get_running_loop(), self.taken.append, limit=10))  # type: ignore[operator]

        asyncio.run(main())

    def test_parts(self) -> None:
        async def test(reader: BodyReader) -> None:
            self.assertTrue(reader.feed(b"abc"))
            self.assertTrue(reader.feed(b"def"))
            self.assertEqual((b"ab", b"", b"cdef"), (reader.read(2), reader.read(0), reader.read(4)))
            reader.feed(b"gh")
            reader.end()
            self.assertEqual((b"gh", b"", b""), (reader.read(), reader.read(5), reader.read()))
            await asyncio.sleep(0)
            self.assertEqual(8, sum(self.taken))

        self.run_with_reader(test)

    def test_a_slow_reader_slows_the_client(self) -> None:
        async def test(reader: BodyReader) -> None:
            self.assertFalse(reader.feed(b"x" * 10))
            waiting = asyncio.ensure_future(reader.room())
            await asyncio.sleep(0)
            self.assertFalse(waiting.done())
            reader.read(1)
            await waiting

        self.run_with_reader(test)

    def test_a_broken_body_is_not_taken_for_a_short_one(self) -> None:
        async def test(reader: BodyReader) -> None:
            self.assertFalse(reader.feed(b"x" * 20))
            reader.abort()
            self.assertRaises(Disconnected, reader.read, 5)
            await reader.room()

        self.run_with_reader(test)

    def test_a_complete_one_outlives_its_client(self) -> None:
        async def test(reader: BodyReader) -> None:
            reader.feed(b"abc")
            reader.end()
            reader.abort()
            self.assertEqual(b"abc", reader.read())

        self.run_with_reader(test)
