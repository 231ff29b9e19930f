# SPDX-License-Identifier: Apache-2.0
# covers: trove/api/server.py
"""The real HTTP server: what WSGI test clients cannot show."""

import base64
import http.client
import json
import socket
import threading
from collections.abc import Callable

import sqlalchemy as sa

from trove.api import authn, server
from trove.common import clock
from trove.tests.functional.api import base


class ServerTest(base.ApiTestCase):
    options = {"auth_strategy": "noauth", "bind_host": "127.0.0.1", "bind_port": 0, "api_threads": 2}

    def setUp(self) -> None:
        super().setUp()
        self.server = server.ApiServer(self.conf, self.app.app)
        self.server.start()
        self.addCleanup(self.server.stop)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        self.addCleanup(self.connection.close)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        self.connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = self.connection.getresponse()
        return response.status, response.read()

    def test_names_arrive_as_they_were_written(self) -> None:
        self.seed_flavor(id="a/b.json%", name="odd")
        status, body = self.ask("GET", f"/v1.0/{base.PROJECT}/flavors/a%2Fb.json%25")
        self.assertEqual((200, "a/b.json%"), (status, json.loads(body)["flavor"]["str_id"]))

    def test_links_say_what_the_client_used(self) -> None:
        _, body = self.ask("GET", "/")
        self.assertEqual(
            f"http://127.0.0.1:{self.server.port}/v1.0/", json.loads(body)["versions"][0]["links"][0]["href"]
        )

    def test_a_connection_survives_refused_bodies(self) -> None:
        for _ in range(3):
            status, _ = self.ask("POST", f"/v1.0/{base.PROJECT}/flavors", b"x" * 50_000, Content_Type="text/plain")
            self.assertEqual(405, status)
            self.assertEqual(200, self.ask("GET", "/")[0])

    def test_it_is_alive_while_all_threads_wait(self) -> None:
        waiting, go_on = threading.Semaphore(0), threading.Event()

        def stuck(_environ: object, start_response: Callable[..., object]) -> list[bytes]:
            waiting.release()
            go_on.wait(60)
            start_response("204 No Content", [])
            return []

        alive = server.ApiServer(self.conf, stuck)
        alive.start()
        self.addCleanup(alive.stop)
        self.addCleanup(go_on.set)
        clients = [http.client.HTTPConnection("127.0.0.1", alive.port, timeout=30) for _ in range(4)]
        for client in clients:
            self.addCleanup(client.close)
        for client in clients[:2]:
            client.request("GET", "/")
            waiting.acquire()
        for method, status, body in (("GET", 200, b"OK"), ("HEAD", 204, b"")):
            clients[3].request(method, "/healthcheck/live")
            response = clients[3].getresponse()
            self.assertEqual((status, body), (response.status, response.read()))

    def test_chunked_bodies_are_limited(self) -> None:
        path = f"/v1.0/{base.PROJECT}/instances"
        chunks = (b"x" * 10_000 for _ in range(20))
        self.connection.request("POST", path, chunks, {"Content-Type": "application/json"}, encode_chunked=True)
        self.assertEqual(413, self.connection.getresponse().status)

    def test_headers_are_limited(self) -> None:
        status, _ = self.ask("GET", "/", X_Auth_Token="x" * (self.conf.max_header_line + 1))
        self.assertEqual(413, status)

    def test_garbage_does_not_stop_it(self) -> None:
        for data in (
            b"\0\0\0\0\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=30) as raw:
                raw.sendall(data)
                head, _, document = raw.recv(1000).partition(b"\r\n\r\n")
                self.assertTrue(head.startswith(b"HTTP/1.1 400 "))
                self.assertEqual(400, json.loads(document)["badRequest"]["code"])
        self.assertEqual(200, self.ask("GET", "/")[0])

    def test_stopping_twice_is_no_error(self) -> None:
        self.server.stop()
        self.server.stop()
        self.connection.close()
        self.assertRaises(OSError, self.ask, "GET", "/")


class LockedDatabaseTest(base.ApiTestCase):
    """Somebody has locked the tables, and every thread of the service waits for that to end."""

    dialect = "postgresql"
    options = {"auth_strategy": "noauth", "bind_host": "127.0.0.1", "bind_port": 0, "api_threads": 2}

    def setUp(self) -> None:
        super().setUp()
        self.server = server.ApiServer(self.conf, self.app.app)
        self.server.start()
        self.addCleanup(self.server.stop)
        engine = sa.create_engine(self.database.url)
        self.addCleanup(engine.dispose)
        self.other = self.enterContext(engine.connect())

    def ask(self, path: str, method: str = "GET") -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        self.addCleanup(connection.close)
        connection.request(method, path)
        return connection

    def answers(self, method: str = "GET") -> list[tuple[int, bytes]]:
        """Return what three probes that come together are told, with a slash at the end or without."""
        asked = [self.ask(path, method) for path in ("/healthcheck", "/healthcheck/", "/healthcheck")]
        responses = [connection.getresponse() for connection in asked]
        return [(response.status, response.read()) for response in responses]

    def waiting(self) -> int:
        query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'flavors'::regclass"
        return int(self.other.exec_driver_sql(query).scalar_one())

    def test_it_is_not_ready_while_all_threads_wait(self) -> None:
        self.other.exec_driver_sql("LOCK TABLE flavors, datastores IN ACCESS EXCLUSIVE MODE")
        stuck = [self.ask(f"/v1.0/{base.PROJECT}/flavors") for _ in range(3)]
        while self.waiting() < 2:
            clock.sleep(0.01)
        while self.answers() != [(503, b"UNAVAILABLE")] * 3:  # at first some are told what was known before
            pass
        self.assertEqual([(503, b"")] * 3, self.answers("HEAD"))
        self.assertEqual(2, self.waiting())
        self.other.rollback()
        self.assertEqual([200] * 3, [connection.getresponse().status for connection in stuck])
        while self.answers() != [(200, b"OK")] * 3:  # the outcome is remembered for a second
            clock.sleep(0.01)


class GuessingTest(base.ApiTestCase):
    """Over the wire: 127.0.0.0/8 has addresses enough for a guesser and a user."""

    def setUp(self) -> None:
        super().setUp()
        users = self.tempdir() / "users.yaml"
        authn.write_users_file(users, [{"name": "u", "password": "p", "project_id": base.PROJECT, "roles": ["member"]}])
        conf = self.new_conf(
            bind_host="127.0.0.1", bind_port=0, http_basic_auth_user_file=str(users), http_basic_max_failures=3,
            http_basic_failure_window=86400,
        )  # fmt: skip
        self.server = server.ApiServer(conf, self.make_app(conf).app)
        self.server.start()
        self.addCleanup(self.server.stop)

    def ask(self, password: str, source: str) -> http.client.HTTPResponse:
        proof = base64.b64encode(f"u:{password}".encode()).decode()
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.server.port, timeout=60, source_address=(source, 0)
        )
        self.addCleanup(connection.close)
        connection.request("GET", f"/v1.0/{base.PROJECT}/flavors", headers={"Authorization": f"Basic {proof}"})
        return connection.getresponse()

    def test_a_guesser_waits_and_locks_nobody_else_out(self) -> None:
        for number in range(3):
            answer = self.ask(f"guess {number}", "127.0.0.2")
            self.assertEqual(401, answer.status)
            self.assertIn("Basic", answer.headers["WWW-Authenticate"])
        for password in ("guess 3", "p"):  # nobody learns whether it was right
            answer = self.ask(password, "127.0.0.2")
            self.assertEqual(429, answer.status)
            self.assertGreater(int(answer.headers["Retry-After"]), 3600)
            fault = json.loads(answer.read())["overLimit"]
            self.assertEqual((429, answer.headers["Retry-After"]), (fault["code"], fault["retryAfter"]))
        self.assertEqual(200, self.ask("p", "127.0.0.3").status)
        self.assertEqual(429, self.ask("p", "127.0.0.2").status)

    def test_a_success_clears(self) -> None:
        for _ in range(3):
            for guess in ("a", "b"):
                self.assertEqual(401, self.ask(guess, "127.0.0.2").status)
            self.assertEqual(200, self.ask("p", "127.0.0.2").status)


class BasicServerTest(base.ApiTestCase):
    def test_a_password_over_the_wire(self) -> None:
        users = self.tempdir() / "users.yaml"
        authn.write_users_file(users, [{"name": "u", "password": "p", "project_id": base.PROJECT, "roles": ["member"]}])
        conf = self.new_conf(bind_host="127.0.0.1", bind_port=0, http_basic_auth_user_file=str(users))
        served = server.ApiServer(conf, self.make_app(conf).app)
        served.start()
        self.addCleanup(served.stop)
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
        self.addCleanup(connection.close)
        for authorization, expected in (("Basic dTpw", 200), ("Basic dTpx", 401), ("", 401)):
            connection.request("GET", f"/v1.0/{base.PROJECT}/flavors", headers={"Authorization": authorization})
            response = connection.getresponse()
            response.read()
            self.assertEqual(expected, response.status)
