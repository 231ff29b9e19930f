# SPDX-License-Identifier: Apache-2.0

from pathlib import Path

from trove.datastores.mariadb.facts import FAMILY as MARIADB
from trove.datastores.mysql.facts import FAMILY as MYSQL
from trove.datastores.mysql_family import installations
from trove.tests import base

#: As they stand in the programs of Debian 12, trixie and sid.
MARIADB_PROGRAM = b"for example 10.1.1-MariaDB-mariadb1precise-log\0 \0-0+deb12u1\x0010.11.19-MariaDB\0x86_64\0"
MYSQL_PROGRAM = b"19.7.1.1\x008.45.1.2\0--binlog\x009.7.4.0\0listed\0MySQL 9.7.4\0log\0version\0ndb-9.7.4\0"
MYSQL_8_PROGRAM = b"\x00mysqld-8.0\x008.0.41\0Source distribution\0"


class TestFind(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = self.tempdir()
        for folder in ("usr/sbin", "usr/bin", "usr/local/mysql/bin"):
            (self.root / folder).mkdir(parents=True)

    def program(self, path: str, content: bytes) -> None:
        (self.root / path).write_bytes(content)

    def found(self) -> list[list[tuple[str, str]]]:
        return [
            [(item.version, str(item.home)) for item in installations.find(family, self.root)]
            for family in (MARIADB, MYSQL)
        ]

    def test_a_mysqld_that_is_mariadb(self) -> None:
        self.program("usr/sbin/mariadbd", MARIADB_PROGRAM)
        (self.root / "usr/sbin/mysqld").symlink_to("mariadbd")
        (self.root / "usr/bin/mariadbd").symlink_to("/usr/sbin/mariadbd")
        self.assertEqual([[("10.11.19", "/usr")], []], self.found())

    def test_mysql(self) -> None:
        self.program("usr/sbin/mysqld", MYSQL_PROGRAM)
        self.program("usr/local/mysql/bin/mysqld", MYSQL_8_PROGRAM)
        self.assertEqual([[], [("9.7.4", "/usr"), ("8.0.41", "/usr/local/mysql")]], self.found())

    def test_an_unknown_series_is_left_out(self) -> None:
        self.program("usr/sbin/mariadbd", b"\x0010.5.2-MariaDB\0")
        self.program("usr/local/mysql/bin/mysqld", b"")
        self.assertEqual([[], []], self.found())

    def test_the_program_as_the_engine_sees_it(self) -> None:
        self.program("usr/sbin/mariadbd", MARIADB_PROGRAM)
        self.assertEqual(Path("/usr/sbin/mariadbd"), installations.server_program(MARIADB, Path("/usr"), self.root))
        self.assertIsNone(installations.server_program(MYSQL, Path("/usr"), self.root))
