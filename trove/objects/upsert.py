# SPDX-License-Identifier: Apache-2.0
"""INSERT that tolerates an existing row, in the words of each database.

SQLite, PostgreSQL::

    INSERT INTO t (...) VALUES (...), (...) ON CONFLICT (key) DO UPDATE SET a = excluded.a

MySQL, MariaDB::

    INSERT INTO t (...) VALUES (...), (...) ON DUPLICATE KEY UPDATE a = VALUES(a)

Where an older row must not replace a newer one, the same statement decides that: ``… DO UPDATE SET … WHERE t.at IS NULL
OR t.at <= excluded.at``, and ``a = IF(t.at IS NULL OR t.at <= VALUES(at), VALUES(a), t.a), …`` where there is no WHERE;
``at`` comes last there, because MySQL assigns from left to right and sees what it has assigned.

Rows are sorted by key first: two transactions that write overlapping sets then wait for each other instead of
deadlocking.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import mysql, postgresql, sqlite

#: Rows in one statement, where it names each of them.
_CHUNK = 500


def upsert(
    session: orm.Session,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    update: Sequence[str],
    *,
    unless_newer: str | None = None,
) -> None:
    """Insert ``rows``; where the primary key exists, set the columns ``update`` to the new values.

    :param rows: one mapping per row, all with the same columns and no key twice (PostgreSQL refuses that).
    :param update: column names; empty means that existing rows stay as they are.
    :param unless_newer: one of them; an existing row with a higher value there stays as it is.
    """
    keys = [column.name for column in table.primary_key]
    ordered = sorted(rows, key=lambda row: [row[k] for k in keys])
    dialect = session.get_bind().dialect.name
    if dialect != "mysql":
        # One statement for any number of rows: to build and compile one that names each row takes SQLAlchemy ten times
        # as long as SQLite needs to run it. The driver of PostgreSQL is given many rows at once all the same.
        if ordered:
            session.execute(_for_each(dialect, table, tuple(update), unless_newer), ordered)
        return
    for start in range(0, len(ordered), _CHUNK):
        session.execute(_statement(dialect, table, ordered[start : start + _CHUNK], (keys, update), unless_newer))


def insert_missing(
    session: orm.Session, table: sa.Table, rows: Sequence[Mapping[str, Any]], key: Sequence[str] | None = None
) -> None:
    """Insert the ``rows`` whose ``key`` (a unique constraint; the primary key unless given) does not exist yet."""
    keys = list(key or [column.name for column in table.primary_key])
    dialect = session.get_bind().dialect.name
    for row in sorted(rows, key=lambda item: [item[k] for k in keys]):
        session.execute(_statement(dialect, table, [row], (keys, ())))


@functools.cache
def _for_each(dialect: str, table: sa.Table, update: tuple[str, ...], unless_newer: str | None) -> sa.Insert:
    """Return the statement for one row; the columns are those that its parameters name."""
    keys = [column.name for column in table.primary_key]
    return _statement(dialect, table, None, (keys, update), unless_newer)


def _statement(
    dialect: str,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]] | None,
    conflict: tuple[Sequence[str], Sequence[str]],
    unless_newer: str | None = None,
) -> sa.Insert:
    keys, update = conflict
    if dialect == "mysql":
        assert rows is not None
        insert = mysql.insert(table).values([dict(row) for row in rows])
        if unless_newer is not None:
            wins = _not_newer(table.c[unless_newer], insert.inserted[unless_newer])
            ordered = sorted(update, key=lambda name: name == unless_newer)
            return insert.on_duplicate_key_update(
                [(n, sa.func.IF(wins, insert.inserted[n], table.c[n])) for n in ordered]
            )
        # An assignment to itself changes nothing; INSERT IGNORE would hide every other error too.
        return insert.on_duplicate_key_update({n: insert.inserted[n] for n in update} or {keys[0]: table.c[keys[0]]})
    maker = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = maker(table)
    if rows is not None:
        statement = statement.values([dict(row) for row in rows])
    if not update:
        return statement.on_conflict_do_nothing(index_elements=list(keys))
    condition = None if unless_newer is None else _not_newer(table.c[unless_newer], statement.excluded[unless_newer])
    return statement.on_conflict_do_update(
        index_elements=list(keys), set_={n: statement.excluded[n] for n in update}, where=condition
    )


def _not_newer(existing: sa.ColumnElement[Any], offered: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.or_(existing.is_(None), existing <= offered)
