# SPDX-License-Identifier: Apache-2.0
# covers: trove/httpserver/server.py
# covers: trove/httpserver/sockets.py
"""The life of a server: where it listens, how it holds requests, how it stops."""

import contextlib
import os
import socket
import ssl
import stat
import threading
from collections.abc import Callable
from typing import Any

from trove.httpserver import sockets, wsgi
from trove.tests.fixtures import certificates
from trove.tests.functional.httpserver.base import ServerTestCase, read_all, refusal, statuses

HOLD = b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"


class HoldTest(ServerTestCase):
    def test_a_held_request_occupies_no_thread_and_ends_with_its_client(self) -> None:
        before = threading.active_count()
        clients = [self.connect() for _ in range(50)]
        for client in clients:
            client.sendall(HOLD)
        self.wait_for(lambda: self.application.held == 50, "requests to be held")
        self.assertEqual(before, threading.active_count())
        self.assertEqual(200, self.ask()[0])
        for client in clients:
            client.close()
        self.wait_for(lambda: self.application.gone == 50, "clients to be missed")

    def test_stopping_answers_what_is_held(self) -> None:
        client = self.connect()
        client.sendall(HOLD)
        self.wait_for(lambda: self.application.held, "the request to be held")
        idle = self.connect()
        idle.sendall(b"GET / HT")
        self.server.stop()
        self.assertEqual([200], statuses(read_all(client)))
        self.assertEqual(b"", read_all(idle))
        self.server.stop()

    def test_who_comes_to_be_held_while_the_server_stops_is_answered_too(self) -> None:
        at_work, go_on = threading.Event(), threading.Event()

        def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
            start_response("200 OK", [])
            if wsgi.RESUMED in environ:
                return [b"answered"]
            at_work.set()
            go_on.wait(30)
            environ[wsgi.DEFER]("known", lambda: None)
            return []

        self.application = wsgi.WSGIApplication(app, refusal, max_body=1000, threads=1, queue=1)
        served = self.serve([sockets.TCP("127.0.0.1", 0)], stop_seconds=30.0)
        client = self.connect(port=served.port)
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(at_work.wait(30))
        stopping = threading.Thread(target=served.stop, daemon=True)
        stopping.start()
        with contextlib.suppress(OSError):
            while True:  # until nobody listens any more: the server has begun to stop
                self.connect(port=served.port).close()
        go_on.set()
        self.assertIn(b"answered", read_all(client))
        stopping.join(30)

    def test_stopping_is_bounded(self) -> None:
        self.application.stopping = lambda: None  # type: ignore[method-assign]
        served = self.serve([sockets.TCP("127.0.0.1", 0)], stop_seconds=0.1)
        client = self.connect(port=served.port)
        client.sendall(HOLD)
        self.wait_for(lambda: self.application.held, "the request to be held")
        served.stop()
        self.assertEqual(b"", read_all(client))


class FullTest(ServerTestCase):
    def test_with_all_places_held_newcomers_are_told(self) -> None:
        served = self.serve([sockets.TCP("127.0.0.1", 0)], connections=16, connections_per_peer=16)
        for number in range(15):
            client = self.connect(port=served.port)
            client.sendall(HOLD)
            self.wait_for(lambda number=number: self.application.held > number, "the request to be held")
        for _ in range(3):
            answer = self.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", port=served.port)
            self.assertEqual([503], statuses(answer))
        self.assertEqual(15, self.application.held)


class ListenerTest(ServerTestCase):
    def test_an_address_in_use(self) -> None:
        self.assertRaises(OSError, self.serve, [sockets.TCP("127.0.0.1", self.server.port)])
        free = sockets.TCP("127.0.0.1", 0)
        self.assertRaises(OSError, self.serve, [free, sockets.TCP("127.0.0.1", self.server.port)])

    def test_several_addresses_have_one_port(self) -> None:
        served = None
        while served is None:  # the port that is free on the one may be taken on the other
            with contextlib.suppress(OSError):
                served = self.serve([sockets.TCP("127.0.0.1", 0), sockets.TCP("127.0.0.2", 0)])
        with socket.create_connection(("127.0.0.2", served.port)) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertEqual([200], statuses(read_all(client)))
        self.assertEqual(("127.0.0.2", "127.0.0.2"), (self.application.heads[-1].local[0],) * 2)

    def test_a_unix_socket_with_a_long_path_is_replaced(self) -> None:
        directory = self.tempdir() / ("d" * 120)
        directory.mkdir()
        path = directory / "gateway.sock"
        with contextlib.chdir(directory), socket.socket(socket.AF_UNIX) as stale:
            stale.bind("gateway.sock")
        served = self.serve([sockets.Unix(str(path), mode=0o660)])
        self.assertEqual(0o660, stat.S_IMODE(path.stat().st_mode))
        directory_fd = os.open(directory, os.O_PATH)
        self.addCleanup(os.close, directory_fd)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"/proc/self/fd/{directory_fd}/gateway.sock")
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertEqual([200], statuses(read_all(client)))
        self.assertEqual("", self.application.heads[-1].address)
        served.stop()
        self.assertFalse(path.exists())

    def test_a_file_in_the_way_of_a_socket_is_kept(self) -> None:
        path = self.tempdir() / "precious"
        path.write_text("data")
        self.assertRaises(OSError, self.serve, [sockets.Unix(str(path))])
        self.assertEqual("data", path.read_text())


class TLSTest(ServerTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.authority = certificates.Authority()
        ca = self.tempdir() / "ca.pem"
        ca.write_text(self.authority.pem)
        self.tls = ssl.create_default_context(cafile=str(ca))
        self.files = self.tempdir()
        self.served = self.serve([sockets.TCP("127.0.0.1", 0, tls=self.authority.issue(self.files, "127.0.0.1"))])
        self.serial: object = None

    def ask_tls(self, name: str = "127.0.0.1") -> list[int]:
        with self.connect_tls(name) as client:
            self.serial = client.getpeercert()["serialNumber"]  # type: ignore[index]
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return statuses(read_all(client))

    def test_a_request(self) -> None:
        self.assertEqual([200], self.ask_tls())
        self.assertEqual("https", self.application.heads[-1].scheme)

    def test_a_renewed_certificate_is_taken_without_a_restart(self) -> None:
        self.ask_tls()
        first = self.serial
        kept = self.connect_tls()
        self.authority.issue(self.files, "127.0.0.1")
        self.assertEqual([200], self.ask_tls())
        second = self.serial
        self.assertNotEqual(first, second)
        kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertEqual([200], statuses(read_all(kept)))
        # By name as well as by address, which sends no name.
        self.authority.issue(self.files, "localhost")
        self.assertEqual([200], self.ask_tls("localhost"))
        self.assertNotEqual(second, self.serial)

    def test_what_cannot_be_used_leaves_the_certificate_before(self) -> None:
        self.ask_tls()
        first = self.serial
        certificate, key = self.files / "gateway.crt", self.files / "gateway.key"
        other = certificates.Authority()
        for path, text in ((certificate, "half"), (key, other.pem), (certificate, "")):
            path.write_text(text)
            self.assertEqual([200], self.ask_tls())
            self.assertEqual(first, self.serial)
        certificate.unlink()
        self.assertEqual([200], self.ask_tls())
        self.authority.issue(self.files, "127.0.0.1")
        self.assertEqual([200], self.ask_tls())
        self.assertNotEqual(first, self.serial)

    def connect_tls(self, name: str = "127.0.0.1") -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.served.port), timeout=30)
        self.addCleanup(plain.close)
        client = self.tls.wrap_socket(plain, server_hostname=name)
        self.addCleanup(client.close)
        return client

    def test_silence_stops_nobody_and_ends(self) -> None:
        silent = [self.connect(port=self.served.port) for _ in range(50)]
        silent[1].sendall(b"\x16\x03\x01")
        self.assertEqual([200], self.ask_tls())
        self.assertEqual([b""] * 50, [read_all(client) for client in silent])

    def test_plain_text_and_old_versions_are_refused(self) -> None:
        self.assertEqual([], statuses(self.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", port=self.served.port)))
        self.tls.minimum_version = ssl.TLSVersion.TLSv1
        self.tls.maximum_version = ssl.TLSVersion.TLSv1_1
        self.assertRaises(OSError, self.ask_tls)

    def test_a_certificate_that_is_none(self) -> None:
        path = str(self.tempdir() / "missing.pem")
        self.assertRaises(OSError, self.serve, [sockets.TCP("127.0.0.1", 0, tls=(path, path))])
