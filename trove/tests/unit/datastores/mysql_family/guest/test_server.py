# SPDX-License-Identifier: Apache-2.0

from pathlib import Path

from trove.datastores.mysql_family.guest import server
from trove.tests import base


class TestProgram(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.own = self.tempdir()
        self.program = server.program(
            Path("/usr/sbin/mysqld"), self.own, Path("/v/mysql"), self.own / "log", lambda: None
        )

    def test_arguments_hold_no_secrets(self) -> None:
        self.assertEqual(
            ("/usr/sbin/mysqld", f"--defaults-file={self.own}/my.cnf", "--datadir=/v/mysql"), self.program.argv
        )
        self.assertIn(self.program.marker, " ".join(self.program.argv))

    def test_the_pid_that_the_server_notes(self) -> None:
        self.assertIsNone(self.program.pid())
        for text, pid in (("", None), ("no number", None), ("4711\n", 4711)):
            (self.own / "mysqld.pid").write_text(text)
            self.assertEqual(pid, self.program.pid())

    def test_nobody_is_ready_without_a_socket(self) -> None:
        self.assertFalse(self.program.ready(1))

    def test_redo_bytes(self) -> None:
        self.assertEqual(0, server.redo_bytes(self.own))
        self.assertIsNone(server.redo_bytes(self.own / "absent"))
        (self.own / "ib_logfile0").write_bytes(b"x" * 10)
        self.assertEqual(10, server.redo_bytes(self.own))
        (self.own / "#innodb_redo").mkdir()
        (self.own / "#innodb_redo" / "#ib_redo7").write_bytes(b"x" * 3)
        self.assertEqual(3, server.redo_bytes(self.own))
