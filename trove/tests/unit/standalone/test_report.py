# SPDX-License-Identifier: Apache-2.0
"""Looking at a data directory, whether or not its service runs."""

import datetime
import os

from trove.standalone import code, control, credentials, pidfile, report, running
from trove.standalone.layout import Layout, Settings
from trove.tests import base
from trove.tests.fixtures.rows import make_instance


class TestReport(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.layout = Layout(self.tempdir() / "data")

    def run_service(self) -> None:
        """Be the service of the data directory."""
        lock = pidfile.PidFile(self.layout.pid)
        lock.acquire()
        self.addCleanup(lock.release)

    def test_nothing_was_ever_started(self) -> None:
        document = report.status(self.layout)
        seen = tuple(document[key] for key in ("running", "ready", "pid", "endpoint", "instances"))
        self.assertEqual((False, False, None, "-", []), seen)
        self.assertIn("service    not running", list(report.render(document)))
        self.assertFalse(self.layout.root.exists())

    def test_a_database_without_schema_or_that_is_none(self) -> None:
        self.layout.create_root()
        self.layout.database.touch()
        self.assertEqual([], report.status(self.layout)["instances"])
        self.layout.database.write_text("junk " * 1000)
        err = self.assertRaises(report.Unreadable, report.status, self.layout)
        self.assertIn(str(self.layout.database), str(err))

    def test_endpoint(self) -> None:
        self.layout.create_root()
        credentials.write(self.layout, Settings("p", "hunter2", 1), control.base_url("::1", 80))
        self.assertEqual("http://[::1]:80/v1.0/p", report.endpoint(self.layout))
        credentials.write(self.layout, Settings("p", "hunter2", 1), control.base_url("::1", 80), "keystone")
        self.assertEqual("http://[::1]:80/v1.0", report.endpoint(self.layout))
        self.layout.endpoint.write_bytes(b"\xff")
        self.assertEqual("-", report.endpoint(self.layout))

    def make_instance(self, **more: str) -> str:
        from trove.db import migration
        from trove.db.api import Database
        from trove.objects import heartbeat

        db = Database(f"sqlite:///{self.layout.database}")
        self.addCleanup(db.dispose)
        migration.upgrade(db)
        with db.writer() as session:
            addresses = [{"address": "127.64.0.1", "type": "private"}]
            made = make_instance(session, addresses=addresses, port=5432, **more)
            heartbeat.record(session, [heartbeat.HeartbeatRecord(made.id, "healthy", datetime.datetime(2026, 5, 2, 8))])
        return str(made.id)

    def test_what_a_stopped_service_has_said_last_is_history(self) -> None:
        self.layout.create_root()
        instance_id = self.make_instance()
        (shown,) = report.status(self.layout)["instances"]
        seen = tuple(shown[key] for key in ("id", "status", "service_status", "engine_runs", "address", "port"))
        self.assertEqual((instance_id, "STOPPED", None, False, "127.64.0.1", 5432), seen)
        self.assertEqual(
            {"status": "BUILD", "service_status": "healthy", "at": "2026-05-02T08:00:00Z"}, shown["last_known"]
        )
        line = (
            f"instance   {instance_id} db: stopped, last known as BUILD, healthy at 2026-05-02T08:00:00Z, "
            f"postgresql 16, 127.64.0.1:5432"
        )
        self.assertIn(line, list(report.render(report.status(self.layout))))

    def test_names_of_tenants_stay_on_their_line(self) -> None:
        self.layout.create_root()
        instance_id = self.make_instance(name="x\ninstance   forged\x1b[2J")
        lines = list(report.render(report.status(self.layout)))
        self.assertIn(f"instance   {instance_id} x\\ninstance   forged\\x1b[2J: ", "".join(lines))
        self.assertTrue(all(line.isprintable() for line in lines))

    def test_healthy_needs_an_engine_that_runs(self) -> None:
        self.layout.create_root()
        self.make_instance()
        self.run_service()
        (shown,) = report.status(self.layout)["instances"]
        self.assertEqual(
            ("BUILD", "healthy", False), tuple(shown[k] for k in ("status", "service_status", "engine_runs"))
        )
        self.assertIn("its engine does not run, last known as", "\n".join(report.render(report.status(self.layout))))

    def test_who_answers_is_the_one_with_the_lock(self) -> None:
        self.layout.create_root()
        for pid in (os.getpid(), 1):
            running.write(self.layout, running.Running(pid, "127.0.0.1", 8779, code.digest()))
            self.assertIsNone(running.read(self.layout))
        self.run_service()
        self.assertIsNone(running.read(self.layout), "another process has written that")
        self.assertIn("does not answer yet", "\n".join(report.render(report.status(self.layout))))
        running.write(self.layout, running.Running(os.getpid(), "127.0.0.1", 8779, code.digest()))
        document = report.status(self.layout)
        self.assertEqual((True, False), (document["ready"], document["outdated"]))
        running.forget(self.layout)
        self.assertIsNone(running.read(self.layout))

    def test_other_code_than_it_runs(self) -> None:
        self.layout.create_root()
        self.run_service()
        running.write(self.layout, running.Running(os.getpid(), "127.0.0.1", 8779, "older"))
        document = report.status(self.layout)
        self.assertTrue(document["outdated"])
        self.assertIn("up --detach", "\n".join(report.render(document)))
