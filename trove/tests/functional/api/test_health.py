# SPDX-License-Identifier: Apache-2.0
# covers: trove/db/probe.py
"""What probes are told: with the database, without it, and while it hangs."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import fixtures
from sqlalchemy import event

from trove.common import clock
from trove.db import probe
from trove.tests.functional.api import base


class HealthTest(base.ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.statements = 0
        for engine in (self.db.engine, self.db._reader_engine):
            event.listen(engine, "before_cursor_execute", self._count)

    def _count(self, *_args: Any) -> None:
        self.statements += 1

    def probe(self, path: str = "/healthcheck", client: Any = None) -> tuple[int, str]:
        response = (client or self.app).get(path, expect_errors=True)
        return response.status_int, response.text

    def later(self) -> None:
        """Have what is known be out of date."""
        self.patch_clock(clock.monotonic() + probe.FRESH)

    def patch_clock(self, now: float) -> None:
        self.useFixture(fixtures.MonkeyPatch("trove.common.clock.monotonic", lambda: now))

    def test_probes_are_cheap_and_log_nothing(self) -> None:
        self.probe()
        self.patch_clock(clock.monotonic())  # within the second
        asked = self.statements
        before = self.logs.text()
        for path in ("/healthcheck", "/healthcheck/live"):
            for _ in range(20):
                self.assertEqual((200, "OK"), self.probe(path))
        self.assertEqual(asked, self.statements)
        self.assertEqual(before, self.logs.text())

    def test_without_its_database(self) -> None:
        with self.db.writer() as session:
            session.connection().exec_driver_sql("ALTER TABLE datastores RENAME TO gone")
        for _ in range(3):
            self.assertEqual((503, "UNAVAILABLE"), self.probe())
        self.assertEqual((200, "OK"), self.probe("/healthcheck/live"))
        self.assertEqual(1, self.logs.text().count("The database does not answer"))
        with self.db.writer() as session:
            session.connection().exec_driver_sql("ALTER TABLE gone RENAME TO datastores")
        self.later()
        self.assertEqual((200, "OK"), self.probe())
        self.assertIn("The database answers again", self.logs.text())

    def test_the_file_that_drains(self) -> None:
        path = self.tempdir() / "drain"
        conf = self.new_conf(**self.options)
        client = self.make_app(conf)  # registers the options
        conf.set_override("disable_by_file_path", str(path), "healthcheck")
        client = self.make_app(conf)
        self.assertEqual((200, "OK"), self.probe(client=client))
        path.touch()
        self.assertEqual((503, "DISABLED BY FILE"), self.probe(client=client))
        self.assertEqual((200, "OK"), self.probe("/healthcheck/live", client))


class HangingDatabaseTest(base.ApiTestCase):
    """A database that takes the question and never answers."""

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        go_on = threading.Event()
        self.addCleanup(go_on.set)

        def hang(*_args: Any) -> None:
            go_on.wait(60)

        event.listen(self.db._reader_engine, "before_cursor_execute", hang)
        try:
            yield
        finally:
            event.remove(self.db._reader_engine, "before_cursor_execute", hang)
            go_on.set()

    def asking(self) -> int:
        return sum(thread.name == "database-probe" for thread in threading.enumerate())

    def test_threads_do_not_pile_up(self) -> None:
        asked = probe.Probe(self.db, fresh=0.0, patience=0.02)
        self.assertTrue(asked.answers())
        with self.hanging():
            for _ in range(5 * probe.MOST_PENDING):
                self.assertFalse(asked.answers())
            self.assertLessEqual(self.asking(), probe.MOST_PENDING)
        patient = probe.Probe(self.db, fresh=0.0)
        self.assertTrue(patient.answers())

    def test_one_waits_and_the_others_go_on(self) -> None:
        asked = probe.Probe(self.db, patience=30.0)
        with self.hanging():
            first = threading.Thread(target=asked.answers, daemon=True)
            first.start()
            while not self.asking():
                clock.sleep(0.001)
            for _ in range(10):
                self.assertTrue(asked.answers())  # what was known before
            self.assertEqual(1, self.asking())
        first.join(30)
        self.assertFalse(first.is_alive())
