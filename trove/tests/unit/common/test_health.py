# SPDX-License-Identifier: Apache-2.0
from typing import Any

from trove.common import health
from trove.tests import base


class HealthTest(base.UnitTestCase):
    def ask(self, app: health.Health, path: str, method: str = "GET") -> tuple[str, bytes]:
        told: list[str] = []
        environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": method}
        self.assertTrue(app.takes(environ))
        body = b"".join(app(environ, lambda status, headers: told.append(status)))
        return told[0], body

    def test_ready_is_not_alive(self) -> None:
        for ready, expected in ((True, ("200 OK", b"OK")), (False, ("503 Service Unavailable", b"UNAVAILABLE"))):
            app = health.Health(lambda ready=ready: ready)  # type: ignore[misc]
            self.assertEqual(expected, self.ask(app, "/healthcheck"))
            self.assertEqual(expected, self.ask(app, "/healthcheck/"))
            head = (expected[0].replace("200 OK", "204 No Content"), b"")
            self.assertEqual(head, self.ask(app, "/healthcheck", "HEAD"))
            self.assertEqual(("200 OK", b"OK"), self.ask(app, "/healthcheck/live"))

    def test_more_checks_are_asked_by_who_is_ready_only(self) -> None:
        def drained(_environ: Any, start_response: Any) -> list[bytes]:
            start_response("503 Service Unavailable", [])
            return [b"DISABLED BY FILE"]

        self.assertEqual(b"DISABLED BY FILE", self.ask(health.Health(lambda: True, drained), "/healthcheck")[1])
        self.assertEqual(b"UNAVAILABLE", self.ask(health.Health(lambda: False, drained), "/healthcheck")[1])
        self.assertEqual(b"OK", self.ask(health.Health(lambda: False, drained), "/healthcheck/live")[1])

    def test_other_paths_are_not_its_own(self) -> None:
        for path in ("/", "", "/healthchecks", "/healthcheck/other", "/v1.0/healthcheck"):
            self.assertFalse(health.Health.takes({"PATH_INFO": path}))
