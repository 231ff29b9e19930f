# SPDX-License-Identifier: Apache-2.0
from typing import Any

from trove.api import router
from trove.common import exception
from trove.tests import base


class SegmentsTest(base.UnitTestCase):
    def segments(self, path: str, **environ: Any) -> tuple[str, ...]:
        return router.segments({"PATH_INFO": path, **environ})

    def test_slashes_repeated_and_at_the_end(self) -> None:
        self.assertEqual(("v1.0", "p", "instances"), self.segments("//v1.0///p/instances//"))
        self.assertEqual((), self.segments("/"))
        self.assertEqual((), self.segments(""))

    def test_the_raw_path_decides_what_is_a_slash(self) -> None:
        raw = {"REQUEST_URI": "/v1.0/p/a%2Fb/c%2e%25?x=%2F"}
        self.assertEqual(("v1.0", "p", "a/b", "c.%"), self.segments("/v1.0/p/a/b/c.%", **raw))

    def test_gunicorn_calls_it_otherwise(self) -> None:
        self.assertEqual(("a/b",), self.segments("/a/b", RAW_URI="/a%2Fb"))

    def test_servers_that_keep_encoded_slashes_in_the_decoded_path(self) -> None:
        self.assertEqual(("a/b", "%"), self.segments("/a%2Fb/%", REQUEST_URI="/a%2Fb/%25"))

    def test_absolute_form(self) -> None:
        self.assertEqual(("v1.0", "a/b"), self.segments("/v1.0/a/b", REQUEST_URI="http://host:1/v1.0/a%2Fb"))

    def test_a_mounted_application(self) -> None:
        self.assertEqual(("a/b",), self.segments("/a/b", REQUEST_URI="/database/a%2Fb", SCRIPT_NAME="/database"))

    def test_a_path_that_was_rewritten_wins(self) -> None:
        self.assertEqual(("new",), self.segments("/new", REQUEST_URI="/old"))

    def test_percent_decoding_happens_once(self) -> None:
        self.assertEqual(("%41",), self.segments("/%41", REQUEST_URI="/%2541"))

    def test_without_a_raw_path(self) -> None:
        self.assertEqual(("ä", "%41"), self.segments("/ä/%41".encode().decode("latin-1")))

    def test_what_nothing_can_be_called(self) -> None:
        for raw in ("/%ff", "/a%00b"):
            decoded = raw.replace("%ff", "\xff").replace("%00", "\0")
            self.assertRaises(exception.NotFound, self.segments, decoded, REQUEST_URI=raw)


class RouterTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.router = router.Router(
            [
                ("GET", "/", "root"),
                ("GET", "/things", "list"),
                ("POST", "/things", "create"),
                ("GET", "/things/{id}", "show"),
                ("GET", "/things/special", "special"),
                ("GET", "/things/{id}/parts/{part}", "part"),
                ("GET", "/things/special/only", "only"),
            ]
        )

    def test_parameters(self) -> None:
        self.assertEqual(("part", {"id": "1", "part": "x"}), self.router.match("GET", ("things", "1", "parts", "x")))
        self.assertEqual(("root", {}), self.router.match("GET", ()))

    def test_a_literal_wins_but_does_not_block(self) -> None:
        self.assertEqual("special", self.router.match("GET", ("things", "special"))[0])
        self.assertEqual(
            ("part", {"id": "special", "part": "x"}), self.router.match("GET", ("things", "special", "parts", "x"))
        )

    def test_unknown_paths(self) -> None:
        for path in (("nope",), ("things", "1", "parts"), ("things", "1", "parts", "x", "y")):
            self.assertRaises(exception.NotFound, self.router.match, "GET", path)

    def test_known_path_wrong_method(self) -> None:
        error = self.assertRaises(exception.MethodNotAllowed, self.router.match, "DELETE", ("things",))
        self.assertEqual(("GET", "POST"), error.allow)

    def test_clashes_are_found_when_the_table_is_made(self) -> None:
        self.assertRaises(ValueError, router.Router, [("GET", "/a/{x}", 1), ("GET", "/a/{x}", 2)])
        self.assertRaises(ValueError, router.Router, [("GET", "/a/{x}", 1), ("PUT", "/a/{y}", 2)])
