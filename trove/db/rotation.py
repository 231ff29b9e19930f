# SPDX-License-Identifier: Apache-2.0
"""Encrypting what is stored anew, under the key and in the format that write now, while services go on.

Every encrypted column of every model is walked, a batch of rows at a time, in the order of the primary key. A row is
written only if it still holds the text that was read, so that a change made meanwhile is never overwritten; whoever
made it has sealed it himself. What is current already is not read at all: an interrupted run is continued by the next
one.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import crypto, sealed
from trove.db.api import Database, retry_on_conflict
from trove.db.models import Base
from trove.db.types import EncryptedJSON, Sealed

#: Characters that begin a text of format 2 and name its key: ``v2.``, the id, a dot.
_HEAD = 20


class Column(NamedTuple):
    """An encrypted column."""

    table: sa.Table
    name: str

    @property
    def label(self) -> str:
        """``table.column``."""
        return f"{self.table.name}.{self.name}"


class Batch(NamedTuple):
    """What became of a batch of rows.

    :ivar looked: how many were not current.
    :ivar written: how many are now; those that somebody else has changed meanwhile are in neither number below.
    :ivar broken: rows, as text, whose value does not open under any key that is configured.
    :ivar position: primary key of the last row; ``None`` when there is no more.
    """

    looked: int
    written: int
    broken: tuple[str, ...]
    position: tuple[Any, ...] | None


class Use(NamedTuple):
    """How many values of a column need a key.

    :ivar key_id: ``None`` for values of format 1, which name none.
    """

    column: str
    key_id: str | None
    values: int


def columns() -> list[Column]:
    """Return every encrypted column of the models."""
    tables = Base.metadata.sorted_tables
    return [Column(table, name) for table in tables for name in sealed.columns(table)]


def uses(session: orm.Session) -> list[Use]:
    """Return how many values each key has sealed, by column."""
    found = []
    for column in columns():
        text = _text(column)
        head = sa.case((text.like("v2.%"), sa.func.substr(text, 1, _HEAD)), else_="")
        query = sa.select(head.label("head"), sa.func.count()).where(text.is_not(None)).group_by(sa.text("head"))
        counted: Counter[str | None] = Counter()
        for start, number in session.execute(query):
            counted[crypto.id_of(start)] += number
        found += [Use(column.label, key_id, number) for key_id, number in sorted(counted.items(), key=str)]
    return found


def keys_fit(session: orm.Session) -> bool:
    """Tell whether the configured keys are those of this database: whether the first value of some column opens, if any
    column has one. A few values that do not open are not what this is about."""
    opened = []
    for column in columns():
        table, cell = column.table, column.table.c[column.name]
        key = tuple(table.primary_key)
        row = session.execute(sa.select(*key, cell).where(cell.is_not(None)).order_by(*key).limit(1)).mappings().first()
        if row is None:
            continue
        try:
            sealed.open_value(table, column.name, row, row[column.name])
        except crypto.DecryptionFailed:
            opened.append(False)
        else:
            opened.append(True)
    return any(opened) or not opened


@retry_on_conflict
def rotate_batch(db: Database, column: Column, after: tuple[Any, ...] | None, limit: int) -> Batch:
    """Encrypt up to ``limit`` values anew that are not current, in one transaction.

    :param after: :attr:`Batch.position` of the batch before, ``None`` to begin.
    """
    keyring = crypto.current()
    table, cell = column.table, column.table.c[column.name]
    key = tuple(table.primary_key)
    query = sa.select(*key, cell).where(cell.is_not(None), _text(column).not_like(f"{keyring.prefix}%"))
    if after is not None:
        query = query.where(sa.tuple_(*key) > sa.tuple_(*after) if len(key) > 1 else key[0] > after[0])
    broken, written = [], 0
    with db.reader() as session:
        rows = session.execute(query.order_by(*key).limit(limit)).mappings().all()
    fresh = []
    for row in rows:
        try:
            value = sealed.open_value(table, column.name, row, row[column.name])
        except crypto.DecryptionFailed as err:
            broken.append(str(err))
        else:
            fresh.append((row, sealed.seal_value(table, column.name, row, value)))
    with db.writer() as session:
        for row, value in fresh:
            written += _replace(session, column, row, value)
    last = tuple(rows[-1][part.name] for part in key) if len(rows) == limit else None
    return Batch(len(rows), written, tuple(broken), last)


def batches(db: Database, column: Column, limit: int) -> Iterator[Batch]:
    """Yield one :class:`Batch` after another, until a column has been walked."""
    position: tuple[Any, ...] | None = None
    while True:
        batch = rotate_batch(db, column, position, limit)
        yield batch
        position = batch.position
        if position is None:
            return


def _replace(session: orm.Session, column: Column, row: sa.RowMapping, value: Sealed) -> int:
    table, cell = column.table, column.table.c[column.name]
    mine = [part == row[part.name] for part in table.primary_key]
    # The text is compared as a whole; its random nonce alone makes it another one after any change.
    statement = sa.update(table).where(*mine, cell == row[column.name]).values({cell: value})
    return cast("sa.CursorResult[Any]", session.execute(statement)).rowcount


def _text(column: Column) -> sa.ColumnElement[str]:
    cell = column.table.c[column.name]
    assert isinstance(cell.type, EncryptedJSON)
    return sa.type_coerce(cell, sa.Text)
