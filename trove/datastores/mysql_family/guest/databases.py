# SPDX-License-Identifier: Apache-2.0
"""Create and drop databases."""

from collections.abc import Sequence
from typing import Any

import pymysql
from pymysql.constants import ER

from trove.datastores import spi
from trove.datastores.mysql_family import facts
from trove.datastores.mysql_family.collations import full_name
from trove.datastores.mysql_family.guest import accounts
from trove.datastores.mysql_family.guest.connection import Session, code, end_sessions, execute, is_away, reason
from trove.datastores.mysql_family.guest.dialect import Dialect
from trove.wire import command


class Databases:
    """Databases of the instance's owner."""

    def __init__(self, session: Session, dialect: Dialect) -> None:
        self._session = session
        self._dialect = dialect

    def create(self, specs: Sequence[command.DatabaseSpec]) -> None:
        """Create each database. One that exists with the character set and collation asked for counts as created.

        :raises EngineError: ``database.exists``, ``database.reserved``, ``database.character_set``,
            ``database.collation``, ``database.create_failed``; the text names the database. Those before it in the list
            exist then.
        """
        with self._session() as connection:
            root = any(account.user == facts.ROOT for account in self._dialect.accounts(connection))
            for spec in specs:
                self._create(connection, spec)
                if root:
                    accounts.give(connection, facts.ROOT, facts.ANY_HOST, spec.name, hand_on=True)

    def drop(self, name: str) -> None:
        """Drop a database with all rights on it, and end the connections that use it; one that is gone counts as
        dropped.

        Rights outlive a database in these engines: a later one of the same name would be open to former users.

        :raises EngineError: ``database.reserved``, ``engine.busy``.
        """
        self._refuse_reserved(name)
        with self._session() as connection:
            for grant in accounts.on_database(accounts.grants(connection), name):
                accounts.take(connection, grant)
            end_sessions(connection, database=name)
            execute(connection, "DROP DATABASE IF EXISTS {}", name)

    def _create(self, connection: Any, spec: command.DatabaseSpec) -> None:
        self._refuse_reserved(spec.name)
        statement, values = "CREATE DATABASE {}", []
        for clause, value in (("CHARACTER SET", spec.character_set), ("COLLATE", spec.collate)):
            if value is not None:
                statement += f" {clause} %s"
                values.append(value)
        try:
            execute(connection, statement, spec.name, values=tuple(values))
        except pymysql.Error as err:
            if code(err) == ER.DB_CREATE_EXISTS:
                self._require_same(connection, spec)
                return
            if is_away(err):
                raise
            raise _refused(spec, err) from err

    @staticmethod
    def _require_same(connection: Any, spec: command.DatabaseSpec) -> None:
        found = execute(
            connection,
            "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA "
            "WHERE SCHEMA_NAME = %s",
            values=(spec.name,),
        )
        charset, collation = found[0] if found else ("", "")
        if not (
            (spec.character_set is None or full_name(charset) == full_name(spec.character_set))
            and (spec.collate is None or full_name(collation) == full_name(spec.collate))
        ):
            raise spi.EngineError("database.exists", f"The database '{spec.name}' exists already.")

    def _refuse_reserved(self, name: str) -> None:
        if self._dialect.family.is_reserved_database(name):
            raise spi.EngineError("database.reserved", f"The database name '{name}' is reserved.")


def _refused(spec: command.DatabaseSpec, err: pymysql.Error) -> spi.EngineError:
    if code(err) == ER.UNKNOWN_CHARACTER_SET:
        return spi.EngineError(
            "database.character_set", f"There is no character set '{spec.character_set}' for database '{spec.name}'."
        )
    if code(err) in (ER.UNKNOWN_COLLATION, ER.COLLATION_CHARSET_MISMATCH, ER.CONFLICTING_DECLARATIONS):
        return spi.EngineError(
            "database.collation",
            f"The database '{spec.name}' cannot have character set {spec.character_set} and collation {spec.collate}: "
            f"{reason(err)}.",
        )
    return spi.EngineError("database.create_failed", f"The database '{spec.name}' could not be created: {reason(err)}.")
