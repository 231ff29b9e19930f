# SPDX-License-Identifier: Apache-2.0
"""Databases and users of each instance, as its guest reported them last. API reads are served from here, never by
asking. Changes are judged by what is :func:`expected`: that, and what was accepted since."""

from collections.abc import Iterable, Mapping, Sequence
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


def replace(
    session: orm.Session,
    instance_id: str,
    databases: Iterable[report.InventoryDatabase],
    users: Iterable[report.InventoryUser],
) -> None:
    """Make the stored inventory equal to what the guest reported; rows that did not change are not written.

    Names with a NUL character are left out: no engine has them and PostgreSQL cannot store them.
    """
    new_databases: dict[tuple[str, ...], DatabaseRow] = {
        (d.name,): DatabaseRow(d.name, base.clip(d.character_set, 64), base.clip(d.collate, 64))
        for d in databases
        if "\x00" not in d.name
    }
    new_users: dict[tuple[str, ...], UserRow] = {
        (u.name, u.host): UserRow(u.name, u.host, list(u.databases)) for u in users if "\x00" not in u.name + u.host
    }
    old = session.execute(sa.select(*_DATABASE_COLUMNS).where(_DATABASES.c.instance_id == instance_id))
    _synchronise(session, instance_id, _DATABASES, ({(r.name,): DatabaseRow._make(r) for r in old}, new_databases))
    old = session.execute(sa.select(*_USER_COLUMNS).where(_USERS.c.instance_id == instance_id))
    _synchronise(session, instance_id, _USERS, ({(r.name, r.host): UserRow._make(r) for r in old}, new_users))


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


def _synchronise(
    session: orm.Session,
    instance_id: str,
    table: sa.Table,
    change: tuple[Mapping[tuple[str, ...], Any], Mapping[tuple[str, ...], Any]],
) -> None:
    old, new = change
    columns = ("name",) if table is _DATABASES else ("name", "host")
    for key in sorted(set(old) - set(new)):
        where = [table.c[column] == value for column, value in zip(columns, key, strict=True)]
        session.execute(sa.delete(table).where(table.c.instance_id == instance_id, *where))
    # MySQL compares 'a' and 'a ' as equal; the later one wins there instead of failing the report.
    rows = [{"instance_id": instance_id, **row._asdict()} for key, row in new.items() if old.get(key) != row]
    if rows:
        upsert.upsert(session, table, rows, [n for n in rows[0] if n not in ("instance_id", *columns)])
