# SPDX-License-Identifier: Apache-2.0
"""Looking at a data directory, and stopping what does not run."""

from trove.standalone import control, credentials
from trove.standalone.layout import Layout, Settings
from trove.tests import base
from trove.tests.fixtures.rows import make_instance


class TestControl(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.layout = Layout(self.tempdir() / "data")

    def test_nothing_was_ever_started(self) -> None:
        document = control.status(self.layout)
        seen = tuple(document[key] for key in ("running", "pid", "endpoint", "instances"))
        self.assertEqual((False, None, "-", []), seen)
        self.assertIn("service    not running", list(control.render(document)))
        self.assertEqual(["the service is not running"], list(control.stop(self.layout, keep_databases=False)))
        self.assertFalse(self.layout.root.exists())

    def test_a_database_without_schema_or_that_is_none(self) -> None:
        self.layout.create_root()
        self.layout.database.touch()
        self.assertEqual([], control.status(self.layout)["instances"])
        self.layout.database.write_text("junk " * 1000)
        err = self.assertRaises(control.ControlError, control.status, self.layout)
        self.assertIn(str(self.layout.database), str(err))

    def test_endpoint(self) -> None:
        self.layout.create_root()
        credentials.write(self.layout, Settings("p", "hunter2", 1), control.base_url("::1", 80))
        self.assertEqual("http://[::1]:80/v1.0/p", control.endpoint(self.layout))
        credentials.write(self.layout, Settings("p", "hunter2", 1), control.base_url("::1", 80), "keystone")
        self.assertEqual("http://[::1]:80/v1.0", control.endpoint(self.layout))
        self.layout.endpoint.write_bytes(b"\xff")
        self.assertEqual("-", control.endpoint(self.layout))

    def test_instances(self) -> None:
        from trove.db import migration
        from trove.db.api import Database

        self.layout.create_root()
        db = Database(f"sqlite:///{self.layout.database}")
        self.addCleanup(db.dispose)
        migration.upgrade(db)
        with db.writer() as session:
            addresses = [{"address": "127.64.0.1", "type": "private"}]
            made = make_instance(session, addresses=addresses, port=5432)
        (shown,) = control.status(self.layout)["instances"]
        seen = tuple(shown[key] for key in ("id", "status", "address", "port"))
        self.assertEqual((made.id, "BUILD", "127.64.0.1", 5432), seen)
        line = f"instance   {made.id} db: BUILD, {shown['service_status']}, postgresql 16, 127.64.0.1:5432"
        self.assertIn(line, list(control.render(control.status(self.layout))))
