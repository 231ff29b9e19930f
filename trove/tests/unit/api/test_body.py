# SPDX-License-Identifier: Apache-2.0
import io
from typing import Any

from trove.api import body
from trove.common import exception
from trove.tests import base


class ReadTest(base.UnitTestCase):
    def read(self, data: bytes, length: str | None = None, **environ: Any) -> bytes:
        return body.read({"wsgi.input": io.BytesIO(data), "CONTENT_LENGTH": length, **environ}, 10)

    def test_no_more_than_stated_is_read(self) -> None:
        self.assertEqual(b"abc", self.read(b"abcdef", "3"))

    def test_nothing_stated_is_nothing(self) -> None:
        self.assertEqual(b"", self.read(b"abc"))
        self.assertEqual(b"", self.read(b"abc", ""))
        self.assertEqual(b"", self.read(b"abc", "0"))

    def test_chunked(self) -> None:
        chunked = {"HTTP_TRANSFER_ENCODING": "Chunked", "wsgi.input_terminated": True}
        self.assertEqual(b"abc", self.read(b"abc", **chunked))
        self.assertRaises(exception.RequestTooLarge, self.read, b"x" * 11, **chunked)

    def test_chunked_under_a_server_that_does_not_end_it(self) -> None:
        self.assertRaises(exception.BadRequest, self.read, b"abc", HTTP_TRANSFER_ENCODING="chunked")

    def test_too_large_is_not_read(self) -> None:
        stream = io.BytesIO(b"x" * 11)
        for length in ("11", "9" * 19, "9" * 6000):
            self.assertRaises(
                exception.RequestTooLarge, body.read, {"wsgi.input": stream, "CONTENT_LENGTH": length}, 10
            )
        self.assertEqual(0, stream.tell())

    def test_exactly_the_limit(self) -> None:
        self.assertEqual(b"x" * 10, self.read(b"x" * 10, "10"))

    def test_lengths_that_lie(self) -> None:
        for length in ("-1", "abc", "1.5", "+3", "٣"):
            self.assertRaises(exception.BadRequest, self.read, b"abc", length)
        self.assertRaises(exception.BadRequest, self.read, b"abc", "4")


class MediaTypeTest(base.UnitTestCase):
    def test_json_with_any_parameters(self) -> None:
        for accepted in ("application/json", "Application/JSON; charset=utf-8", "application/json;x=y"):
            body.check_media_type({"CONTENT_TYPE": accepted})

    def test_everything_else(self) -> None:
        for refused in (
            "",
            "text/plain",
            "application/xml",
            "application/json-patch+json",
            "application/x-www-form-urlencoded",
        ):
            self.assertRaises(exception.UnsupportedMediaType, body.check_media_type, {"CONTENT_TYPE": refused})
        self.assertRaises(exception.UnsupportedMediaType, body.check_media_type, {})


class ParseTest(base.UnitTestCase):
    def test_a_key_given_twice(self) -> None:
        for data in (b'{"a": [1], "a": [1]}', b'{"a": {"b": 1, "b": 1}, "a": {"b": 1}}'):
            self.assertEqual(["a"], list(body.parse(data)))
        for data in (b'{"secret": 1, "secret": 2}', b'{"secret": 1, "secret": true, "secret": 1}'):
            error = self.assertRaises(exception.BadRequest, body.parse, data)
            self.assertIn("two different values of the key 'secret'", error.message)

    def test_values(self) -> None:
        self.assertEqual({"a": [1, 2.5, "ä😀", None, True]}, body.parse('{"a": [1, 2.5, "ä😀", null, true]}'.encode()))
        self.assertEqual("😀", body.parse(b'"\\ud83d\\ude00"'))

    def test_what_is_refused(self) -> None:
        for data in (
            b"",
            b"{",
            b"{'a': 1}",
            b"[1,]",
            b'{"a": 1} x',
            b"NaN",
            b'{"a": Infinity}',
            b"-Infinity",
            b"1e999",
            b"1" * 5000,
            b'{"a": 1, "a": 2}',
            b'{"x": {"a": 1, "a": true}}',
            b'"\xff"',
            b"\xef\xbb\xbf{}",
            b'"\\u0000"',
            b'{"\\u0000": 1}',
            b'"\\ud800"',
            b'["\\udfff x"]',
            '{"a": 1}'.encode("utf-16"),
        ):
            with self.subTest(data[:20]):
                self.assertRaises(exception.BadRequest, body.parse, data)

    def test_depth(self) -> None:
        fits = b"[" * body.MAX_DEPTH + b"]" * body.MAX_DEPTH
        body.parse(fits)
        for data in (b"[" + fits + b"]", b"[" * 100_000, b'{"a":' * 50_000, b"[" * 50_000 + b"]" * 50_000):
            self.assertRaises(exception.BadRequest, body.parse, data)

    def test_width_is_not_depth(self) -> None:
        body.parse(b"[" + b"[]," * 1000 + b"[]]")
        body.parse(b'["' + b"[" * 1000 + b'\\"[[["]')

    def test_strings_that_do_not_end(self) -> None:
        for end in (b'"', b'"\\', b'"x'):
            self.assertRaises(exception.BadRequest, body.parse, b"[]" * 40 + end)
        # From each of the quotes another string could begin; looking to the end from each took minutes.
        self.assertRaises(exception.BadRequest, body.parse, b"[]" * 40 + b'"' + b'\\"' * 250_000)

    def test_what_was_sent_is_not_in_the_message(self) -> None:
        error = self.assertRaises(exception.BadRequest, body.parse, b'{"password": "hunter2" oops}')
        self.assertNotIn("hunter2", str(error))
