# SPDX-License-Identifier: Apache-2.0
"""A process says that it runs, and of which release it is, and hears of the others."""

import os
from importlib import metadata

from oslo_config import cfg

from trove.common import ids, service
from trove.db.api import Database, retry_on_conflict
from trove.objects import base, service_record

#: Seconds between two words of a process; several fit into :data:`trove.objects.service_record.LIFE`.
INTERVAL = 15.0


class Presence(service.Periodic):
    """Writes the record of this process and pins what it writes to what the oldest living process can read.

    A :class:`trove.common.service.Part`. A process of an older release must not be started again once those of a newer
    one have run without any: nobody has written for it meanwhile.
    """

    def __init__(self, conf: cfg.ConfigOpts, db: Database, program: str) -> None:
        super().__init__("service-record", INTERVAL, self.look)
        self._conf = conf
        self._db = db
        with db.reader() as session:
            now = db.now(session)
        self._record = service_record.ServiceRecord(
            id=ids.new_id(),
            program=program,
            host=conf.host,
            pid=os.getpid(),
            release=metadata.version("trove"),
            versions=service_record.stated(),
            started_at=now,
            seen_at=now,
        )

    def start(self) -> None:
        """Say that this process runs, before anything of it works."""
        self.look()
        super().start()

    def stop(self) -> None:
        """Stop, and forget the record if the database answers."""
        super().stop()
        service.attempt("removing the record of this process", self._remove)

    def reload(self) -> None:
        """What a service does on SIGHUP: read its mutable options again, and look after the other processes now."""
        self._conf.mutate_config_files()
        self.look()

    @retry_on_conflict
    def look(self) -> None:
        """Write the record and take up the others'."""
        with self._db.writer() as session:
            now = self._db.now(session)
            self._record = self._record._replace(seen_at=now)
            service_record.record(session, self._record)
            service_record.forget(session, now)
            found = service_record.pins(service_record.known(session), now)
        base.pin(found)

    def _remove(self) -> None:
        with self._db.writer() as session:
            service_record.remove(session, self._record.id)
