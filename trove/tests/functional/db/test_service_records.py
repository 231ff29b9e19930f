# SPDX-License-Identifier: Apache-2.0
"""Records of processes on every database."""

import datetime

from trove.objects import service_record
from trove.tests.functional.db.case import EveryDatabase


class ServiceRecords(EveryDatabase):
    def test_life_of_a_record(self) -> None:
        with self.db.writer() as session:
            now = self.db.now(session)
            first = service_record.ServiceRecord(
                "a", "trove-api", "host", 1, "1.0", {"Instance": "1.1"}, now, now - datetime.timedelta(seconds=100)
            )
            service_record.record(session, first)
            service_record.record(session, first._replace(id="b", program="trove-conductor"))
        with self.db.writer() as session:
            later = self.db.now(session)
            service_record.record(session, first._replace(seen_at=later, release="ignored"))
        with self.db.reader() as session:
            found = service_record.known(session)
        self.assertEqual([("a", "1.0", True), ("b", "1.0", False)], [(r.id, r.release, r.lives(later)) for r in found])
        with self.db.writer() as session:
            service_record.forget(session, later + datetime.timedelta(seconds=service_record.SHOWN - 50))
            self.assertEqual(["a"], [item.id for item in service_record.known(session)])
            service_record.remove(session, "a")
            self.assertEqual([], service_record.known(session))
