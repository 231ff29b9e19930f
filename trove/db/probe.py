# SPDX-License-Identifier: Apache-2.0
"""Does the database answer? Asked often, by anybody, at a bounded price.

An answer counts for :data:`FRESH` seconds, so that probes cannot load the database. At most one caller waits, for
:data:`PATIENCE` seconds; whoever asks meanwhile gets what was known before. A query that hangs, as behind a network
that drops packets, keeps its thread until the driver gives it up: there are never more than :data:`MOST_PENDING`.
"""

import logging
import threading

import sqlalchemy as sa

from trove.common import clock
from trove.db import models
from trove.db.api import Database

LOG = logging.getLogger(__name__)

#: Seconds for which an answer counts.
FRESH = 1.0
#: Seconds after which a database that has not answered counts as away.
PATIENCE = 2.0
#: Queries that may hang at the same time.
MOST_PENDING = 3

#: From a table: without one, SQLite would answer though its file cannot be read.
_QUERY = sa.select(sa.literal(1)).select_from(models.Datastore).limit(1)


class Probe:
    """Asks one database. Thread-safe.

    :param fresh: see :data:`FRESH`.
    :param patience: see :data:`PATIENCE`.
    """

    def __init__(self, db: Database, *, fresh: float = FRESH, patience: float = PATIENCE) -> None:
        self._db = db
        self._fresh = fresh
        self._patience = patience
        self._lock = threading.Lock()
        self._well = True  # a service does not start without its database
        self._known_at: float | None = None
        self._begun = 0.0
        self._pending = 0
        self._latest = threading.Event()

    def answers(self) -> bool:
        """Tell whether the database answers; takes at most ``patience`` seconds and never raises."""
        now = clock.monotonic()
        with self._lock:
            if self._known_at is not None and now - self._known_at < self._fresh:
                return self._well
            if self._pending and now - self._begun < self._patience:
                return self._well
            if self._pending >= MOST_PENDING:
                return False
            self._pending += 1
            self._begun = now
            latest = self._latest = threading.Event()
        threading.Thread(target=self._ask, args=(latest,), name="database-probe", daemon=True).start()
        if not clock.wait(latest, self._patience):
            self._conclude(latest, "no answer in time")
        with self._lock:
            return self._well

    def _ask(self, mine: threading.Event) -> None:
        failure: str | None = None
        try:
            with self._db.reader() as session:
                session.execute(_QUERY).all()
        except Exception as err:  # boundary: whatever it is, the database is not usable
            failure = type(err).__name__
        with self._lock:
            self._pending -= 1
        self._conclude(mine, failure)
        mine.set()

    def _conclude(self, mine: threading.Event, failure: str | None) -> None:
        """Write down an outcome, and log it when it is another one than before."""
        with self._lock:
            if failure is not None and mine is not self._latest:
                return  # an old query that hung says nothing about the present
            before, self._well, self._known_at = self._well, failure is None, clock.monotonic()
        if before and failure is not None:
            LOG.warning("The database does not answer (%s); the health check says so until it does", failure)
        elif not before and failure is None:
            LOG.info("The database answers again")
