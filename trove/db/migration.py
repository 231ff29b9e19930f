# SPDX-License-Identifier: Apache-2.0
"""Bring a database to the schema of this release, and tell whether it is there.

A rolling upgrade runs ``upgrade(db, "expand")``, restarts the services one by one, and then runs ``upgrade(db,
"contract")``. A new installation, or one that may stop for a moment, runs ``upgrade(db)``. Each call is one
transaction where the database can do that for DDL (SQLite, PostgreSQL), and two calls at the same time wait for each
other.

>>> upgrade(db)                                                                             # doctest: +SKIP
>>> check(db)                                                                               # doctest: +SKIP
[]
"""

import contextlib
import logging
import pathlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import command, config, migration, script
from alembic.ddl import mysql
from oslo_db import exception as db_exception

from trove.common import clock
from trove.common.backoff import AROUND, Backoff
from trove.db import api, migrations

LOG = logging.getLogger(__name__)

EXPAND = "expand"
CONTRACT = "contract"
BRANCHES = (EXPAND, CONTRACT)

#: PostgreSQL's name for the lock that keeps two upgrades apart; any fixed number does.
_LOCK = 72_656_879
_LOCK_SECONDS = 600
#: How often one statement is tried, and the pauses between.
_ATTEMPTS = 20
_RETRIES = Backoff(first=0.05, cap=1.0, jitter=AROUND)


class PatientMySQL(mysql.MySQLImpl):
    """Alembic's MySQL and MariaDB, which commit each change of a table by itself.

    * A migration that was interrupted is run again and finds a part of what it adds: that is passed over.
    * A change of a table waits for the transactions that use it, and for those that use tables which refer to it; one
      of these may want what the change holds. The statement that the server then breaks off has changed nothing, and
      is repeated.
    """

    __dialect__ = "mysql"

    def create_table(self, table: sa.Table, **kwargs: Any) -> None:
        if not self._inspector.has_table(table.name):
            super().create_table(table, **kwargs)

    def add_column(self, table_name: str, column: sa.Column[Any], **kwargs: Any) -> None:
        if column.name not in {known["name"] for known in self._inspector.get_columns(table_name)}:
            super().add_column(table_name, column, **kwargs)

    def create_index(self, index: sa.Index, **kwargs: Any) -> None:
        assert index.table is not None
        if index.name not in {known["name"] for known in self._inspector.get_indexes(index.table.name)}:
            super().create_index(index, **kwargs)

    @property
    def _inspector(self) -> sa.Inspector:
        assert self.connection is not None
        return sa.inspect(self.connection)  # a new one each time: it remembers what it has seen

    def _exec(self, *args: Any, **kwargs: Any) -> Any:
        for attempt in range(1, _ATTEMPTS):
            try:
                return super()._exec(*args, **kwargs)
            except db_exception.DBDeadlock:
                LOG.warning("A statement of a migration met a deadlock on attempt %d; repeating it", attempt)
                clock.sleep(_RETRIES.delay(attempt))
        return super()._exec(*args, **kwargs)


class MigrationRefused(Exception):
    """The migration was not run; the text says what must come first."""


def alembic_config(connection: sa.Connection | None = None) -> config.Config:
    """Return alembic's configuration for the migrations of this package; no ini file is needed."""
    root = pathlib.Path(migrations.__file__).parent
    result = config.Config()
    locations = [str(root / "versions" / branch) for branch in BRANCHES]
    for name, value in (
        ("script_location", str(root)),
        ("version_locations", "\n".join(locations)),
        ("path_separator", "newline"),
    ):
        result.set_main_option(name, value.replace("%", "%%"))
    result.attributes["connection"] = connection
    return result


def heads() -> tuple[str, ...]:
    """Return the newest revision of each branch that this release knows, sorted."""
    return tuple(sorted(script.ScriptDirectory.from_config(alembic_config()).get_heads()))


def current(db: api.Database) -> tuple[str, ...]:
    """Return the revisions that the database is at, one for each branch, sorted; empty when it has no schema."""
    with db.engine.connect() as connection:
        return tuple(sorted(_current(connection).values()))


def upgrade(db: api.Database, branch: str | None = None) -> None:
    """Run the missing migrations of ``branch``, or of both, expand first.

    :raises MigrationRefused: for ``contract`` before ``expand`` is complete.
    :raises ValueError: for a branch that does not exist.
    """
    if branch is not None and branch not in BRANCHES:
        raise ValueError(f"branch must be one of {BRANCHES}, not {branch!r}")
    for each in BRANCHES if branch is None else (branch,):
        with db.engine.begin() as connection, _alone(connection):
            _refuse_unless_expanded(connection, each)
            command.upgrade(alembic_config(connection), f"{each}@head")


def recreate(db: api.Database) -> None:
    """Remove every table of the database, whoever made it, and make those of this release. Stop all services first."""
    metadata = sa.MetaData()
    metadata.reflect(db.engine)
    metadata.drop_all(db.engine)
    upgrade(db)


def check(db: api.Database) -> list[str]:
    """Return every reason why this release cannot run on the database's schema; an empty list when it can.

    A schema that a newer release has *expanded* is fine, because that is how a rolling upgrade begins.
    """
    with db.engine.connect() as connection:
        found = _current(connection)
    if not found:
        return ["the database has no schema; run: trove-manage db_sync"]
    known = {revision.revision for revision in script.ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    reasons = []
    for head in heads():
        branch = _branch(head)
        at = found.get(branch)
        if at == head or (branch == EXPAND and at is not None and at not in known):
            continue
        if at is not None and at not in known:
            reasons.append(f"the schema was contracted for a newer release ({at}); upgrade this service")
        else:
            where = at or "its beginning"
            reasons.append(f"the {branch} branch is at {where}, not {head}; run: trove-manage db_sync --{branch}")
    return reasons


def _refuse_unless_expanded(connection: sa.Connection, branch: str) -> None:
    if branch == EXPAND:
        return
    at = _current(connection).get(EXPAND)
    if at not in heads():
        raise MigrationRefused(
            f"the expand branch is at {at or 'its beginning'}; run first: trove-manage db_sync --expand"
        )


def _current(connection: sa.Connection) -> dict[str, str]:
    found = migration.MigrationContext.configure(connection).get_current_heads()
    return {_branch(revision): revision for revision in found}


def _branch(revision: str) -> str:  # revisions are named <branch>_<number>
    return revision.partition("_")[0]


@contextlib.contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    """Keep other upgrades out. SQLite needs nothing: the transaction holds the write lock from its beginning."""
    dialect = connection.dialect.name
    if dialect == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    elif (
        dialect == "mysql"
        and connection.scalar(sa.select(sa.func.get_lock(_mysql_lock(connection), _LOCK_SECONDS))) != 1
    ):
        raise MigrationRefused("another migration has been running for a long time; wait for it")
    try:
        yield
    finally:
        if dialect == "mysql":
            connection.execute(sa.select(sa.func.release_lock(_mysql_lock(connection))))


def _mysql_lock(connection: sa.Connection) -> str:
    # MySQL's named locks are the server's, not the database's; 64 characters at most.
    return f"trove-{connection.engine.url.database}"[:64]
