# SPDX-License-Identifier: Apache-2.0
"""The owner's administrator, ``root@%``: every right inside every database, none over the server.

It holds all rights on the pattern ``%``, so it may make databases of its own, and *without* the right to hand them on:
whoever may hand on a pattern can hand on ``mysql.*`` too. In the grant tables the most specific row wins, alone; so a
row for each of the engine's own databases, with next to nothing in it, keeps them out of the pattern. What it may hand
on are the owner's databases, one row each.

It never holds ``FILE``, ``SUPER``, ``PROCESS``, ``SHUTDOWN``, ``RELOAD`` or rights to change variables of the server.
"""

from typing import Any

from trove.common import ids
from trove.datastores.mysql_family import facts
from trove.datastores.mysql_family.guest import accounts
from trove.datastores.mysql_family.guest.connection import Session, end_sessions, execute
from trove.datastores.mysql_family.guest.dialect import Dialect

ACCOUNT = (facts.ROOT, facts.ANY_HOST)
#: What the rows that shield the engine's own databases give: something, because an empty row is no row.
SHIELDS = (
    "GRANT SHOW VIEW ON `mysql`.*",
    "GRANT SELECT, SHOW VIEW ON `sys`.*",
    "GRANT SELECT, SHOW VIEW ON `performance\\_schema`.*",
)
EVERYTHING = "GRANT ALL PRIVILEGES ON `%%`.*"


class Root:
    """Enables and disables the account."""

    def __init__(self, session: Session, dialect: Dialect) -> None:
        self._session = session
        self._dialect = dialect

    def enable(self, password: str) -> None:
        """Make the account, unlocked, with ``password``. The shields come first: there is no moment without them."""
        clause, values = self._dialect.credential(password)
        with self._session() as connection:
            # Locked until it is complete.
            execute(connection, f"CREATE USER IF NOT EXISTS %s@%s {clause} ACCOUNT LOCK", values=(*ACCOUNT, *values))
            for statement in (*SHIELDS, EVERYTHING, *self._dialect.root_grants()):
                execute(connection, f"{statement} TO %s@%s", values=ACCOUNT)
            for name in owned_databases(self._dialect, connection):
                accounts.give(connection, *ACCOUNT, name, hand_on=True)
            execute(connection, f"ALTER USER %s@%s {clause} ACCOUNT UNLOCK", values=(*ACCOUNT, *values))

    def disable(self) -> None:
        """Lock the account, end its connections and forget its password; views and routines it defined go on."""
        with self._session() as connection:
            if accounts.find(self._dialect, connection, *ACCOUNT) is not None:
                clause, values = self._dialect.credential(ids.new_password())
                execute(connection, f"ALTER USER %s@%s {clause} ACCOUNT LOCK", values=(*ACCOUNT, *values))
            end_sessions(connection, user=facts.ROOT)


def owned_databases(dialect: Dialect, connection: Any) -> list[str]:
    """Return the names of the owner's databases."""
    rows = execute(connection, "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA")
    names = [accounts.text(name) for (name,) in rows]
    return [name for name in names if not dialect.family.is_reserved_database(name)]
