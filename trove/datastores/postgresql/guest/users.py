# SPDX-License-Identifier: Apache-2.0
"""Create, change and drop users, and the ``root`` account.

Passwords are turned into SCRAM verifiers here, by libpq, before anything is sent: neither the server nor its log ever
sees one.
"""

from collections.abc import Sequence
from typing import Any

import psycopg2
from psycopg2 import extensions

from trove.common import ids
from trove.datastores import spi
from trove.datastores.postgresql import facts
from trove.datastores.postgresql.guest import scram
from trove.datastores.postgresql.guest.access import (
    MAINTENANCE,
    Access,
    Session,
    end_sessions,
    execute,
    get_database,
    role_exists,
    transaction,
)
from trove.datastores.postgresql.guest.connection import is_away, reason
from trove.wire import command

_DROPPING = facts.GROUP_PREFIX + "dropping:"
#: What root may do without being a superuser: nothing here reaches the server's files or programs. Some came with
#: later versions.
_ROOT_ROLES = ("pg_monitor", "pg_signal_backend", "pg_read_all_data", "pg_write_all_data", "pg_maintain")
#: Before version 16 a role with CREATEROLE could make itself a member of pg_execute_server_program.
_SAFE_CREATEROLE = 160000


def verifier(connection: Any, name: str, password: str) -> str:
    """Return the SCRAM-SHA-256 verifier of ``password``."""
    made: str = extensions.encrypt_password(password, name, connection, "scram-sha-256")
    return made


class Users:
    """Login roles of the instance's owner."""

    def __init__(self, session: Session, access: Access) -> None:
        self._session = session
        self._access = access

    def create(self, specs: Sequence[command.UserSpec]) -> None:
        """Create each user with its access. One that exists with the same password counts as created.

        :raises EngineError: ``user.exists``, ``user.reserved``, ``user.create_failed``, ``database.not_found``; the
        text names the
            user or database. Those before it in the list exist then.
        """
        with self._session(MAINTENANCE) as connection:
            for spec in specs:
                self._create(connection, spec)

    def alter(self, change: command.AlterUser) -> None:
        """Change password and name; access and password survive a new name. A host has no meaning here.

        :raises EngineError: ``user.not_found``, ``user.exists``, ``user.reserved``.
        """
        old, new = change.user.name, change.new_name
        _refuse_reserved(old)
        if new is not None:
            _refuse_reserved(new)
        with self._session(MAINTENANCE) as connection:
            if not role_exists(connection, old):
                if new is None or not _already_renamed(connection, new, change.new_password):
                    raise _not_found(old)
                return
            if new is not None and new != old and role_exists(connection, new):
                raise spi.EngineError("user.exists", f"The user '{new}' exists already.")
            with transaction(connection):
                if change.new_password is not None:
                    secret = verifier(connection, old, change.new_password)
                    execute(connection, "ALTER ROLE {} PASSWORD %s", old, values=(secret,))
                if new is not None and new != old:
                    execute(connection, "ALTER ROLE {} RENAME TO {}", old, new)

    def drop(self, name: str) -> None:
        """Drop a user; its objects go to the groups of their databases. One that is gone counts as dropped.

        The role is first renamed and locked, in one transaction: the name is free and nobody can log in, whatever
        happens next, and what a crash left is found and finished by the next call.

        :raises EngineError: ``user.reserved``.
        """
        _refuse_reserved(name)
        with self._session(MAINTENANCE) as connection:
            rows = execute(connection, "SELECT oid FROM pg_roles WHERE rolname = %s", values=(name,))
            if rows:
                doomed = f"{_DROPPING}{rows[0][0]}"
                with transaction(connection):
                    execute(connection, "ALTER ROLE {} NOLOGIN", name)
                    execute(connection, "ALTER ROLE {} RENAME TO {}", name, doomed)
            for (doomed,) in execute(
                connection, "SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", values=(_DROPPING,)
            ):
                end_sessions(connection, doomed)
                self._access.reassign_or_drop(connection, doomed)

    def grant(self, name: str, databases: Sequence[str]) -> None:
        """Give a user access to databases.

        :raises EngineError: ``user.not_found``, ``user.reserved``, ``database.not_found``: nothing was granted then.
        """
        _refuse_reserved(name)
        with self._session(MAINTENANCE) as connection:
            if not role_exists(connection, name):
                raise _not_found(name)
            self._grant(connection, name, databases)

    def revoke(self, name: str, database: str) -> None:
        """Take a user's access to a database, also from its open connections.

        :raises EngineError: ``user.not_found``, ``user.reserved``, ``database.not_found``.
        """
        _refuse_reserved(name)
        with self._session(MAINTENANCE) as connection:
            if not role_exists(connection, name):
                raise _not_found(name)
            self._access.revoke(connection, name, get_database(connection, database))

    def enable_root(self, password: str) -> None:
        """Make ``root`` and let it in with ``password``."""
        with self._session(MAINTENANCE) as connection, transaction(connection):
            if not role_exists(connection, facts.ROOT):
                execute(connection, "CREATE ROLE {} NOLOGIN", facts.ROOT)
            rights = "CREATEDB CREATEROLE" if connection.server_version >= _SAFE_CREATEROLE else "CREATEDB NOCREATEROLE"
            execute(
                connection,
                f"ALTER ROLE {{}} LOGIN NOSUPERUSER NOREPLICATION NOBYPASSRLS INHERIT {rights} PASSWORD %s",
                facts.ROOT,
                values=(verifier(connection, facts.ROOT, password),),
            )
            predefined = [role for role in _ROOT_ROLES if role_exists(connection, role)]
            for role in [*predefined, *self._access.groups(connection)]:
                execute(connection, "GRANT {} TO {}", role, facts.ROOT)
            # A place to connect to before it has made a database of its own.
            execute(connection, "GRANT CONNECT ON DATABASE {} TO {}", MAINTENANCE, facts.ROOT)

    def disable_root(self) -> None:
        """Lock ``root`` out, end its connections and forget its password; what it owns stays."""
        with self._session(MAINTENANCE) as connection:
            if role_exists(connection, facts.ROOT):
                secret = verifier(connection, facts.ROOT, ids.new_password())
                execute(connection, "ALTER ROLE {} NOLOGIN PASSWORD %s", facts.ROOT, values=(secret,))
                end_sessions(connection, facts.ROOT)

    def set_admin_password(self, password: str) -> None:
        """Replace the password of Trove's own superuser."""
        with self._session(MAINTENANCE) as connection:
            secret = verifier(connection, facts.ADMIN, password)
            execute(connection, "ALTER ROLE {} PASSWORD %s", facts.ADMIN, values=(secret,))

    # -- details
    # ---------------------------------------------------------------------------------------------------------

    def _create(self, connection: Any, spec: command.UserSpec) -> None:
        _refuse_reserved(spec.name)
        databases = [get_database(connection, name).name for name in spec.databases]
        if role_exists(connection, spec.name):
            if not _has_password(connection, spec.name, spec.password):
                raise spi.EngineError("user.exists", f"The user '{spec.name}' exists already.")
        else:
            try:
                execute(
                    connection,
                    "CREATE ROLE {} LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS "
                    "PASSWORD %s",
                    spec.name,
                    values=(verifier(connection, spec.name, spec.password),),
                )
            except psycopg2.Error as err:
                if is_away(err):
                    raise
                raise spi.EngineError(
                    "user.create_failed", f"The user '{spec.name}' could not be created: {reason(err)}."
                ) from err
        self._grant(connection, spec.name, databases)

    def _grant(self, connection: Any, user: str, names: Sequence[str]) -> None:
        databases = [get_database(connection, name) for name in names]
        for database in databases:
            if not role_exists(connection, database.group):
                self._access.ensure_group(connection, database.name)
        with transaction(connection):
            for database in databases:
                self._access.grant(connection, user, database)
        for database in databases:
            self._access.share_new_objects(user, database)


def _has_password(connection: Any, name: str, password: str) -> bool:
    """Tell whether ``name`` is an ordinary user with this password: then it is the one an earlier attempt made."""
    rows = execute(
        connection,
        "SELECT rolpassword FROM pg_authid WHERE rolname = %s AND rolcanlogin AND NOT rolsuper",
        values=(name,),
    )
    return bool(rows) and scram.matches(rows[0][0], password)


def _already_renamed(connection: Any, new: str, password: str | None) -> bool:
    if not role_exists(connection, new):
        return False
    return password is None or _has_password(connection, new, password)


def _refuse_reserved(name: str) -> None:
    if facts.is_reserved_user(name):
        raise spi.EngineError("user.reserved", f"The user name '{name}' is reserved.")


def _not_found(name: str) -> spi.EngineError:
    return spi.EngineError("user.not_found", f"The user '{name}' does not exist.")
