# SPDX-License-Identifier: Apache-2.0
"""The fixtures themselves: real servers, fresh each time, and nothing left behind."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import kombu
import sqlalchemy as sa

from trove.db import models
from trove.tests import base
from trove.tests.fixtures import databases, rabbitmq

_CHILD = """
import sys
from trove.tests.fixtures import servers
server, url = servers.start_postgresql()
print(server.directory, flush=True)
sys.stdin.read()
"""


class DatabaseFixtureTest(base.FunctionalTestCase):
    def _written_and_read(self, dialect: str) -> None:
        fixture = self.useFixture(databases.DatabaseFixture(dialect))
        with fixture.db.writer() as session:
            session.add(models.QuotaLimit(project_id="p", resource="instances", hard_limit=3))
        with fixture.db.reader() as session:
            self.assertEqual(1, session.scalar(sa.select(sa.func.count()).select_from(models.QuotaLimit)))
        other = self.useFixture(databases.DatabaseFixture(dialect))
        self.assertNotEqual(fixture.url, other.url)
        with other.db.reader() as session:
            self.assertEqual(0, session.scalar(sa.select(sa.func.count()).select_from(models.QuotaLimit)))

    def test_sqlite(self) -> None:
        self._written_and_read("sqlite")

    def test_mysql(self) -> None:
        self._written_and_read("mysql")

    def test_postgresql(self) -> None:
        self._written_and_read("postgresql")

    def test_unknown_dialect(self) -> None:
        self.assertRaises(ValueError, databases.DatabaseFixture, "oracle")


class RabbitFixtureTest(base.FunctionalTestCase):
    def test_message_through_a_virtual_host(self) -> None:
        broker = self.useFixture(rabbitmq.RabbitFixture())
        with kombu.Connection(broker.url.replace("rabbit://", "amqp://")) as connection:
            queue = connection.SimpleQueue("q")
            queue.put({"hint": 1})
            self.assertEqual({"hint": 1}, queue.get(timeout=60).payload)

    def test_account_is_limited_to_its_virtual_host(self) -> None:
        broker = self.useFixture(rabbitmq.RabbitFixture())
        other = broker.add_vhost()
        url = broker.url_for(broker.user, broker.password, other).replace("rabbit://", "amqp://")
        connection = kombu.Connection(url)
        self.addCleanup(connection.release)
        self.assertRaises(Exception, connection.connect)  # noqa: B017  kombu's transports raise classes of their own


class KeeperTest(base.FunctionalTestCase):
    def test_nothing_is_left_when_the_test_process_is_killed(self) -> None:
        pipe = subprocess.PIPE
        child = subprocess.Popen([sys.executable, "-c", _CHILD], stdin=pipe, stdout=pipe, text=True)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        assert child.stdout is not None
        directory = pathlib.Path(child.stdout.readline().strip())
        server = int((directory / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(server, 0)
        child.send_signal(signal.SIGKILL)
        give_up = time.monotonic() + 20
        while directory.exists() and time.monotonic() < give_up:
            time.sleep(0.05)
        self.assertFalse(directory.exists())
        self.assertRaises(ProcessLookupError, os.kill, server, 0)


class AfterwardsTest(base.FunctionalTestCase):
    def test_the_command_runs_once_the_test_process_was_killed(self) -> None:
        mark = self.tempdir() / "mark"
        program = (
            "import sys\nfrom trove.tests.fixtures import afterwards\n"
            f"afterwards.start(['/usr/bin/touch', {str(mark)!r}])\nprint('ready', flush=True)\nsys.stdin.read()\n"
        )
        pipe = subprocess.PIPE
        child = subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, text=True)
        self.addCleanup(child.communicate)
        assert child.stdout is not None
        self.assertEqual("ready\n", child.stdout.readline())
        self.assertFalse(mark.exists())
        child.kill()
        give_up = time.monotonic() + 30
        while not mark.exists() and time.monotonic() < give_up:
            time.sleep(0.02)
        self.assertTrue(mark.exists())
