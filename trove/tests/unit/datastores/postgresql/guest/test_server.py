# SPDX-License-Identifier: Apache-2.0

import signal
from pathlib import Path

from trove.datastores.postgresql.guest import server
from trove.guestagent.system.process import ChildProcess
from trove.tests import base


class Dead(ChildProcess):
    """A machine on which no process is a server."""

    def is_alive(self, pid: int, marker: str) -> bool:
        return False


class TestProgram(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.data = self.tempdir()
        self.program = server.program(Dead(), Path("/pg"), self.data, self.data / "log")

    def write(self, pid: int, word: str) -> None:
        (self.data / "postmaster.pid").write_text(f"{pid}\n{self.data}\n1\n5432\n/s\n*\n1 1\n{word}\n")

    def test_arguments_and_environment_hold_no_secrets(self) -> None:
        self.assertEqual(("/pg/bin/postgres", "-D", str(self.data)), self.program.argv)
        self.assertEqual({"LC_ALL": "C.UTF-8", "TZ": "UTC"}, self.program.environment())
        self.assertIn(self.program.marker, " ".join(self.program.argv))

    def test_what_the_server_notes_of_itself(self) -> None:
        self.assertIsNone(self.program.pid())
        for word, ready in (("", False), ("starting", False), ("ready", True), ("standby", True), ("stopping", False)):
            self.write(100, word)
            self.assertEqual((100, ready), (self.program.pid(), self.program.ready(100)), word)
        self.assertFalse(self.program.ready(101))

    def test_a_new_server_is_told_to_disregard_a_stale_pid(self) -> None:
        self.write(4711, "ready")
        self.assertEqual("4711", self.program.environment()["PG_GRANDPARENT_PID"])

    def test_it_ends_fast_then_at_once_then_by_force(self) -> None:
        self.assertEqual(
            [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL], [number for number, _ in self.program.stop_stages]
        )

    def test_wal_bytes(self) -> None:
        self.assertIsNone(server.wal_bytes(self.data))
        (self.data / "pg_wal" / "archive_status").mkdir(parents=True)
        (self.data / "pg_wal" / "0001").write_bytes(b"x" * 16)
        self.assertEqual(16, server.wal_bytes(self.data))
