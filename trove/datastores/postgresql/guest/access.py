# SPDX-License-Identifier: Apache-2.0
"""Who may work in which database.

Each database has a *group*, the role ``trove:db:<oid of the database>`` that cannot log in. The group holds every
privilege on the database and owns its schema ``public``; ``PUBLIC`` holds none. A user with access is a member of the
group and acts as the group in that database (``ALTER ROLE … IN DATABASE … SET role``), so what one user makes belongs
to all of them. Default privileges cover a session that has left the group's role (``SET ROLE NONE``; some connection
pools do). The database itself belongs to Trove's superuser: its owner could shut everybody out.

Objects of a user who leaves go to the group, never to a superuser: a function that runs with its owner's rights must
not gain any.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql

from trove.common import clock
from trove.datastores import spi
from trove.datastores.postgresql import facts

#: Opens a superuser's session in the named database; see :func:`trove.datastores.postgresql.guest.connection.session`.
Session = Callable[[str], AbstractContextManager[Any]]

MAINTENANCE = "postgres"
_DATABASE_GROUP = facts.GROUP_PREFIX + "db:"
_DEFAULTS = ("TABLES", "SEQUENCES", "ROUTINES", "TYPES", "SCHEMAS")
#: Seconds that ended sessions get to be gone.
_END_SESSIONS = 10.0


@dataclass(frozen=True)
class Database:
    """A row of ``pg_database``."""

    oid: int
    name: str
    encoding: str
    collation: str
    allows_connections: bool
    is_template: bool

    @property
    def group(self) -> str:
        """Name of the role that holds the rights on this database."""
        return f"{_DATABASE_GROUP}{self.oid}"

    def can_spell(self, name: str) -> bool:
        """Tell whether a role's name can be given inside this database, whose encoding may not have its letters."""
        return self.encoding == "UTF8" or name.isascii()


def execute(connection: Any, statement: str, *names: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    """Run one statement with ``{}`` for quoted names and ``%s`` for quoted values; return its rows, if it has any.

    The driver looks for ``%`` in the whole statement as soon as there are values, also inside quoted names: there it
    must be doubled, or a database called ``%s`` takes a value's place.
    """
    quoted = [sql.Identifier(name).as_string(connection) for name in names]
    if values:
        quoted = [name.replace("%", "%%") for name in quoted]
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(*map(sql.SQL, quoted)), values or None)
        return list(cursor.fetchall()) if cursor.description else []


@contextmanager
def transaction(connection: Any) -> Iterator[None]:
    """Make what happens inside one transaction."""
    execute(connection, "BEGIN")
    try:
        yield
    except BaseException:
        execute(connection, "ROLLBACK")
        raise
    execute(connection, "COMMIT")


def find_database(connection: Any, name: str) -> Database | None:
    """Return the database ``name``, ``None`` when there is none."""
    rows = execute(
        connection,
        "SELECT oid, datname, pg_encoding_to_char(encoding), datcollate, datallowconn, datistemplate "
        "FROM pg_database WHERE datname = %s",
        values=(name,),
    )
    return Database(*rows[0]) if rows else None


def get_database(connection: Any, name: str) -> Database:
    """Return the database ``name``.

    :raises EngineError: ``database.not_found``, also for one that is not the owner's business.
    """
    found = None if facts.is_reserved_database(name) else find_database(connection, name)
    if found is None:
        raise spi.EngineError("database.not_found", f"The database '{name}' does not exist.")
    return found


def role_exists(connection: Any, name: str) -> bool:
    """Tell whether there is a role ``name``."""
    return bool(execute(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", values=(name,)))


def end_sessions(connection: Any, role: str, database: str | None = None) -> None:
    """End the sessions of ``role`` (in ``database``) and wait until they are gone, so that nothing is made behind
    our back.
    """
    deadline = clock.monotonic() + _END_SESSIONS
    while execute(
        connection,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE usename = %s AND (%s::text IS NULL OR datname = %s)",
        values=(role, database, database),
    ):
        if clock.monotonic() > deadline:
            raise spi.EngineError("engine.busy", f"A connection of user '{role}' could not be ended; try again.")
        clock.sleep(0.02)


class Access:
    """Groups and memberships. Every method may be repeated."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ensure_group(self, connection: Any, name: str) -> Database:
        """Make the group of a database and give it its rights; also opens a database that was created closed."""
        database = get_database(connection, name)
        with transaction(connection):
            if not role_exists(connection, database.group):
                execute(connection, "CREATE ROLE {} NOLOGIN INHERIT", database.group)
            execute(connection, "GRANT ALL PRIVILEGES ON DATABASE {} TO {}", name, database.group)
            execute(connection, "REVOKE ALL PRIVILEGES ON DATABASE {} FROM PUBLIC", name)
            if role_exists(connection, facts.ROOT):
                execute(connection, "GRANT {} TO {}", database.group, facts.ROOT)
        if not database.allows_connections:
            execute(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS true", name)
        with self._session(name) as inside, transaction(inside):
            if execute(inside, "SELECT 1 FROM pg_namespace WHERE nspname = 'public'"):
                execute(inside, "ALTER SCHEMA public OWNER TO {}", database.group)
                execute(inside, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        return database

    def grant(self, connection: Any, user: str, database: Database) -> None:
        """Let ``user`` into ``database``: the part in the shared catalogue, fit for a transaction."""
        execute(connection, "GRANT {} TO {}", database.group, user)
        execute(connection, "ALTER ROLE {} IN DATABASE {} SET role = %s", user, database.name, values=(database.group,))

    def share_new_objects(self, user: str, database: Database) -> None:
        """Let the group use what ``user`` makes without acting as the group: the part inside the database."""
        self._default_privileges("GRANT ALL ON {} TO", user, database)

    def revoke(self, connection: Any, user: str, database: Database) -> None:
        """Take ``user`` out of ``database``: at once for open sessions too; what it owns there stays with the group."""
        if role_exists(connection, database.group):
            execute(connection, "REVOKE {} FROM {}", database.group, user)
        execute(connection, "ALTER ROLE {} IN DATABASE {} RESET role", user, database.name)
        execute(connection, "REVOKE ALL PRIVILEGES ON DATABASE {} FROM {}", database.name, user)
        end_sessions(connection, user, database.name)
        if role_exists(connection, database.group) and database.can_spell(user):
            with self._session(database.name) as inside:
                execute(inside, "REASSIGN OWNED BY {} TO {}", user, database.group)
            self._default_privileges("REVOKE ALL ON {} FROM", user, database)

    def reassign_all(self, connection: Any, role: str) -> None:
        """Give everything ``role`` owns, in whatever database, to that database's group, and end all its privileges."""
        for (name,) in execute(
            connection,
            "SELECT d.datname FROM pg_database d JOIN pg_roles r ON d.datdba = r.oid WHERE r.rolname = %s",
            values=(role,),
        ):
            execute(connection, "ALTER DATABASE {} OWNER TO {}", name, facts.ADMIN)
        for (name,) in execute(
            connection,
            "SELECT DISTINCT d.datname FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid "
            "JOIN pg_roles r ON r.oid = s.refobjid WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = %s",
            values=(role,),
        ):
            if facts.is_reserved_database(name):
                with self._session(name) as inside:
                    execute(inside, "DROP OWNED BY {}", role)
                continue
            database = self.ensure_group(connection, name)
            with self._session(name) as inside:
                execute(inside, "REASSIGN OWNED BY {} TO {}", role, database.group)
                execute(inside, "DROP OWNED BY {}", role)
        execute(connection, "DROP OWNED BY {}", role)

    def drop_orphans(self, connection: Any) -> None:
        """Remove groups whose database is gone, so that an oid used again cannot let former members in."""
        for (name,) in execute(
            connection,
            "SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s) "
            "AND substr(rolname, %s) NOT IN (SELECT oid::text FROM pg_database)",
            values=(_DATABASE_GROUP, len(_DATABASE_GROUP) + 1),
        ):
            self.reassign_or_drop(connection, name)

    def reassign_or_drop(self, connection: Any, role: str) -> None:
        """Drop ``role`` for good, after what it owns went to others."""
        self.reassign_all(connection, role)
        execute(connection, "DROP ROLE IF EXISTS {}", role)

    def groups(self, connection: Any) -> list[str]:
        """Return the names of all groups."""
        rows = execute(
            connection, "SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", values=(_DATABASE_GROUP,)
        )
        return [name for (name,) in rows]

    def _default_privileges(self, change: str, user: str, database: Database) -> None:
        if not database.can_spell(user):
            return
        with self._session(database.name) as inside, transaction(inside):
            for kind in _DEFAULTS:
                execute(
                    inside, f"ALTER DEFAULT PRIVILEGES FOR ROLE {{}} {change.format(kind)} {{}}", user, database.group
                )
