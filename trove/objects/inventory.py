# SPDX-License-Identifier: Apache-2.0
"""Databases and users of each instance, as its guest reported them last. API reads are served from here, never by
asking. Changes are judged by what is :func:`expected`: that, and what was accepted since.

An inventory may have thousands of rows, and a guest decides how often it is another one. It is compared with what is
stored outside of any write transaction (:func:`compare`), and what differs is written in parts, each small enough for a
short transaction (:func:`apply`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import models
from trove.domain import expected_inventory
from trove.domain.expected_inventory import Inventory
from trove.objects import base, errors, guest_command, upsert
from trove.objects.guest_identity import GuestIdentity
from trove.wire import report

_DATABASES = base.table_of(models.InventoryDatabase)
_USERS = base.table_of(models.InventoryUser)


class DatabaseRow(NamedTuple):
    """One database."""

    name: str
    character_set: str | None
    collate: str | None


class UserRow(NamedTuple):
    """One user and the databases it may use."""

    name: str
    host: str
    databases: list[str]


_DATABASE_COLUMNS = [_DATABASES.c[name] for name in DatabaseRow._fields]
_USER_COLUMNS = [_USERS.c[name] for name in UserRow._fields]
#: What tells two rows of an instance apart.
_KEYS = {_DATABASES.name: ("name",), _USERS.name: ("name", "host")}


class Part(NamedTuple):
    """Some of the rows in which a reported inventory differs from the stored one, of one table.

    :ivar gone: keys of rows to delete.
    :ivar changed: rows to insert or to overwrite.
    """

    table: sa.Table
    gone: Sequence[tuple[str, ...]]
    changed: Sequence[DatabaseRow | UserRow]

    @property
    def rows(self) -> int:
        """How many rows it writes."""
        return len(self.gone) + len(self.changed)


def compare(
    session: orm.Session,
    instance_id: str,
    databases: Iterable[report.InventoryDatabase],
    users: Iterable[report.InventoryUser],
    limit: int,
) -> list[Part]:
    """Return how the stored inventory differs from what the guest reported, in parts of up to ``limit`` rows.

    Names with a NUL character are left out: no engine has them and PostgreSQL cannot store them.
    """
    new_databases: dict[tuple[str, ...], Any] = {
        (d.name,): DatabaseRow(d.name, base.clip(d.character_set, 64), base.clip(d.collate, 64))
        for d in databases
        if "\x00" not in d.name
    }
    new_users: dict[tuple[str, ...], Any] = {
        (u.name, u.host): UserRow(u.name, u.host, list(u.databases)) for u in users if "\x00" not in u.name + u.host
    }
    rows = session.execute(sa.select(*_DATABASE_COLUMNS).where(_DATABASES.c.instance_id == instance_id))
    old_databases: dict[tuple[str, ...], Any] = {(row.name,): DatabaseRow._make(row) for row in rows}
    rows = session.execute(sa.select(*_USER_COLUMNS).where(_USERS.c.instance_id == instance_id))
    old_users: dict[tuple[str, ...], Any] = {(row.name, row.host): UserRow._make(row) for row in rows}
    return [
        *_parts(_DATABASES, old_databases, new_databases, limit),
        *_parts(_USERS, old_users, new_users, limit),
    ]


def apply(session: orm.Session, instance_id: str, part: Part) -> None:
    """Write one part of a difference. Safe to repeat."""
    columns = _KEYS[part.table.name]
    if part.gone:
        # DELETE FROM t WHERE instance_id = ? AND (name, host) IN ((?, ?), ...)
        key = sa.tuple_(*(part.table.c[name] for name in columns)) if len(columns) > 1 else part.table.c[columns[0]]
        gone = part.gone if len(columns) > 1 else [name for (name,) in part.gone]
        session.execute(sa.delete(part.table).where(part.table.c.instance_id == instance_id, key.in_(gone)))
    # MySQL compares 'a' and 'a ' as equal; the later one wins there instead of failing the report.
    rows = [{"instance_id": instance_id, **row._asdict()} for row in part.changed]
    if rows:
        upsert.upsert(session, part.table, rows, [n for n in rows[0] if n not in ("instance_id", *columns)])


def clear(session: orm.Session, instance_id: str) -> None:
    """Forget the inventory of an instance."""
    for table in (_DATABASES, _USERS):
        session.execute(sa.delete(table).where(table.c.instance_id == instance_id))


def list_databases(
    session: orm.Session, instance_id: str, *, limit: int, marker: str | None = None
) -> list[DatabaseRow]:
    """Return up to ``limit`` databases with a name above ``marker``, ordered by name."""
    query = sa.select(*_DATABASE_COLUMNS).where(_DATABASES.c.instance_id == instance_id)
    if marker is not None:
        query = query.where(_DATABASES.c.name > marker)
    return [DatabaseRow._make(row) for row in session.execute(query.order_by(_DATABASES.c.name).limit(limit))]


def list_users(
    session: orm.Session, instance_id: str, *, limit: int, marker: tuple[str, str] | None = None
) -> list[UserRow]:
    """Return up to ``limit`` users above ``marker`` (name, host), ordered by name, then host."""
    query = sa.select(*_USER_COLUMNS).where(_USERS.c.instance_id == instance_id)
    if marker is not None:
        name, host = marker
        query = query.where(sa.or_(_USERS.c.name > name, sa.and_(_USERS.c.name == name, _USERS.c.host > host)))
    return [UserRow._make(row) for row in session.execute(query.order_by(_USERS.c.name, _USERS.c.host).limit(limit))]


def expected(
    session: orm.Session, instance_id: str, *, databases: Sequence[str] = (), users: Sequence[str] = ()
) -> Inventory:
    """Return what will be there of the databases and users with these names once all that was accepted is done.

    The guest's row stays locked until the transaction ends: of two requests for the same thing, the second one sees the
    first.

    :raises GuestNotFound: when the instance has no guest.
    """
    GuestIdentity.hold(session, instance_id)
    changes = guest_command.unfinished(session, instance_id)
    named = sorted({*users, *expected_inventory.users_named(changes)})
    found = Inventory(databases=known_databases(session, instance_id, databases))
    query = sa.select(*_USER_COLUMNS).where(_USERS.c.instance_id == instance_id, _USERS.c.name.in_(named))
    found.users = {(row.name, row.host): list(row.databases) for row in session.execute(query)}
    found.apply(changes)
    return found


def known_databases(session: orm.Session, instance_id: str, names: Sequence[str]) -> set[str]:
    """Return those of ``names`` that are databases of the instance; one query."""
    query = sa.select(_DATABASES.c.name).where(_DATABASES.c.instance_id == instance_id, _DATABASES.c.name.in_(names))
    return set(session.scalars(query))


def known_users(session: orm.Session, instance_id: str, names: Sequence[str]) -> set[tuple[str, str]]:
    """Return name and host of every user of the instance with one of ``names``; one query."""
    query = sa.select(_USERS.c.name, _USERS.c.host).where(_USERS.c.instance_id == instance_id, _USERS.c.name.in_(names))
    return {(row.name, row.host) for row in session.execute(query)}


def get_database(session: orm.Session, instance_id: str, name: str) -> DatabaseRow:
    """Return one database.

    :raises DatabaseNotFound: when the guest has not reported it.
    """
    query = sa.select(*_DATABASE_COLUMNS).where(_DATABASES.c.instance_id == instance_id, _DATABASES.c.name == name)
    row = session.execute(query).one_or_none()
    if row is None:
        raise errors.DatabaseNotFound(name)
    return DatabaseRow._make(row)


def get_user(session: orm.Session, instance_id: str, name: str, host: str = "%") -> UserRow:
    """Return one user.

    :raises UserNotFound: when the guest has not reported it.
    """
    where = (_USERS.c.instance_id == instance_id, _USERS.c.name == name, _USERS.c.host == host)
    row = session.execute(sa.select(*_USER_COLUMNS).where(*where)).one_or_none()
    if row is None:
        raise errors.UserNotFound(name, host)
    return UserRow._make(row)


def _parts(
    table: sa.Table, old: Mapping[tuple[str, ...], Any], new: Mapping[tuple[str, ...], Any], limit: int
) -> Iterator[Part]:
    gone = sorted(set(old) - set(new))
    for start in range(0, len(gone), limit):
        yield Part(table, gone[start : start + limit], ())
    changed = [new[key] for key in sorted(new) if old.get(key) != new[key]]
    for start in range(0, len(changed), limit):
        yield Part(table, (), changed[start : start + limit])
