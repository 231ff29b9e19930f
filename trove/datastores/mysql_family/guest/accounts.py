# SPDX-License-Identifier: Apache-2.0
"""Accounts and what they may: the words of both sisters for finding, granting and taking away.

A tenant's account holds rights on *databases* only, never on ``*.*``: there ``ALL`` would include writing through
``read_only``, ending others' sessions and stopping the server. The name in such a grant is a pattern and always escaped
(:func:`trove.datastores.mysql_family.facts.escape_pattern`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.constants import ER

from trove.datastores import spi
from trove.datastores.mysql_family import facts
from trove.datastores.mysql_family.guest.connection import code, execute
from trove.datastores.mysql_family.guest.dialect import Account, Dialect


@dataclass(frozen=True)
class Grant:
    """A row of ``mysql.db``: ``pattern`` is as it is stored."""

    user: str
    host: str
    pattern: str


def text(value: object) -> str:
    """Return a column as text; some are declared as bytes."""
    return bytes(value).decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)


def find(dialect: Dialect, connection: Any, user: str, host: str) -> Account | None:
    """Return one account. Users are compared exactly, hosts without regard to case, as the servers do."""
    for account in dialect.accounts(connection):
        if account.user == user and account.host.lower() == host.lower() and not account.is_role:
            return account
    return None


def get(dialect: Dialect, connection: Any, user: str, host: str) -> Account:
    """Return one account.

    :raises EngineError: ``user.not_found``.
    """
    found = find(dialect, connection, user, host)
    if found is None:
        raise not_found(user, host)
    return found


def not_found(user: str, host: str) -> spi.EngineError:
    """Return the error for an account that is not there."""
    return spi.EngineError("user.not_found", f"The user '{user}'@'{host}' does not exist.")


def database_exists(connection: Any, name: str) -> bool:
    """Tell whether there is a database ``name``."""
    return bool(execute(connection, "SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = %s", values=(name,)))


def require_databases(dialect: Dialect, connection: Any, names: Sequence[str]) -> None:
    """Check that all of ``names`` are databases of the owner.

    :raises EngineError: ``database.not_found``.
    """
    for name in names:
        if dialect.family.is_reserved_database(name) or not database_exists(connection, name):
            raise spi.EngineError("database.not_found", f"The database '{name}' does not exist.")


def grants(connection: Any) -> list[Grant]:
    """Return all rights on databases."""
    return [Grant(*map(text, row)) for row in execute(connection, "SELECT User, Host, Db FROM mysql.db")]


def give(connection: Any, user: str, host: str, database: str, *, hand_on: bool = False) -> None:
    """Give an account every right on one database.

    :param hand_on: the account may grant them to others.
    """
    execute(
        connection,
        f"GRANT ALL PRIVILEGES ON {{}}.* TO %s@%s{' WITH GRANT OPTION' if hand_on else ''}",
        facts.escape_pattern(database),
        values=(user, host),
    )


def take(connection: Any, grant: Grant) -> None:
    """Take away what one row of ``mysql.db`` gives; one that is gone is no error."""
    for what in ("GRANT OPTION", "ALL PRIVILEGES"):
        try:
            execute(connection, f"REVOKE {what} ON {{}}.* FROM %s@%s", grant.pattern, values=(grant.user, grant.host))
        except pymysql.Error as err:
            if code(err) not in (ER.NONEXISTING_GRANT, ER.NONEXISTING_TABLE_GRANT):
                raise


def on_database(found: Sequence[Grant], database: str) -> list[Grant]:
    """Return the rows that name exactly this database, not those whose wildcards happen to cover it."""
    exact = {database, facts.escape_pattern(database)}
    return [grant for grant in found if grant.pattern in exact and facts.pattern_matches(grant.pattern, database)]
