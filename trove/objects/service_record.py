# SPDX-License-Identifier: Apache-2.0
"""Processes of the control plane, and what those that live understand of one another.

Each process states the newest version of everything that crosses between processes (:func:`stated`). The *pins* are the
lowest version of each that a living process states: what is written while a process of the former release runs is
written so that it can read it (:meth:`trove.objects.base.TroveObject.column_values`), and nobody need say when the last
one has gone.
"""

import datetime
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa
from oslo_versionedobjects import base as ovo_base
from sqlalchemy import orm

from trove import objects
from trove.db import models
from trove.objects import base, upsert

_TABLE = base.table_of(models.Service)

#: Seconds after which a process that has said nothing counts as gone.
LIFE = 60.0
#: Seconds that a process which has not removed its row itself is still shown.
SHOWN = 86400.0


class ServiceRecord(NamedTuple):
    """One process; moments are the database's clock."""

    id: str
    program: str
    host: str
    pid: int
    release: str
    versions: Mapping[str, str]
    started_at: datetime.datetime
    seen_at: datetime.datetime

    def lives(self, now: datetime.datetime) -> bool:
        """Tell whether the process has been heard of lately."""
        return (now - self.seen_at).total_seconds() < LIFE


def stated() -> dict[str, str]:
    """Return what this release understands: ``{object name: version}`` of every versioned object."""
    objects.register_all()
    found = ovo_base.VersionedObjectRegistry.obj_classes().items()
    return {name: classes[0].VERSION for name, classes in sorted(found) if issubclass(classes[0], base.TroveObject)}


def record(session: orm.Session, item: ServiceRecord) -> None:
    """Say that a process lives."""
    upsert.upsert(session, _TABLE, [item._asdict()], ["seen_at"])


def remove(session: orm.Session, service_id: str) -> None:
    """Forget a process that has stopped."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.id == service_id))


def forget(session: orm.Session, now: datetime.datetime) -> None:
    """Forget processes that were not heard of for :data:`SHOWN` seconds."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.seen_at < now - datetime.timedelta(seconds=SHOWN)))


def known(session: orm.Session) -> list[ServiceRecord]:
    """Return all processes by program and host, also those that have gone without a word."""
    query = sa.select(*(_TABLE.c[name] for name in ServiceRecord._fields))
    rows = session.execute(query.order_by(_TABLE.c.program, _TABLE.c.host, _TABLE.c.started_at))
    return [ServiceRecord._make(row) for row in rows]


def pins(records: Iterable[ServiceRecord], now: datetime.datetime) -> dict[str, str]:
    """Return the lowest version of each thing that a living process states.

    What a process does not name it does not know, and reads nothing of it.
    """
    lowest: dict[str, str] = {}
    for item in records:
        for name, version in item.versions.items() if item.lives(now) else ():
            lowest[name] = min(lowest.get(name, version), version, key=base.version_key)
    return lowest
