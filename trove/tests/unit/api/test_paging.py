# SPDX-License-Identifier: Apache-2.0
import types
import urllib.parse
from typing import Any

from trove.api import paging, routes
from trove.tests import base

_ROUTE = next(route for route in routes.ROUTES if route.handler == "users:index")


class MarkerTest(base.UnitTestCase):
    def test_what_goes_out_comes_back_however_often_it_is_decoded(self) -> None:
        for text in ("plain-1.2_x", "user@%", "ü@10.0.0.1", "a+b c&d=e", "~tilde", "%41", "", "a/b?c#d"):
            marker = paging.encode_marker(text)
            self.assertEqual(text, paging.decode_marker(marker), text)
            self.assertEqual(marker, urllib.parse.unquote_plus(marker))

    def test_what_people_type_is_taken_as_it_is(self) -> None:
        for text in ("user@host", "~not base64", "~////", "~AA", "~gICA"):
            self.assertEqual(text, paging.decode_marker(text))


class PageTest(base.UnitTestCase):
    def page(self, **query: Any) -> paging.Page:
        request: Any = types.SimpleNamespace(
            query=query, services=types.SimpleNamespace(conf=self.new_conf(users_page_size=3)), route=_ROUTE,
            path={"project_id": "p", "instance_id": "i d"}, base_url="http://h",
        )
        return paging.Page.of(request, "users_page_size")

    def test_size(self) -> None:
        self.assertEqual([3, 2, 3], [self.page(**query).limit for query in ({}, {"limit": 2}, {"limit": 100})])

    def test_the_last_page_has_no_link(self) -> None:
        self.assertEqual((["a", "b", "c"], {}), self.page().cut("users", ["a", "b", "c"], str))

    def test_the_next_page(self) -> None:
        rows, document = self.page(limit=2, extra=True).cut("users", ["a", "b@%", "c"], str)
        self.assertEqual(["a", "b@%"], rows)
        (link,) = document["links"]
        self.assertEqual({"links": [link], "users_links": [link]}, document)
        url = urllib.parse.urlsplit(link["href"])
        self.assertEqual(("next", "/v1.0/p/instances/i%20d/users"), (link["rel"], url.path))
        query = dict(urllib.parse.parse_qsl(url.query))
        self.assertEqual(("2", "b@%"), (query["limit"], paging.decode_marker(query["marker"])))
