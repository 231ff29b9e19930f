# SPDX-License-Identifier: Apache-2.0
"""What guests said last of themselves: one narrow row per instance, many written per transaction."""

import datetime
from collections.abc import Collection, Iterable
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import models
from trove.domain import instance_states
from trove.objects import base, upsert

_TABLE = base.table_of(models.Heartbeat)


class HeartbeatRecord(NamedTuple):
    """One guest's heartbeat; ``reported_at`` is when the conductor received it, by its own clock."""

    instance_id: str
    service_status: str
    reported_at: datetime.datetime | None
    reason: str | None = None
    agent_version: str | None = None
    handler_version: str | None = None
    protocol_min: int = 1
    protocol_max: int = 1
    volume_used_bytes: int | None = None
    volume_total_bytes: int | None = None
    wal_bytes: int | None = None


_COLUMNS = [_TABLE.c[name] for name in HeartbeatRecord._fields]
_UPDATED = HeartbeatRecord._fields[1:]


def record(session: orm.Session, records: Iterable[HeartbeatRecord]) -> None:
    """Write heartbeats; of several for one instance the last in order counts, and what is there already stays when it
    was received later.

    The instances must exist: the caller has verified who is speaking.
    """
    latest = {item.instance_id: item._replace(reason=base.clip(item.reason, 255)) for item in records}
    if latest:
        rows = [item._asdict() for item in latest.values()]
        upsert.upsert(session, _TABLE, rows, _UPDATED, unless_newer="reported_at")


def get(session: orm.Session, instance_id: str) -> HeartbeatRecord | None:
    """Return the last heartbeat, or ``None`` when the guest has never reported."""
    row = session.execute(sa.select(*_COLUMNS).where(_TABLE.c.instance_id == instance_id)).one_or_none()
    return None if row is None else HeartbeatRecord._make(row)


def slow(session: orm.Session, instance_ids: Collection[str], now: datetime.datetime) -> None:
    """Note that these guests report more than they may and were slowed down; ``now`` is the database's clock."""
    statement = sa.update(_TABLE).where(_TABLE.c.instance_id.in_(instance_ids))
    session.execute(statement.values(slowed_at=now))


def slowed_since(session: orm.Session, moment: datetime.datetime, limit: int) -> list[tuple[str, datetime.datetime]]:
    """Return id and moment of up to ``limit`` guests that were slowed down at ``moment`` or later, the latest first."""
    query = sa.select(_TABLE.c.instance_id, _TABLE.c.slowed_at).where(_TABLE.c.slowed_at >= moment)
    query = query.order_by(_TABLE.c.slowed_at.desc(), _TABLE.c.instance_id).limit(limit)
    return [(row[0], row[1]) for row in session.execute(query)]


def reset(session: orm.Session, instance_id: str) -> None:
    """Forget what the guest said of its service: nothing is known until its next heartbeat."""
    unknown = HeartbeatRecord(instance_id, instance_states.SERVICE_UNKNOWN, None)
    upsert.upsert(session, _TABLE, [unknown._asdict()], ["service_status", "reason"])


def all_stopped(session: orm.Session) -> None:
    """Write down that every database was stopped on purpose; the next heartbeat of each says what it does then."""
    session.execute(sa.update(_TABLE).values(service_status=instance_states.SERVICE_SHUTDOWN, reason=None))
