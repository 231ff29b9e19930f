# SPDX-License-Identifier: Apache-2.0
"""Whose request a line of the log belongs to.

Seen: a request refused before its caller was known was logged with the identity and the request id of the request
that the same thread had answered before.
"""

import logging

from oslo_context import context

from trove.api import authn
from trove.tests.functional.api import base


class _Contexts(logging.Handler):
    """Keeps the context that the formatter of a service would show, line by line."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str | None, str | None, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        current = context.get_current()
        self.seen.append((current.request_id, current.user_id, record.getMessage()) if current else (None, None, ""))


class LogContextTest(base.ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        users = self.tempdir() / "users.yaml"
        authn.write_users_file(users, [{"name": "u", "password": "p", "project_id": base.PROJECT, "roles": ["member"]}])
        self.client = self.make_app(self.new_conf(http_basic_auth_user_file=str(users)))
        self.contexts = _Contexts()
        logger = logging.getLogger("trove")
        logger.addHandler(self.contexts)
        self.addCleanup(logger.removeHandler, self.contexts)

    def ask(self, path: str, authorization: str, status: int) -> str:
        """Send a request in this thread; return its id after having checked the lines it has logged."""
        self.contexts.seen.clear()
        response = self.call("GET", path, headers={"Authorization": authorization}, app=self.client, status=status)
        request_id: str = response.headers["x-openstack-request-id"]
        self.assertTrue(self.contexts.seen)
        self.assertEqual({request_id}, {seen for seen, _, _ in self.contexts.seen})
        return request_id

    def users(self) -> set[str | None]:
        """Return who was logged with the last request."""
        return {user for _, user, _ in self.contexts.seen}

    def test_one_thread_answers_several_callers(self) -> None:
        first = self.ask("/flavors", "Basic dTpw", 200)
        self.assertEqual({"u"}, self.users())
        for path, authorization, status in (
            ("/flavors", "Basic dTpx", 401),
            ("/flavors", "nonsense", 401),
            ("//nowhere", "Basic dTpw", 404),
            ("//", "Basic dTpw", 200),
        ):
            self.assertNotEqual(first, self.ask(path, authorization, status))
            self.assertEqual({None}, self.users())
