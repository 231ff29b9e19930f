# SPDX-License-Identifier: Apache-2.0
"""``trove-manage service list``: who runs, and who has gone."""

import datetime
import json

from trove.db.api import Database
from trove.objects import service_record
from trove.tests.unit.cmd import case


class ManageServiceTest(case.ManageCase):
    def setUp(self) -> None:
        super().setUp()
        self.manage("db_sync")

    def add(self, name: str, silent: float) -> None:
        db = Database(f"sqlite:///{self.database}")
        self.addCleanup(db.dispose)
        with db.writer() as session:
            seen = db.now(session) - datetime.timedelta(seconds=silent)
            row = service_record.ServiceRecord(name, "trove-api", name, 7, "1.0", {"Instance": "1.1"}, seen, seen)
            service_record.record(session, row)

    def test_nobody(self) -> None:
        self.assertEqual(1, len(self.done("service", "list").splitlines()))
        self.assertEqual([], json.loads(self.done("service", "list", "--json")))

    def test_running_and_gone(self) -> None:
        self.add("here", 1)
        self.add("away\nforged", service_record.LIFE + 1)
        heading, *lines = self.done("service", "list").splitlines()
        self.assertEqual(["program", "host", "pid", "release", "state"], heading.split()[:5])
        shown = [(words[1], words[4]) for words in map(str.split, lines)]
        self.assertEqual([("away\\nforged", "gone"), ("here", "running")], shown)
        found = json.loads(self.done("service", "list", "--json"))
        self.assertEqual([{"Instance": "1.1"}] * 2, [item["versions"] for item in found])
