# SPDX-License-Identifier: Apache-2.0
"""A host whose clock is wrong, beside a database whose clock is right: on every system, nobody notices."""

import datetime

import sqlalchemy as sa
import testscenarios

from trove.common import clock
from trove.db import models
from trove.tests.fixtures.clock import WrongClock
from trove.tests.fixtures.databases import DIALECTS
from trove.tests.functional.api import world

#: Seconds by which the host is ahead.
WRONG = (200.0, 7200.0, -200.0, -7200.0)
#: Moments that are still to come.
_AHEAD = ("wake_at", "send_at", "expires_at", "ticket_expires_at")


class WrongClockTest(testscenarios.WithScenarios, world.InstanceTestCase):
    scenarios = [(dialect, {"dialect": dialect}) for dialect in DIALECTS]

    def setUp(self) -> None:
        self.began = clock.utcnow() - datetime.timedelta(seconds=1)
        super().setUp()

    def test_what_a_guest_said_is_as_old_as_the_database_says(self) -> None:
        instance_id = self.active()
        expiry = self.conf.guest_bus.agent_heartbeat_expiry
        for seconds in WRONG:
            with self.subTest(seconds=seconds), WrongClock(seconds):
                self.guests.beat(instance_id)
                self.look(instance_id, "HEALTHY")
                self.guests.beat(instance_id, age=expiry + 5)
                self.look(instance_id, "ERROR")

    def look(self, instance_id: str, word: str) -> None:
        """Ask everything that depends on how long the guest has been silent."""
        silent = word == "ERROR"
        self.assertEqual(("ACTIVE", word), self.status(instance_id))
        for path, options in (("/instances", {}), ("/instances/detail", {}), ("/mgmt/instances", {"app": self.admin})):
            (listed,) = self.call("GET", path, status=200, **options).json["instances"]
            self.assertEqual(word, listed["operating_status"], path)
        self.assertEqual(silent, "service_status_reason" in self.show(instance_id, version="1.1"))
        ping = f"/mgmt/instances/{instance_id}/rpc_ping"
        answer = self.call("GET", ping, app=self.admin)
        self.assertEqual(silent, answer.status_int >= 400, answer.text)
        body = {"databases": [{"name": "d"}]}
        if silent:
            self.refused("POST", f"/instances/{instance_id}/databases", body, status=422)
            return
        self.call("POST", f"/instances/{instance_id}/databases", body, status=202)
        self.settle()
        self.call("DELETE", f"/instances/{instance_id}/databases/d", status=202)
        self.settle()

    def test_what_is_stored_has_the_databases_time(self) -> None:
        for seconds in WRONG:
            with self.subTest(seconds=seconds), WrongClock(seconds):
                instance_id = self.active(databases=[{"name": "d"}], users=[{"name": "u", "password": "p"}])
                self.call("POST", "/configurations", {"configuration": {"name": "g", "values": {}}}, status=200)
                self.check()
                self.call("DELETE", f"/instances/{instance_id}", status=202)
                self.settle()
                self.check()

    def check(self) -> None:
        """Look at the moments of everything that is stored; all of it was stored since the test began."""
        with self.db.reader() as session:
            until = self.db.now(session)
            for table in models.Base.metadata.sorted_tables:
                for column in (each for each in table.c if each.name.endswith("_at") and each.name not in _AHEAD):
                    for moment in session.scalars(sa.select(column).where(column.is_not(None))):
                        self.assertTrue(self.began <= moment <= until, f"{column}: {moment}")
