# SPDX-License-Identifier: Apache-2.0

from pathlib import Path

import pymysql

from trove.datastores.mysql_family.guest import connection
from trove.tests import base


class Cursor:
    description = None

    def __init__(self) -> None:
        self.seen: list[tuple[str, object]] = []

    def __enter__(self) -> "Cursor":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, statement: str, values: object) -> None:
        self.seen.append((statement, values))


class Connection:
    def __init__(self) -> None:
        self.made = Cursor()

    def cursor(self) -> Cursor:
        return self.made


class TestExecute(base.UnitTestCase):
    def test_names_are_quoted(self) -> None:
        self.assertEqual("`a``; DROP`", connection.quoted("a`; DROP"))

    def test_a_name_never_takes_a_values_place(self) -> None:
        made = Connection()
        connection.execute(made, "GRANT ALL ON {}.* TO %s", "%s` {0}", values=("ann",))
        connection.execute(made, "DROP DATABASE {}", "100%")
        self.assertEqual(
            [("GRANT ALL ON `%%s`` {0}`.* TO %s", ("ann",)), ("DROP DATABASE `100%`", None)], made.made.seen
        )


class TestSettings(base.UnitTestCase):
    def test_one_statement_sets_all(self) -> None:
        statement = connection.init_command({"max_statement_time": "0"})
        self.assertTrue(statement.startswith("SET SESSION lock_wait_timeout = 30, SESSION "))
        self.assertTrue(statement.endswith(", SESSION max_statement_time = 0"))
        self.assertEqual(len(connection.SETTINGS) + 1, statement.count("SESSION"))


class TestErrors(base.UnitTestCase):
    def test_gone_or_refusing(self) -> None:
        self.assertTrue(connection.is_away(pymysql.err.OperationalError(2003, "Can't connect")))
        self.assertTrue(connection.is_away(pymysql.err.InterfaceError(0, "")))
        self.assertTrue(connection.is_away(pymysql.err.OperationalError(2013, "Lost connection")))
        self.assertTrue(connection.is_away(pymysql.err.OperationalError(1053, "Server shutdown in progress")))
        self.assertFalse(connection.is_away(pymysql.err.OperationalError(1045, "Access denied")))
        self.assertFalse(connection.is_away(pymysql.err.OperationalError()))

    def test_a_reason_is_one_line(self) -> None:
        self.assertEqual("first", connection.reason(pymysql.err.ProgrammingError(1064, "first\nsecond")))
        self.assertTrue(connection.reason(pymysql.err.Error()))

    def test_a_reason_is_without_numbers_of_the_system(self) -> None:
        error = pymysql.err.OperationalError(2003, "Can't connect ([Errno 111] Connection refused)")
        self.assertEqual("Can't connect (Connection refused)", connection.reason(error))

    def test_no_secret_in_a_repr(self) -> None:
        self.assertNotIn("hunter2", repr(connection.Address(Path("/s"), "hunter2")))
