# SPDX-License-Identifier: Apache-2.0
"""``trove-standalone`` as a process: what it says when it cannot start, and two starts at once."""

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from trove.standalone import pidfile
from trove.standalone.layout import Layout
from trove.tests import base
from trove.tests.fixtures.server_process import free_port


class TestCommand(base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.layout = Layout(self.tempdir() / "data")
        self.addCleanup(self.command, "down")

    def command(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "trove.standalone", "--data-dir", str(self.layout.root), *words],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        self.assertNotIn("Traceback", done.stderr)
        return done.returncode, done.stdout + done.stderr

    def test_port_in_use(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            for words in (("up",), ("up", "--detach")):
                code, text = self.command(*words, "--port", port)
                self.assertEqual(1, code)
                self.assertIn(f"port {port} of 127.0.0.1 is in use; choose another one with --port", text)
        self.assertFalse(self.layout.clouds.exists(), "clients must not be sent to somebody else's port")
        self.assertEqual(0, pidfile.running(self.layout.pid))

    def test_the_guests_port_in_use(self) -> None:
        settings = self.layout.create()
        with socket.create_server(("127.0.0.1", settings.gateway_port)):
            self.assertTrue(20000 <= settings.gateway_port < 32000)  # none that a client may be given
            code, text = self.command("up", "--port", str(free_port()))
        self.assertEqual(1, code)
        self.assertIn(f"port {settings.gateway_port} of 127.0.0.1 is in use; the databases", text)

    def test_two_at_once(self) -> None:
        port = str(free_port())
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda _: self.command("up", "--detach", "--port", port), range(2)))
        self.assertIn(0, [code for code, _ in done])
        for code, text in done:
            self.assertIn(f"serving on http://127.0.0.1:{port}/v1.0/" if code == 0 else "already runs", text)
        pid = pidfile.running(self.layout.pid)
        code, text = self.command("up", "--detach", "--port", str(free_port()))
        self.assertEqual(0, code)
        self.assertIn(f"serving on http://127.0.0.1:{port}/v1.0/{self.layout.settings().project_id} (pid {pid})", text)
        self.assertIn("another --host or --port counts once it was stopped", text)
        self.assertNotIn("it was running already", self.command("up", "--detach", "--port", port)[1])
        for expected in ("stopped the service", "the service is not running"):
            code, text = self.command("down")
            self.assertEqual(0, code)
            self.assertIn(expected, text)
            self.assertEqual(0, pidfile.running(self.layout.pid))
