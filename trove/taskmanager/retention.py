# SPDX-License-Identifier: Apache-2.0
"""Removes what is over and was kept as long as ``[retention]`` says, a little at a time.

Every taskmanager looks; each batch belongs to the one that moves the mark over it, in the same transaction. A table is
gone through once in each period, which costs an idle system one small query per table and look, and one for the time.
"""

import datetime
import logging
from typing import NamedTuple

from oslo_config import cfg

from trove.common import service
from trove.db import api
from trove.objects import configuration, periodic_mark
from trove.objects.retention import Page, Sweep, Swept
from trove.workflow import retention

LOG = logging.getLogger(__name__)

#: Seconds between two looks whether there is something to do.
LOOK_INTERVAL = 10.0
#: Seconds in which everything is looked at once.
PERIOD = 86400
#: Rows looked at in one transaction: few enough that nobody waits long for what it has locked.
BATCH = 200
#: Transactions for each table at one look.
BATCHES = 20


class Kept(NamedTuple):
    """Rows of one kind.

    :ivar option: how many days they are kept, in ``[retention]``.
    :ivar mark: name of the mark.
    :ivar what: for the log and for operators.
    """

    option: str
    mark: str
    what: str
    sweep: Sweep


WORKFLOWS = Kept("workflow_days", "retention-workflows", "workflows", retention.sweep_workflows)
COMMANDS = Kept("guest_command_days", "retention-guest-commands", "guest commands", retention.sweep_commands)
HISTORY = Kept(
    "configuration_history_days",
    "retention-configuration-history",
    "former values of configuration groups",
    configuration.sweep_history,
)

#: Commands first: those of a workflow can go once it has ended, whether or not it is still there.
ALL = (COMMANDS, WORKFLOWS, HISTORY)


class Retention:
    """The rows of ``db`` that are over, on their way out."""

    def __init__(self, conf: cfg.ConfigOpts, db: api.Database) -> None:
        self._conf = conf
        self._db = db

    def look(self) -> None:
        """Remove some of what was kept long enough, if there is any."""
        with self._db.reader() as session:
            period = periodic_mark.period_of(self._db.now(session), PERIOD)
        for kept in ALL:
            days = self._conf.retention[kept.option]
            if days:
                service.attempt(f"removing {kept.what} that are over", self._some, kept, days, period)

    def _some(self, kept: Kept, days: int, period: int) -> None:
        with self._db.reader() as session:
            if periodic_mark.is_done(session, kept.mark, period):
                return
        removed = 0
        for _ in range(BATCHES):
            try:
                done = self._batch(kept, days, period)
            except _Overtaken:
                break
            if done is None:
                break
            removed += done.removed
            if done.position is None:
                break
        if removed:
            LOG.info("removed %d %s that were over for more than %d days", removed, kept.what, days)

    def _batch(self, kept: Kept, days: int, period: int) -> Swept | None:
        @api.retry_on_conflict
        def batch() -> Swept | None:
            with self._db.writer() as session:
                before = periodic_mark.progress(session, kept.mark, period)
                if before is None:
                    return None
                limit = self._db.now(session) - datetime.timedelta(days=days)
                done = kept.sweep(session, Page(limit, before.position, BATCH))
                if not periodic_mark.advance(session, kept.mark, before, done.position):
                    raise _Overtaken
                return done

        return batch()


class _Overtaken(Exception):
    """Another taskmanager has done this part; rolls the transaction back."""


def parts(conf: cfg.ConfigOpts, db: api.Database) -> list[service.Part]:
    """Return what a taskmanager runs for retention."""
    return [service.Periodic("retention", LOOK_INTERVAL, Retention(conf, db).look)]
