# SPDX-License-Identifier: Apache-2.0
"""Going through a table in order of age, a page at a time, to remove what was kept long enough.

What a page finds too young to matter is never read: the statement walks an index over a moment and the primary key, in
both of which it begins where the page before ended. Rows that must stay although they are old are passed over, so a
page may remove fewer rows than it looked at, or none.
"""

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy import orm

#: Between the parts of a position; neither a moment nor an id has one.
_MARK = " "


class Page(NamedTuple):
    """What one step of a walk is about.

    :ivar before: only rows whose moment is before this one (the database's clock, naive UTC).
    :ivar after: where the page before ended, empty for the beginning.
    :ivar limit: how many rows to look at.
    :ivar dry: only count what would be removed.
    """

    before: datetime.datetime
    after: str
    limit: int
    dry: bool = False


class Swept(NamedTuple):
    """What one step did.

    :ivar position: where the next one begins, ``None`` when this one has come to the end.
    """

    looked: int
    removed: int
    position: str | None


class Sweep(Protocol):
    """One step of a walk through one table, in the caller's transaction; only what it removes is locked."""

    def __call__(self, session: orm.Session, page: Page) -> Swept: ...


def old(
    session: orm.Session, moment: sa.Column[Any], keys: Sequence[sa.Column[Any]], page: Page, *also: sa.Column[Any]
) -> tuple[list[Any], str | None]:
    """Return the rows of ``page`` with ``keys`` and ``also``, oldest first, and where the next page begins (``None``:
    there is none).

    :param keys: the first of them text, and unique together with the moment and the others.
    """
    # SELECT keys, moment FROM table WHERE moment < :before AND moment >= :m AND (moment > :m OR keys > :k) ORDER BY …
    query = sa.select(*keys, moment, *also).where(moment < page.before)
    if page.after:
        text, *values = page.after.split(_MARK)
        last = datetime.datetime.fromisoformat(text)
        # Not a comparison of rows, (moment, key) > (…, …), for which MySQL and MariaDB would read the whole index.
        query = query.where(moment >= last, sa.or_(moment > last, _above(keys, values)))
    rows = list(session.execute(query.order_by(moment, *keys).limit(page.limit)))
    if len(rows) < page.limit:
        return rows, None
    *values, last = rows[-1][: len(keys) + 1]
    return rows, _MARK.join([last.isoformat(), *map(str, values)])


def _above(keys: Sequence[sa.Column[Any]], values: Sequence[str]) -> sa.ColumnElement[bool]:
    key, value = keys[0], keys[0].type.python_type(values[0])
    if len(keys) == 1:
        return key > value
    return sa.or_(key > value, sa.and_(key == value, _above(keys[1:], values[1:])))
