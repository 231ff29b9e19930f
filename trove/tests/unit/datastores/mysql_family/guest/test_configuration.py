# SPDX-License-Identifier: Apache-2.0

import contextlib
from collections.abc import Iterator
from typing import Any

import pymysql
from pymysql.constants import CR, ER

from trove.datastores import spi
from trove.datastores.enginelib.lifecycle import NoAnswer
from trove.datastores.mysql_family.guest import configuration
from trove.tests import base


class Server:
    """Has variables; each connection fails at the statements that ``fails`` names, and may be gone then."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {"a": 1, "b": 2, "c": None}
        self.fails: dict[str, int] = {}
        self.answers = True

    @contextlib.contextmanager
    def session(self) -> Iterator["Session"]:
        yield Session(self)

    def probe(self) -> None:
        if not self.answers:
            raise NoAnswer("It hung up.")


class Session:
    """A connection, and its only cursor."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._gone = False
        self._rows: list[tuple[Any, ...]] = []
        self.description: object = None

    def cursor(self) -> "Session":
        return self

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, statement: str, values: tuple[Any, ...] | None) -> None:
        name = statement.split("`")[1]
        self.description = statement.startswith("SELECT") or None
        if self._gone:
            raise pymysql.err.InterfaceError(0, "")
        if self.description:
            self._rows = [(self._server.variables[name],)]
            return
        # It takes the value over before it fails: nobody can tell.
        number = self._server.fails.pop(name, 0)
        if number not in (ER.WRONG_VALUE_FOR_VAR,):
            self._server.variables[name] = values[0] if values else None
        if number:
            self._gone = number == CR.CR_SERVER_LOST
            raise pymysql.err.OperationalError(number, "no")

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows


class TestApply(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.server = Server()
        self.tuning = configuration.Tuning(
            self.tempdir(), self.server.session, None,  # type: ignore[arg-type]  # it remembers nothing
            check=str, probe=self.server.probe, render=str, template=dict,
        )  # fmt: skip

    def apply(self) -> None:
        self.tuning.apply({"a": 10, "b": 20, "c": 30}, ["a", "b", "c"])

    def assert_as_before(self) -> None:
        self.assertEqual({"a": 1, "b": 2, "c": None}, self.server.variables)

    def test_one_that_is_refused_takes_all_back(self) -> None:
        self.server.fails = {"c": ER.WRONG_VALUE_FOR_VAR}
        error = self.assertRaises(spi.EngineError, self.apply)
        self.assertIn("'c'", error.message)
        self.assert_as_before()

    def test_a_connection_that_breaks_takes_all_back_with_another(self) -> None:
        self.server.fails = {"b": CR.CR_SERVER_LOST}
        self.assertRaises(pymysql.err.OperationalError, self.apply)
        self.assert_as_before()

    def test_values_that_keep_the_service_out_are_taken_back(self) -> None:
        self.server.answers = False
        self.assertIn("kept out", self.assertRaises(spi.EngineError, self.apply).message)
        self.assert_as_before()

    def test_one_that_cannot_be_set_back_does_not_stop_the_others(self) -> None:
        self.server.answers = False
        calls = {"b": ER.WRONG_VALUE_FOR_VAR}
        probe = self.server.probe

        def then() -> None:
            self.server.fails = calls
            probe()

        self.server.probe = then  # type: ignore[method-assign]
        self.tuning._probe = then
        self.assertRaises(spi.EngineError, self.apply)
        self.assertEqual({"a": 1, "b": 20, "c": None}, self.server.variables)


class TestSame(base.UnitTestCase):
    def test_truth_is_a_number_or_a_word(self) -> None:
        for found in (1, "ON", "1"):
            for wanted, same in ((True, True), ("ON", True), (1, True), (False, False), ("OFF", False), (0, False)):
                self.assertEqual(same, configuration._same(found, wanted), (found, wanted))

    def test_anything_else_is_compared_as_text(self) -> None:
        self.assertTrue(configuration._same(150, 150))
        self.assertTrue(configuration._same("fsync", "fsync"))
        self.assertFalse(configuration._same(150, 151))
        self.assertFalse(configuration._same(None, "x"))
        self.assertFalse(configuration._same("DEMAND", True))


class TestTyped(base.UnitTestCase):
    def test_values_of_the_template(self) -> None:
        for text, value in (("64M", 64 * 2**20), ("7", 7), ("ON", "ON"), ("2 G", "2 G"), ("1G", 2**30), ("", "")):
            self.assertEqual(value, configuration._typed(text))
