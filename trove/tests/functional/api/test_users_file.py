# SPDX-License-Identifier: Apache-2.0
"""``trove-api`` and ``trove-standalone`` with a users file that cannot be used: one line that says what to do."""

import pathlib
import secrets
import subprocess
import sys

from trove.common import redact
from trove.db import migration
from trove.standalone import pidfile
from trove.standalone.layout import Layout
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.fixtures.server_process import free_port

_SECRET = "swordfish-and-more"
#: What the file holds, its mode (``None``: there is no file), and what the line says.
BROKEN = (
    ("", None, "cannot be read (No such file or directory); make it, with mode 0600"),
    ("[]", 0o644, "must not be accessible by group or others; run: chmod 600"),
    (f"- name: a\n  password_hash: [{_SECRET}\n", 0o600, "is not valid YAML; look at line 3"),
    (f"password: {_SECRET}\n", 0o600, "must hold a list of users, each with a name used only once"),
    (
        f"- {{name: a, password_hash: {_SECRET}, project_id: p, roles: [member]}}\n",
        0o600,
        "entry 1 must have a name used only once and without colon, a password_hash (bcrypt, cost 4 to 16)",
    ),
    (f"\x00{_SECRET}", 0o600, "is not valid YAML"),
)


class Case(base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir()
        self.users = self.directory / "users of the API.yaml"

    def break_file(self, content: str, mode: int | None) -> None:
        self.users.unlink(missing_ok=True)
        if mode is not None:
            self.users.write_text(content)
            self.users.chmod(mode)

    def run_it(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, *words], capture_output=True, text=True, check=False, timeout=120, cwd=self.directory
        )
        return done.returncode, done.stdout + done.stderr

    def assert_one_line(self, code: int, text: str, expected: str) -> None:
        """Require an exit with code 1 after one line of error, with the remedy and without anything of the file."""
        self.assertEqual(1, code, text)
        errors = [line for line in text.splitlines() if line.startswith("error: ")]
        self.assertEqual(1, len(errors), text)
        self.assertIn(f"http_basic_auth_user_file: {self.users}", errors[0])
        self.assertIn(expected, errors[0])
        self.assertNotIn(_SECRET, text)
        self.assertNotIn("Traceback", text)
        self.assertNotIn(redact.MASK, errors[0])


class ApiProcessTest(Case):
    def setUp(self) -> None:
        super().setUp()
        database = self.useFixture(DatabaseFixture("sqlite", create_tables=False))
        migration.upgrade(database.db)
        key = self.directory / "key"
        key.write_text(secrets.token_hex(32))
        key.chmod(0o600)
        self.conf_file = self.directory / "trove.conf"
        self.conf_file.write_text(
            f"[DEFAULT]\ntransport_url = fake://\nbind_host = 127.0.0.1\nbind_port = 0\nauth_strategy = http_basic\n"
            f"http_basic_auth_user_file = {self.users}\n"
            f"[database]\nconnection = {database.url}\n[security]\nkey_encryption_key_file = {key}\n"
        )

    def test_one_line_and_a_failure(self) -> None:
        program = "import sys; from trove.cmd.api import main; sys.exit(main())"
        for content, mode, expected in BROKEN:
            with self.subTest(expected):
                self.break_file(content, mode)
                code, text = self.run_it("-c", program, "--config-file", str(self.conf_file))
                self.assert_one_line(code, text, expected)


class StandaloneProcessTest(Case):
    def setUp(self) -> None:
        super().setUp()
        self.layout = Layout(pathlib.Path(self.directory) / "data")
        self.layout.create_root()
        (self.layout.root / "trove.conf").write_text(f"[DEFAULT]\nhttp_basic_auth_user_file = {self.users}\n")

    def test_one_line_and_a_failure(self) -> None:
        for content, mode, expected in (BROKEN[0], BROKEN[2]):
            self.break_file(content, mode)
            for detached in ((), ("--detach",)):
                with self.subTest((expected, detached)):
                    port = str(free_port())
                    words = ("--data-dir", str(self.layout.root), "up", "--port", port, *detached)
                    self.assert_one_line(*self.run_it("-m", "trove.standalone", *words), expected)
                    self.assertFalse(pidfile.running(self.layout.pid))
