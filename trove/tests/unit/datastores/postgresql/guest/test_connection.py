# SPDX-License-Identifier: Apache-2.0

from pathlib import Path

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
