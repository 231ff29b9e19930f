# SPDX-License-Identifier: Apache-2.0
"""Sends the notifications that wait in the outbox, and adds those that come at intervals.

Every taskmanager has one. Which process does what is decided in the database: a sender claims rows, and a periodic
event belongs to whoever moves its mark. A message may be sent twice when a taskmanager dies between sending and
removing; it is never lost, however long the bus is away.
"""

import datetime
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import oslo_messaging as messaging
from oslo_config import cfg
from sqlalchemy.orm import Session

from trove.common import clock, service
from trove.conf import notifications as options
from trove.conf.quota import default_limits
from trove.db.api import Database
from trove.objects import instance_listing, notification, periodic_mark, quota
from trove.objects.scope import Scope
from trove.operations import notifications

LOG = logging.getLogger(__name__)

#: Seconds between two looks into the outbox.
SEND_INTERVAL = 1.0
#: Seconds between two looks whether a period has begun.
LOOK_INTERVAL = 5.0
#: Rows sent, or instances looked at, in one go.
BATCH = 200
#: Seconds that rows belong to a sender. A bus that is away holds it for longer; then they are sent twice.
CLAIM_SECONDS = 300.0

EXISTS = "exists"
QUOTA = "quota"


class Sends(Protocol):
    """Whatever passes a message on to the bus; returns only when the bus has it."""

    def info(self, ctxt: Mapping[str, Any], event_type: str, payload: Mapping[str, Any]) -> None: ...

    def prepare(self, publisher_id: str) -> "Sends": ...


def make_bus(conf: cfg.ConfigOpts) -> Sends:
    """Return oslo.messaging's notifier with the drivers and topics of ``[oslo_messaging_notifications]``."""
    transport = messaging.get_notification_transport(conf)
    bus: Sends = messaging.Notifier(transport, serializer=messaging.JsonPayloadSerializer())
    return bus


class Sender:
    """The outbox of ``db`` on its way to ``bus``."""

    def __init__(self, conf: cfg.ConfigOpts, db: Database, owner: str, bus: Sends) -> None:
        self._conf = conf
        self._db = db
        self._owner = owner
        self._bus = bus

    def send(self) -> int:
        """Send all that waits; return how many messages that were.

        :raises Exception: whatever the bus raised; what was not sent waits for the claim to run out.
        """
        sent = 0
        while batch := self._claim():
            for item in batch:
                self._bus.prepare(publisher_id=item.publisher_id).info({}, item.event_type, item.payload)
            with self._db.writer() as session:
                notification.remove(session, self._owner, [item.sequence for item in batch])
            sent += len(batch)
        return sent

    def _claim(self) -> list[notification.Notification]:
        with self._db.writer() as session:
            return notification.claim(session, self._owner, self._db.now(session), CLAIM_SECONDS, BATCH)

    def look(self) -> None:
        """Add the events of periods that have begun."""
        if self._conf.exists_notifications or self._conf.exists_notification_transformer:
            every = self._conf.exists_notification_interval
            service.attempt("notifying of instances", self._every, EXISTS, every, self._exists)
        if self._conf.quota_notification_interval:
            every = self._conf.quota_notification_interval
            service.attempt("notifying of quotas", self._every, QUOTA, every, self._quotas)

    def _every(self, name: str, interval: int, add: Callable[[Session, periodic_mark.Progress], str | None]) -> None:
        with self._db.reader() as session:
            period = periodic_mark.period_of(self._db.now(session), interval)
        position: str | None = ""
        while position is not None:
            try:
                with self._db.writer() as session:
                    before = periodic_mark.progress(session, name, period)
                    if before is None:
                        return
                    position = add(session, before)
                    if not periodic_mark.advance(session, name, before, position):
                        raise _Overtaken
            except _Overtaken:
                return

    def _exists(self, session: Session, before: periodic_mark.Progress) -> str | None:
        rows = instance_listing.list_rows(session, Scope.ALL, limit=BATCH, marker=before.position or None)
        interval = self._conf.exists_notification_interval
        # The period that has ended; the one that has begun comes at its own end.
        begin, end = (_moment((before.period - n) * interval) for n in (1, 0))
        payloads = [
            {
                **notifications.usage_payload(self._conf, row),
                "audit_period_beginning": begin,
                "audit_period_ending": end,
                "display_name": row.name,
            }
            for row in rows
            if row.launched_at is not None
        ]
        notification.add(session, "trove.instance.exists", self._conf.host, payloads)
        return rows[-1].id if len(rows) == BATCH else None

    def _quotas(self, session: Session, before: periodic_mark.Progress) -> str | None:
        projects = quota.list_projects(session, after=before.position, limit=BATCH)
        now = clock.isoformat(self._db.now(session))
        for project_id in projects:
            in_use = quota.usages(session, project_id)
            for resource, limit in quota.limits(session, project_id, default_limits(self._conf)).items():
                used = {"in_use": in_use.get(resource, 0), "reserved": 0, "limit": limit, "updated": now}
                payload = {"tenant_id": project_id, "resource": resource, **used}
                notification.add(session, "dbaas.quota", self._conf.host, [payload])
        return projects[-1] if len(projects) == BATCH else None


def _moment(seconds: int) -> str:
    return clock.isoformat(datetime.datetime.fromtimestamp(seconds, datetime.UTC))


class _Overtaken(Exception):
    """Another taskmanager sees to this part; rolls the transaction back."""


def parts(conf: cfg.ConfigOpts, db: Database, owner: str) -> list[service.Part]:
    """Return what a taskmanager runs for notifications: nothing unless the operator wants them."""
    if not options.enabled(conf):
        return []
    sender = Sender(conf, db, owner, make_bus(conf))
    return [
        service.Periodic("send-notifications", SEND_INTERVAL, sender.send),
        service.Periodic("add-periodic-notifications", LOOK_INTERVAL, sender.look),
    ]
