# SPDX-License-Identifier: Apache-2.0
# covers: trove/wsgi.py
"""``trove.wsgi`` under gunicorn and uWSGI, each configured as the deployment guide says, and as it comes."""

import contextlib
import http.client
import json
import pathlib
import secrets
import sys
import threading
from typing import ClassVar

from trove.db import migration
from trove.db.api import Database
from trove.tests import base
from trove.tests.fixtures.server_process import ServerProcess, free_port, new_directory

_BIN = pathlib.Path(sys.executable).parent
_PROJECT = "0123456789abcdef0123456789abcdef"


class GunicornTest(base.FunctionalTestCase):
    """gunicorn with workers that load the application themselves."""

    command: ClassVar[tuple[str, ...]] = (
        "gunicorn", "--bind", "127.0.0.1:PORT", "--workers", "2", "--worker-class", "gthread", "--threads", "4",
        "--timeout", "60", "--graceful-timeout", "30", "--keep-alive", "75", "--limit-request-field_size", "16380",
        "trove.wsgi:application",
    )  # fmt: skip

    def setUp(self) -> None:
        super().setUp()
        directory = new_directory("wsgi")
        url = f"sqlite:///{directory}/trove.sqlite"
        migration.upgrade(Database(url))
        key = directory / "key"
        key.write_text(secrets.token_hex(32))
        key.chmod(0o600)
        (directory / "trove.conf").write_text(
            "[DEFAULT]\ntransport_url = fake://\nauth_strategy = noauth\napi_threads = 4\n"
            f"[database]\nconnection = {url}\n[security]\nkey_encryption_key_file = {key}\n"
        )
        self.port = free_port()
        words = [str(_BIN / self.command[0]), *self.command[1:]]
        process = ServerProcess(self.command[0], directory)
        self.addCleanup(process.stop)
        process.start(
            [word.replace("PORT", str(self.port)) for word in words],
            {"OS_TROVE_CONFIG_FILES": f"{directory}/trove.conf"},
            confined=False,
        )
        process.await_ready(self.answers)

    def answers(self) -> bool:
        """Return whether the server answers."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", "/")[0] == 200
        return False

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Ask on a new connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            # Who is refused before the body was read may find the connection closed, and the answer on it.
            with contextlib.suppress(BrokenPipeError):
                connection.request(method, path, body, given)  # type: ignore[arg-type]
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def test_the_api(self) -> None:
        """One test, because starting a server takes longer than all of them."""
        for part in (self.requests, self.bodies, self.many_at_once):
            with self.subTest(part.__name__):
                part()

    def requests(self) -> None:
        """Paths, headers and links."""
        status, headers, content = self.ask("GET", "/")
        self.assertTrue(headers["x-openstack-request-id"].startswith("req-"))
        self.assertEqual(f"http://127.0.0.1:{self.port}/v1.0/", json.loads(content)["versions"][0]["links"][0]["href"])
        self.assertEqual(200, self.ask("GET", "/healthcheck")[0])
        # Names with a slash arrive whole: the resource is not found, the path is known.
        status, _, content = self.ask("GET", f"/v1.0/{_PROJECT}/flavors/a%2Fb")
        self.assertEqual((404, True), (status, b"Flavor" in content), content)

    def bodies(self) -> None:
        """Bodies of all kinds."""
        path = f"/v1.0/{_PROJECT}/instances"
        for sent, expected in ((b"{}", 400), (b"{", 400), (b"x" * 200_000, 413)):
            status, _, content = self.ask("POST", path, sent, Content_Type="application/json")
            self.assertEqual(expected, status, content)
        status, _, content = self.ask("POST", path, iter([b'{"instance":', b" 7}"]), Content_Type="application/json")
        self.assertEqual(400, status, content)
        self.assertIn("badRequest", json.loads(content))

    def many_at_once(self) -> None:
        """More requests than threads."""
        found: list[int] = []

        def ask() -> None:
            found.extend(self.ask("GET", f"/v1.0/{_PROJECT}/instances")[0] for _ in range(5))

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual([200] * 40, found)


class PreloadedGunicornTest(GunicornTest):
    """The master loads the application, and forks."""

    command = (*GunicornTest.command[:-1], "--preload", GunicornTest.command[-1])


class UWSGITest(GunicornTest):
    """uWSGI as the deployment guide says."""

    command = (
        "uwsgi", "--http-socket", "127.0.0.1:PORT", "--module", "trove.wsgi:application", "--master",
        "--processes", "2", "--threads", "4", "--enable-threads", "--lazy-apps", "--need-app", "--die-on-term",
        "--buffer-size", "32768", "--post-buffering", "8192", "--http-timeout", "60", "--worker-reload-mercy", "30",
    )  # fmt: skip


class EagerUWSGITest(GunicornTest):
    """The master loads the application, and forks: what uWSGI does by itself."""

    command = tuple(word for word in UWSGITest.command if word != "--lazy-apps")
