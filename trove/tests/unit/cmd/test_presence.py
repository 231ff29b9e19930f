# SPDX-License-Identifier: Apache-2.0
"""A process that says that it runs."""

import datetime

import trove.conf
from trove.cmd.presence import Presence
from trove.objects import base as objects_base
from trove.objects import service_record
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture


class PresenceTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(objects_base.pin, {})
        self.db = self.useFixture(DatabaseFixture()).db
        self.conf = trove.conf.new([], prog="test", files=[])

    def known(self) -> list[service_record.ServiceRecord]:
        with self.db.reader() as session:
            return service_record.known(session)

    def presence(self) -> Presence:
        return Presence(self.conf, self.db, "trove-api")

    def test_from_start_to_stop(self) -> None:
        presence = self.presence()
        self.assertEqual([], self.known())
        presence.start()
        (found,) = self.known()
        self.assertEqual(("trove-api", self.conf.host), (found.program, found.host))
        self.assertEqual(service_record.stated(), found.versions)
        presence.stop()
        self.assertEqual([], self.known())

    def test_it_writes_as_the_oldest_that_lives_can_read(self) -> None:
        presence = self.presence()
        older = service_record.ServiceRecord(
            "older", "trove-api", "old", 1, "0.9", {"Instance": "1.0"}, *[self.now()] * 2
        )
        with self.db.writer() as session:
            service_record.record(session, older)
        presence.look()
        self.assertEqual("1.0", objects_base.pinned("Instance"))
        with self.db.writer() as session:
            service_record.remove(session, "older")
        presence.reload()
        self.assertEqual(service_record.stated()["Instance"], objects_base.pinned("Instance"))

    def test_who_was_silent_for_long_is_forgotten(self) -> None:
        long_ago = self.now() - datetime.timedelta(seconds=service_record.SHOWN + 1)
        gone = service_record.ServiceRecord("gone", "trove-api", "h", 1, "0.9", {}, long_ago, long_ago)
        with self.db.writer() as session:
            service_record.record(session, gone)
        self.presence().look()
        self.assertEqual(["trove-api"], [item.program for item in self.known()])
        self.assertNotIn("gone", [item.id for item in self.known()])

    def now(self) -> datetime.datetime:
        with self.db.reader() as session:
            return self.db.now(session)
