# SPDX-License-Identifier: Apache-2.0
"""Logs of instances: what their guests said of them, what was published, and the tickets that guests upload under.

A ticket is good for one log of one instance, until its time or its bytes are used up or it is closed; a new one takes
the place of the old. Its secret is kept as a hash. Whatever a guest uploads must begin where the row says that the
last upload ended, so that a repeated upload is noticed and changes nothing.
"""

import datetime
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import models
from trove.domain import guest_logs
from trove.objects import base, errors, published_log
from trove.wire import report

_TABLE = base.table_of(models.GuestLog)
_TYPES = frozenset({guest_logs.USER, guest_logs.SYS})
#: No counter of ours grows beyond a column.
_MAX_BYTES = 2**62


class LogRow(NamedTuple):
    """One log; see :class:`trove.db.models.GuestLog`. The ticket's hash is left out."""

    instance_id: str
    name: str
    type: str
    status: str
    enabled: bool | None
    file: str | None
    size_bytes: int
    published_bytes: int
    pending_bytes: int
    position: str | None
    container: str | None
    prefix: str | None
    ticket_id: str | None
    ticket_expires_at: datetime.datetime | None
    ticket_bytes: int
    ticket_objects: int
    ticket_issued_at: datetime.datetime | None


_COLUMNS = [_TABLE.c[name] for name in LogRow._fields]


class Ticket(NamedTuple):
    """A permission to upload. ``repr`` shows no secret.

    :ivar limit: bytes that it is good for.
    """

    ticket_id: str
    secret: str
    expires_at: datetime.datetime
    limit: int

    def __repr__(self) -> str:
        return f"<Ticket {self.ticket_id}>"


def list_rows(session: orm.Session, instance_id: str) -> list[LogRow]:
    """Return the logs of an instance, by name."""
    query = sa.select(*_COLUMNS).where(_TABLE.c.instance_id == instance_id).order_by(_TABLE.c.name)
    return [LogRow._make(row) for row in session.execute(query)]


def get(session: orm.Session, instance_id: str, name: str, *, for_update: bool = False) -> LogRow:
    """Return one log.

    :raises LogNotFound: when the guest has not reported it.
    """
    query = sa.select(*_COLUMNS).where(_TABLE.c.instance_id == instance_id, _TABLE.c.name == name)
    row = session.execute(query.with_for_update() if for_update else query).one_or_none()
    if row is None:
        raise errors.LogNotFound(name)
    return LogRow._make(row)


def record(session: orm.Session, instance_id: str, facts: Iterable[report.LogFact], now: datetime.datetime) -> None:
    """Write what a guest reported of all its logs; those that it no longer names, and those of a type that is not known
    here, are forgotten."""
    known = {row.name: row for row in list_rows(session, instance_id)}
    told = {fact.name: fact for fact in facts if fact.type in _TYPES}
    for name in sorted(set(known) - set(told)):
        session.execute(sa.delete(_TABLE).where(*_is(instance_id, name)))
    for name, fact in sorted(told.items()):
        _record(session, instance_id, known.get(name), fact, now)


def _record(
    session: orm.Session, instance_id: str, row: LogRow | None, fact: report.LogFact, now: datetime.datetime
) -> None:
    published = row.published_bytes if row is not None else 0
    position = row.position if row is not None else None
    if position is None:
        pending, rotated = fact.size, False
    elif fact.position == position:
        pending, rotated = fact.pending, fact.rotated
    else:  # the guest does not know yet of the last upload, or of its loss
        assert row is not None
        pending, rotated = min(row.pending_bytes, fact.size), False
    status = guest_logs.status(
        row.status if row is not None else None,
        guest_logs.Facts(fact.enabled, fact.restart_required, fact.size, published, pending, rotated),
    )
    values: dict[str, Any] = {
        "type": fact.type,
        "status": status,
        "enabled": fact.enabled,
        "file": base.clip(fact.file, 255),
        "size_bytes": min(fact.size, _MAX_BYTES),
        "pending_bytes": min(pending, _MAX_BYTES),
        "updated_at": now,
    }
    if row is not None:
        session.execute(sa.update(_TABLE).where(*_is(instance_id, fact.name)).values(values))
        return
    fresh = {"published_bytes": 0, "ticket_bytes": 0, "ticket_objects": 0}
    session.execute(sa.insert(_TABLE).values(instance_id=instance_id, name=fact.name, **fresh, **values))


def issue(session: orm.Session, row: LogRow, ticket: Ticket, now: datetime.datetime, *, prefix: str) -> None:
    """Let the guest upload under ``ticket``, and under no earlier one.

    :param prefix: how the names of the objects begin.
    """
    session.execute(
        sa.update(_TABLE)
        .where(*_is(row.instance_id, row.name))
        .values(
            prefix=prefix,
            ticket_id=ticket.ticket_id,
            ticket_hash=_hash(ticket.secret),
            ticket_expires_at=ticket.expires_at,
            ticket_bytes=ticket.limit,
            ticket_objects=0,
            ticket_issued_at=now,
        )
    )


def close(session: orm.Session, instance_id: str, name: str, ticket_id: str) -> None:
    """Accept no more uploads under a ticket, and give back what it has reserved; one that was replaced accepts none
    already."""
    published_log.close(session, ticket_id)
    where = (*_is(instance_id, name), _TABLE.c.ticket_id == ticket_id)
    session.execute(sa.update(_TABLE).where(*where).values(ticket_id=None, ticket_hash=None))


def close_all(session: orm.Session, instance_id: str) -> None:
    """Accept no more uploads of an instance's guest."""
    query = sa.select(_TABLE.c.name, _TABLE.c.ticket_id)
    for name, ticket_id in session.execute(
        query.where(_TABLE.c.instance_id == instance_id, _TABLE.c.ticket_id.is_not(None))
    ).all():
        close(session, instance_id, name, ticket_id)


def admitted(
    session: orm.Session, instance_id: str, ticket_id: str, secret: str, now: datetime.datetime
) -> LogRow | None:
    """Return the log that a guest may upload under a ticket; ``None`` when it is wrong, closed or over."""
    columns = (*_COLUMNS, _TABLE.c.ticket_hash)
    query = sa.select(*columns).where(_TABLE.c.instance_id == instance_id, _TABLE.c.ticket_id == ticket_id)
    found = session.execute(query).one_or_none()
    if found is None or found.ticket_hash is None or found.ticket_expires_at <= now:
        return None
    # Hashes of what was sent and of what is known: their comparison tells nothing, but it costs nothing either.
    if not hmac.compare_digest(found.ticket_hash, _hash(secret)):
        return None
    return LogRow._make(found[: len(_COLUMNS)])


class Uploaded(NamedTuple):
    """An upload that is complete in the store.

    :ivar expires_at: when it will be removed.
    :ivar position: up to where the log is published now.
    :ivar restarted: the guest no longer had what followed the position before, and began anew.
    """

    size: int
    position: str
    restarted: bool
    container: str
    expires_at: datetime.datetime


def advance(session: orm.Session, before: LogRow, done: Uploaded, now: datetime.datetime) -> bool:
    """Count an upload that began where ``before`` says.

    :returns: ``False`` when another was counted meanwhile, or the ticket was closed; nothing is written then.
    """
    # UPDATE guest_logs SET ... WHERE instance_id = ? AND name = ? AND ticket_id = ? AND ticket_objects = ? AND position
    # IS NOT DISTINCT FROM ?
    same = _TABLE.c.position.is_(None) if before.position is None else _TABLE.c.position == before.position
    where = (
        *_is(before.instance_id, before.name),
        _TABLE.c.ticket_id == before.ticket_id,
        _TABLE.c.ticket_objects == before.ticket_objects,
        same,
    )
    published = done.size + (0 if done.restarted else before.published_bytes)
    pending = max(0, before.pending_bytes - done.size)
    facts = guest_logs.Facts(before.enabled, False, before.size_bytes, published, pending, False)
    restart = before.status == guest_logs.RESTART_REQUIRED
    statement = sa.update(_TABLE).where(*where).values(
        status=before.status if restart else guest_logs.status(before.status, facts),
        published_bytes=published,
        pending_bytes=pending,
        position=done.position,
        container=done.container,
        ticket_bytes=before.ticket_bytes - guest_logs.cost(done.size),
        ticket_objects=before.ticket_objects + 1,
        updated_at=now,
    )  # fmt: skip
    if base.rows_matched(session, statement) != 1:
        return False
    assert before.ticket_id is not None
    published_log.take(session, before.ticket_id, guest_logs.cost(done.size), done.expires_at)
    return True


def discarded(session: orm.Session, instance_id: str, name: str, now: datetime.datetime) -> None:
    """Nothing of a log is published any more; its next publication begins at the beginning."""
    published_log.discard(session, instance_id, name)
    try:
        row = get(session, instance_id, name, for_update=True)
    except errors.LogNotFound:
        return
    facts = guest_logs.Facts(row.enabled, row.status == guest_logs.RESTART_REQUIRED, row.size_bytes, 0, 0, False)
    session.execute(
        sa.update(_TABLE)
        .where(*_is(instance_id, name))
        .values(
            status=guest_logs.status(None, facts),
            published_bytes=0,
            pending_bytes=row.size_bytes,
            position=None,
            container=None,
            ticket_id=None,
            ticket_hash=None,
            updated_at=now,
        )
    )


def clear(session: orm.Session, instance_id: str) -> None:
    """Forget the logs of an instance."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.instance_id == instance_id))


def names(rows: Sequence[LogRow]) -> list[str]:
    """Return the names of ``rows``."""
    return [row.name for row in rows]


def _is(instance_id: str, name: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (_TABLE.c.instance_id == instance_id, _TABLE.c.name == name)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
