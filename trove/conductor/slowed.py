# SPDX-License-Identifier: Apache-2.0
"""Who is told when a guest reports more than it may (:mod:`trove.conductor.budgets`).

The instance's owner and administrators see it in ``service_status_reason`` and in ``trove-manage guest slowed``, from
the moment in ``heartbeats.slowed_at``; the operator gets one line in the log and one notification,
``dbaas.guest.slowed``, for each :data:`PERIOD` in which it goes on.
"""

import logging

from oslo_config import cfg
from sqlalchemy.orm import Session

from trove.common import clock
from trove.conductor.budgets import Budgets
from trove.conf import notifications
from trove.db.api import Database, retry_on_conflict
from trove.objects import errors, heartbeat, instance_listing, notification
from trove.objects.instance_listing import InstanceRow
from trove.objects.scope import Scope

LOG = logging.getLogger(__name__)

#: Seconds after which it is said again.
PERIOD = 600.0
#: Seconds after which the moment is written again; what is shown stays for longer than this.
_REFRESH = 60.0
#: Guests of one round; a crowd beyond them has its turn in the next one.
_PER_ROUND = 100


class SlowedGuests:
    """Looks who was slowed, from time to time. For one thread."""

    def __init__(self, conf: cfg.ConfigOpts, db: Database, budgets: Budgets) -> None:
        self._conf = conf
        self._db = db
        self._budgets = budgets
        self._next = clock.monotonic()
        #: When each was told of last.
        self._told: dict[str, float] = {}

    def look(self) -> None:
        """Write down and tell who was slowed since the last time."""
        now = clock.monotonic()
        if now < self._next:
            return
        found = self._budgets.slowed(_PER_ROUND)
        if not found:
            return
        self._next = now + (_REFRESH if len(found) < _PER_ROUND else 0)
        self._told = {name: at for name, at in self._told.items() if now - at < PERIOD}
        news = [item for item in found if item.instance_id not in self._told]
        self._write([item.instance_id for item in found], [item.instance_id for item in news])
        for item in news:
            self._told[item.instance_id] = now
            LOG.warning(
                "The guest of instance %s reports more than [guest_bus] guest_message_rate and guest_rows_per_minute "
                "allow and is slowed down: %d messages were put off, %d inventories not written to their end",
                item.instance_id, item.messages, item.inventories,
            )  # fmt: skip

    @retry_on_conflict
    def _write(self, slowed: list[str], news: list[str]) -> None:
        with self._db.writer() as session:
            heartbeat.slow(session, slowed, self._db.now(session))
            if not notifications.enabled(self._conf):
                return  # nobody would ever take them out
            payloads = [_payload(row) for row in (_find(session, item) for item in news) if row is not None]
            notification.add(session, "dbaas.guest.slowed", self._conf.host, payloads)


def _find(session: Session, instance_id: str) -> InstanceRow | None:
    try:
        return instance_listing.get_row(session, Scope.ALL, instance_id, include_deleted=True)
    except errors.InstanceNotFound:
        return None  # purged meanwhile


def _payload(row: InstanceRow) -> dict[str, str]:
    return {"tenant_id": row.project_id, "instance_id": row.id, "instance_name": row.name}
