# SPDX-License-Identifier: Apache-2.0

from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import errorcodes, errors

from trove.datastores.postgresql.guest import connection
from trove.tests import base


class TestOptions(base.UnitTestCase):
    def test_a_server_is_told_nothing_that_it_does_not_know(self) -> None:
        for major, known, unknown in (
            (13, "idle_in_transaction_session_timeout", "idle_session_timeout"),
            (15, "idle_session_timeout", "scram_iterations"),
            (16, "scram_iterations", "transaction_timeout"),
        ):
            self.assertIn(f"-c {known}=", connection.options(major))
            self.assertNotIn(f"-c {unknown}=", connection.options(major))
        self.assertIn("-c transaction_timeout=0", connection.options(17))

    def test_a_blank_is_part_of_a_value(self) -> None:
        self.assertIn("-c default_transaction_isolation=read\\ committed -c ", connection.options(18))

    def test_no_secret_in_a_repr(self) -> None:
        self.assertNotIn("hunter2", repr(connection.Address(Path("/s"), 5432, "hunter2", 18)))


WAY = 'connection to server on socket "/srv/i/.s.PGSQL.5432" failed: '


class TestErrors(base.UnitTestCase):
    def of_state(self, state: str) -> Any:
        class Told(errors.lookup(state)):  # type: ignore[misc]
            pgcode = state

        return Told("it says so")

    def test_an_engine_that_is_away(self) -> None:
        for text in (
            f"{WAY}No such file or directory\n\tIs the server running locally?",
            f"{WAY}Connection refused",
            f"{WAY}FATAL:  the database system is starting up",
            f"{WAY}FATAL:  the database system is in recovery mode",
            "server closed the connection unexpectedly\n\tThis probably means …",
        ):
            self.assertTrue(connection.is_away(psycopg2.OperationalError(text)), text)
        self.assertTrue(connection.is_away(psycopg2.InterfaceError("connection already closed")))
        self.assertTrue(connection.is_away(psycopg2.DatabaseError("error with status PGRES_TUPLES_OK")))
        for state in (errorcodes.ADMIN_SHUTDOWN, errorcodes.CRASH_SHUTDOWN, errorcodes.CANNOT_CONNECT_NOW, "08006"):
            self.assertTrue(connection.is_away(self.of_state(state)), state)

    def test_one_that_refuses(self) -> None:
        for text in (f'{WAY}FATAL:  password authentication failed for user "x"', "FATAL:  sorry, too many clients"):
            self.assertFalse(connection.is_away(psycopg2.OperationalError(text)), text)
        self.assertFalse(connection.is_away(psycopg2.ProgrammingError("can't adapt type 'object'")))
        for state in (errorcodes.LOCK_NOT_AVAILABLE, errorcodes.QUERY_CANCELED, errorcodes.DISK_FULL):
            self.assertFalse(connection.is_away(self.of_state(state)), state)

    def test_a_reason_says_nothing_of_the_way_to_the_server(self) -> None:
        for text, reason in (
            (f"{WAY}FATAL:  the database system is starting up", "the database system is starting up"),
            (f"{WAY}Connection refused\n\tIs the server running?", "Connection refused"),
        ):
            self.assertEqual(reason, connection.reason(psycopg2.OperationalError(text)))
