# SPDX-License-Identifier: Apache-2.0
"""Create, change and drop users, and give and take access. A user is a name at a host."""

from collections.abc import Sequence
from typing import Any

import pymysql

from trove.datastores import spi
from trove.datastores.mysql_family.guest import accounts
from trove.datastores.mysql_family.guest.connection import Session, end_sessions, execute, is_away, reason
from trove.datastores.mysql_family.guest.dialect import Dialect
from trove.wire import command


class Users:
    """Accounts of the instance's owner."""

    def __init__(self, session: Session, dialect: Dialect) -> None:
        self._session = session
        self._dialect = dialect

    def create(self, specs: Sequence[command.UserSpec]) -> None:
        """Create each user with its access. One that exists with the same password counts as created.

        :raises EngineError: ``user.exists``, ``user.reserved``, ``user.create_failed``, ``database.not_found``; the
            text names the user or database. Those before it in the list exist then.
        """
        with self._session() as connection:
            for spec in specs:
                self._create(connection, spec)

    def alter(self, change: command.AlterUser) -> None:
        """Change password, name and host; access and password survive a new name and host.

        :raises EngineError: ``user.not_found``, ``user.exists``, ``user.reserved``.
        """
        old = change.user
        new_name, new_host = change.new_name or old.name, change.new_host or old.host
        self._refuse_reserved(old.name)
        self._refuse_reserved(new_name)
        moves = (new_name, new_host.lower()) != (old.name, old.host.lower())
        with self._session() as connection:
            target = accounts.find(self._dialect, connection, new_name, new_host) if moves else None
            if accounts.find(self._dialect, connection, old.name, old.host) is None:
                # An earlier attempt may have come to its end; the new password is the proof, where there is one.
                password = change.new_password
                if target is None or (password is not None and not self._dialect.matches(target, password)):
                    raise accounts.not_found(old.name, old.host)
                return
            if target is not None:
                raise spi.EngineError("user.exists", f"The user '{new_name}'@'{new_host}' exists already.")
            if change.new_password is not None:
                clause, values = self._dialect.credential(change.new_password)
                execute(connection, f"ALTER USER %s@%s {clause}", values=(old.name, old.host, *values))
            if moves:
                execute(connection, "RENAME USER %s@%s TO %s@%s", values=(old.name, old.host, new_name, new_host))

    def drop(self, user: command.UserKey) -> None:
        """Drop a user and end its connections; one that is gone counts as dropped.

        :raises EngineError: ``user.reserved``, ``engine.busy``.
        """
        self._refuse_reserved(user.name)
        with self._session() as connection:
            execute(connection, "DROP USER IF EXISTS %s@%s", values=(user.name, user.host))
            end_sessions(connection, user=user.name)

    def grant(self, user: command.UserKey, databases: Sequence[str]) -> None:
        """Give a user access to databases.

        :raises EngineError: ``user.not_found``, ``user.reserved``, ``database.not_found``: nothing was granted then.
        """
        self._refuse_reserved(user.name)
        with self._session() as connection:
            found = accounts.get(self._dialect, connection, user.name, user.host)
            accounts.require_databases(self._dialect, connection, databases)
            for name in databases:
                accounts.give(connection, found.user, found.host, name)

    def revoke(self, user: command.UserKey, database: str) -> None:
        """Take a user's access to a database, also from its open connections.

        :raises EngineError: ``user.not_found``, ``user.reserved``, ``database.not_found``, ``engine.busy``.
        """
        self._refuse_reserved(user.name)
        with self._session() as connection:
            found = accounts.get(self._dialect, connection, user.name, user.host)
            accounts.require_databases(self._dialect, connection, [database])
            for grant in accounts.on_database(accounts.grants(connection), database):
                if (grant.user, grant.host.lower()) == (found.user, found.host.lower()):
                    accounts.take(connection, grant)
            end_sessions(connection, user=found.user)

    def _create(self, connection: Any, spec: command.UserSpec) -> None:
        self._refuse_reserved(spec.name)
        accounts.require_databases(self._dialect, connection, spec.databases)
        found = accounts.find(self._dialect, connection, spec.name, spec.host)
        if found is None:
            clause, values = self._dialect.credential(spec.password)
            try:
                execute(connection, f"CREATE USER %s@%s {clause}", values=(spec.name, spec.host, *values))
            except pymysql.Error as err:
                if is_away(err):
                    raise
                raise spi.EngineError(
                    "user.create_failed", f"The user '{spec.name}' could not be created: {reason(err)}."
                ) from err
        elif not self._dialect.matches(found, spec.password):
            raise spi.EngineError("user.exists", f"The user '{spec.name}'@'{spec.host}' exists already.")
        for name in spec.databases:
            accounts.give(connection, spec.name, spec.host, name)

    def _refuse_reserved(self, name: str) -> None:
        if self._dialect.family.is_reserved_user(name):
            raise spi.EngineError("user.reserved", f"The user name '{name}' is reserved.")
