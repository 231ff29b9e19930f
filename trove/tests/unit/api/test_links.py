# SPDX-License-Identifier: Apache-2.0
from trove.api import links
from trove.tests import base


class LinksTest(base.UnitTestCase):
    def test_base_is_what_the_client_used(self) -> None:
        environ = {"wsgi.url_scheme": "https", "HTTP_HOST": "db.example:8779", "SERVER_NAME": "x", "SERVER_PORT": "1"}
        self.assertEqual("https://db.example:8779", links.base_url(environ, None))
        self.assertEqual(
            "https://db.example:8779/database", links.base_url({**environ, "SCRIPT_NAME": "/database"}, None)
        )
        del environ["HTTP_HOST"]
        self.assertEqual("https://x:1", links.base_url(environ, None))

    def test_or_what_the_operator_says(self) -> None:
        self.assertEqual("https://public", links.base_url({}, "https://public/"))

    def test_two_links_in_their_order(self) -> None:
        self.assertEqual(
            [
                {"href": "http://h/v1.0/p%2Fx/flavors/a%20b", "rel": "self"},
                {"href": "http://h/flavors/a%20b", "rel": "bookmark"},
            ],
            links.resource("http://h", "p/x", "flavors", "a b"),
        )
