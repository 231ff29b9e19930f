# SPDX-License-Identifier: Apache-2.0
"""What published logs take in the object store, by publication.

A publication *reserves* what its ticket is good for before its guest hears of it; each object takes its size out of the
reservation, and when the ticket is closed, what is left of it is given back. So the limits hold whatever guests do, and
however many publish at once. Objects that have expired, or were discarded, no longer count. A row does not need its
instance or its log: the objects are still there when these are gone.
"""

import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy import orm

from trove.db import models
from trove.domain import guest_logs
from trove.objects import base, quota

_TABLE = base.table_of(models.PublishedLog)


def limits(conf: cfg.ConfigOpts) -> guest_logs.Limits:
    """Return what published logs may take, as the options say."""
    return guest_logs.Limits(
        publication=conf.guest_log_publication_limit,
        instance=conf.guest_log_instance_limit,
        project=conf.guest_log_project_limit,
    )


class Publication(NamedTuple):
    """Whose a publication is."""

    ticket_id: str
    project_id: str
    instance_id: str
    log: str


def use(session: orm.Session, project_id: str, instance_id: str, now: datetime.datetime) -> guest_logs.Use:
    """Return what is stored and reserved of an instance, and of its project with it."""
    return _sum(session, _taken(project_id, now), instance_id)


def _taken(project_id: str, now: datetime.datetime) -> sa.Select[tuple[str, int]]:
    taken = (_TABLE.c.stored_bytes + _TABLE.c.reserved_bytes).label("taken")
    return sa.select(_TABLE.c.instance_id, taken).where(_TABLE.c.project_id == project_id, _TABLE.c.expires_at > now)


def _sum(session: orm.Session, query: sa.Select[tuple[str, int]], instance_id: str) -> guest_logs.Use:
    found = list(session.execute(query))
    own = sum(taken for of, taken in found if of == instance_id)
    return guest_logs.Use(instance=own, project=sum(taken for _, taken in found))


def reserve(
    session: orm.Session,
    publication: Publication,
    most: guest_logs.Limits,
    now: datetime.datetime,
    *,
    expires_at: datetime.datetime,
) -> int:
    """Reserve what a publication may take, and return it; 0 when that is nothing.

    :param most: see :func:`limits`.
    :param expires_at: when objects that are stored under it expire at the earliest.
    """
    quota.lock(session, publication.project_id)  # or two publications would both find the last bytes free
    session.execute(sa.delete(_TABLE).where(_TABLE.c.project_id == publication.project_id, _TABLE.c.expires_at <= now))
    close(session, publication.ticket_id)  # of a step that is run again
    # FOR UPDATE reads what others have committed meanwhile, not an older snapshot of this transaction.
    taken = _taken(publication.project_id, now).with_for_update()
    room = guest_logs.allowance(_sum(session, taken, publication.instance_id), most)
    reserved: dict[str, Any] = {"reserved_bytes": room, "expires_at": expires_at}
    again = sa.update(_TABLE).where(_TABLE.c.ticket_id == publication.ticket_id).values(reserved)
    if not base.rows_matched(session, again):
        session.execute(sa.insert(_TABLE).values(**publication._asdict(), **reserved, stored_bytes=0))
    return room


def take(session: orm.Session, ticket_id: str, size: int, expires_at: datetime.datetime) -> None:
    """Count an object of a publication, which has reserved that much; nothing for one that began before there were
    limits."""
    session.execute(
        sa.update(_TABLE)
        .where(_TABLE.c.ticket_id == ticket_id)
        .values(
            stored_bytes=_TABLE.c.stored_bytes + size,
            reserved_bytes=_TABLE.c.reserved_bytes - size,
            expires_at=expires_at,
        )
    )


def close(session: orm.Session, ticket_id: str) -> None:
    """Give back what a publication has reserved and not taken."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.ticket_id == ticket_id, _TABLE.c.stored_bytes == 0))
    session.execute(sa.update(_TABLE).where(_TABLE.c.ticket_id == ticket_id).values(reserved_bytes=0))


def discard(session: orm.Session, instance_id: str, log: str) -> None:
    """Give back all that a log takes: its objects are gone, and no ticket for it is open."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.instance_id == instance_id, _TABLE.c.log == log))
