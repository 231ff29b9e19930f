# SPDX-License-Identifier: Apache-2.0
# covers: trove/standalone/demo.py
# covers: trove/standalone/running.py
"""``trove-standalone`` as a process: what it says when it cannot start, two starts at once, a start from anywhere, and
other code than is installed."""

import dataclasses
import http.server
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import trove
from trove.standalone import demo, pidfile, running
from trove.standalone.layout import Layout
from trove.tests import base
from trove.tests.fixtures.server_process import free_port


class TestCommand(base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.layout = Layout(self.tempdir() / "data")
        self.addCleanup(self.command, "down")

    def command(self, *words: str, cwd: pathlib.Path | None = None) -> tuple[int, str]:
        program = str(pathlib.Path(sys.executable).with_name("trove-standalone"))
        done = subprocess.run(
            [program, "--data-dir", str(self.layout.root), *words],
            capture_output=True, text=True, check=False, timeout=120, cwd=cwd,
        )  # fmt: skip
        self.assertNotIn("Traceback", done.stderr)
        return done.returncode, done.stdout + done.stderr

    def test_port_in_use(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            for words in (("up",), ("up", "--detach")):
                code, text = self.command(*words, "--port", port)
                self.assertEqual(1, code)
                self.assertIn(f"port {port} of 127.0.0.1 is in use by ", text)
        self.assertFalse(self.layout.clouds.exists(), "clients must not be sent to somebody else's port")
        self.assertEqual(0, pidfile.running(self.layout.pid))

    def test_the_port_of_another_healthy_service(self) -> None:
        class Another(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"OK")

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Another) as another:
            threading.Thread(target=another.serve_forever, daemon=True).start()
            self.addCleanup(another.shutdown)
            code, text = self.command("up", "--detach", "--port", str(another.server_port))
            self.assertEqual(1, code, text)
            self.assertNotIn("serving on", text)
            self.assertIn("is in use by", text)
            self.assertIn(f"(pid {os.getpid()}); choose another one with --port", text)

    def test_the_guests_port_in_use(self) -> None:
        settings = self.layout.create()
        with socket.create_server(("127.0.0.1", settings.gateway_port)):
            self.assertTrue(20000 <= settings.gateway_port < 32000)  # none that a client may be given
            code, text = self.command("up", "--port", str(free_port()))
        self.assertEqual(1, code)
        self.assertIn(f"port {settings.gateway_port} of 127.0.0.1 is in use by ", text)
        self.assertIn("; the databases of this directory know it", text)

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

    def test_from_the_directory_above_a_checkout_and_after_an_update(self) -> None:
        above = self.tempdir()
        (above / "trove").mkdir()
        port = free_port()
        code, text = self.command("up", "--detach", "--port", str(port), cwd=above)
        self.assertEqual(0, code, text)
        first = running.read(self.layout)
        assert first is not None
        self.assertEqual(("127.0.0.1", port), (first.host, first.port))
        running.write(self.layout, dataclasses.replace(first, code="before the update"))
        self.assertIn("other code is installed than it runs", self.command("status")[1])

        code, text = self.command("up", "--detach", cwd=above)
        self.assertEqual(0, code, text)
        self.assertIn(f"since the service (pid {first.pid}) was started; restarting it, databases go on", text)
        second = running.read(self.layout)
        assert second is not None
        self.assertEqual((first.host, first.port, first.code), (second.host, second.port, second.code))
        self.assertNotEqual(first.pid, second.pid)
        self.assertNotIn("restarting", self.command("up", "--detach", cwd=above)[1])

        log = self.layout.log.read_text()
        self.assertNotRegex(log, re.compile("Traceback|periodic task .* failed"))
        done = subprocess.run(
            [sys.executable, "-m", "trove.standalone", "--help"],
            capture_output=True, text=True, check=False, timeout=60, cwd=above,
        )  # fmt: skip
        self.assertIn("was taken for the package trove", done.stderr)


class TestSmallDisk(base.FunctionalTestCase):
    """A file system that is nearly full; needs root."""

    def setUp(self) -> None:
        super().setUp()
        self.root = self.tempdir() / "small"
        self.root.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(self.root)], capture_output=True, check=False
        )
        if mounted.returncode or not os.path.ismount(self.root):
            self.skipTest("no file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", str(self.root)], check=True)
        self.layout = Layout(self.root / "data")

    def run_it(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        environment["OS_CLIENT_CONFIG_FILE"] = str(self.layout.clouds)
        command = [sys.executable, "-P", "-m", *words[:1], "--data-dir", str(self.layout.root), *words[1:]]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)

    def fill(self) -> None:
        assert os.path.ismount(self.root)
        with open(self.root / "filler", "ab") as filler:
            try:
                while True:
                    os.write(filler.fileno(), bytes(4096))
            except OSError:
                return

    def test_quickstart_does_not_begin_an_installation_that_cannot_end(self) -> None:
        top = pathlib.Path(trove.__file__).resolve().parents[1]
        shutil.copytree(top / "tools" / "lib", self.root / "tools" / "lib")
        shutil.copy(top / "tools" / "quickstart.sh", self.root / "tools")
        for _ in range(2):
            done = subprocess.run(
                [str(self.root / "tools" / "quickstart.sh")], capture_output=True, text=True, check=False, timeout=60
            )
            self.assertEqual((1, ""), (done.returncode, done.stdout))
            self.assertRegex(done.stderr, r"^no space left: an installation needs \d+ MiB, .* free some")
            self.assertEqual(1, len(done.stderr.splitlines()), done.stderr)
        self.assertFalse((self.root / ".venv").exists())

    def test_what_is_wrong_is_said_once_with_the_remedy(self) -> None:
        self.fill()
        done = self.run_it("trove.standalone", "up", "--detach")
        self.assertEqual(1, done.returncode)
        self.assertEqual(1, len(done.stderr.splitlines()), done.stderr)
        self.assertIn("no space left: the service needs 16 MiB", done.stderr)
        (self.root / "filler").unlink()

        self.assertEqual(0, self.run_it("trove.standalone", "up", "--detach", "--port", str(free_port())).returncode)
        self.addCleanup(self.run_it, "trove.standalone", "down")
        done = self.run_it(demo.__name__)
        self.assertEqual(1, done.returncode)
        self.assertEqual(1, len(done.stderr.splitlines()), done.stderr)
        self.assertIn("no space left: a new database needs 256 MiB", done.stderr)
        self.fill()
        done = self.run_it("trove.standalone", "down")
        self.assertEqual(0, done.returncode, "what runs can be stopped on a full disk: " + done.stderr)
        self.assertEqual(0, pidfile.running(self.layout.pid))
