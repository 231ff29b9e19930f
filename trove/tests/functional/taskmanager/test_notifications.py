# SPDX-License-Identifier: Apache-2.0
# covers: trove/taskmanager/notifications.py
"""From the outbox to a real broker, and what is told at intervals."""

import queue
import threading
from collections.abc import Mapping
from typing import Any

import oslo_messaging as messaging
import sqlalchemy as sa

from trove.common import clock
from trove.conf import notifications as options
from trove.db import models
from trove.objects import notification, periodic_mark, quota
from trove.taskmanager import notifications
from trove.tests import base
from trove.tests.fixtures import databases, rows
from trove.tests.fixtures.clock import WrongClock
from trove.tests.fixtures.rabbitmq import RabbitFixture


class Listener:
    """An oslo.messaging endpoint that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: queue.Queue[tuple[str, str, Mapping[str, Any]]] = queue.Queue()

    def info(self, _ctxt: Any, publisher_id: str, event_type: str, payload: Mapping[str, Any], _meta: Any) -> None:
        """Keep one message."""
        self.heard.put((publisher_id, event_type, payload))


class FailingBus:
    """A bus that takes a number of messages and then is away."""

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.sent: list[str] = []

    def prepare(self, publisher_id: str) -> "FailingBus":
        """Return itself."""
        return self

    def info(self, _ctxt: Any, event_type: str, _payload: Mapping[str, Any]) -> None:
        """Take a message, or not."""
        if len(self.sent) >= self.takes:
            raise ConnectionError("the bus is away")
        self.sent.append(event_type)


class NotifierTest(base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(databases.DatabaseFixture("sqlite")).db

    def add(self, *types: str) -> None:
        with self.db.writer() as session:
            for name in types:
                notification.add(session, name, "api.h", [{"n": name}])

    def waiting(self) -> list[dict[str, Any]]:
        with self.db.reader() as session:
            table = sa.inspect(models.Notification).local_table
            return [dict(row) for row in session.execute(sa.select(table)).mappings()]

    def test_over_a_real_broker(self) -> None:
        broker = self.useFixture(RabbitFixture())
        group = options.GROUP
        conf = self.new_conf(**{f"{group}__transport_url": broker.url, f"{group}__driver": ["messagingv2"]})
        listener = Listener()
        server = messaging.get_notification_listener(
            messaging.get_notification_transport(conf), [messaging.Target(topic="notifications")], [listener],
            executor="threading",
        )  # fmt: skip
        server.start()
        self.addCleanup(server.wait)
        self.addCleanup(server.stop)
        self.add("dbaas.a.start", "dbaas.a.end")
        self.assertEqual(2, notifications.Sender(conf, self.db, "me", notifications.make_bus(conf)).send())
        heard = [listener.heard.get(timeout=60) for _ in range(2)]
        self.assertEqual([("api.h", name, {"n": name}) for name in ("dbaas.a.start", "dbaas.a.end")], heard)
        self.assertEqual([], self.waiting())

    def test_what_the_bus_did_not_take_is_kept(self) -> None:
        self.add("one", "two", "three")
        away = FailingBus(1)
        self.assertRaises(ConnectionError, notifications.Sender(self.new_conf(), self.db, "me", away).send)
        self.assertEqual(3, len(self.waiting()))
        with self.db.writer() as session:
            session.execute(sa.update(models.Notification).values(claimed_until=clock.utcnow()))
        back = FailingBus(9)
        clock.wait(threading.Event(), 0.01)
        self.assertEqual(3, notifications.Sender(self.new_conf(), self.db, "other", back).send())
        self.assertEqual((["one", "two", "three"], []), (back.sent, self.waiting()))

    def test_each_period_is_told_once_for_every_instance(self) -> None:
        self.patch(notifications, "BATCH", 2)
        with self.db.writer() as session:
            made = [rows.make_instance(session, launched_at=clock.utcnow()).id for _ in range(5)]
            rows.make_instance(session)  # never ready, so never in use
        conf = self.new_conf(exists_notifications=True, exists_notification_interval=86400)
        for owner in ("a", "b"):
            notifications.Sender(conf, self.db, owner, FailingBus(0)).look()
        told = [row["payload"] for row in self.waiting()]
        self.assertEqual(sorted(made), sorted(item["instance_id"] for item in told))
        self.assertEqual(1, len({(item["audit_period_beginning"], item["audit_period_ending"]) for item in told}))
        self.assertEqual({"trove.instance.exists"}, {row["event_type"] for row in self.waiting()})

    def test_quotas(self) -> None:
        limits = {"instances": 5, "ram": -1, "volumes": 40, "backups": 50}
        with self.db.writer() as session:
            quota.consume(session, "p", {"instances": 2}, limits)
        conf = self.new_conf(quota_notification_interval=86400, max_instances_per_tenant=5)
        notifications.Sender(conf, self.db, "a", FailingBus(0)).look()
        told = {row["payload"]["resource"]: row["payload"] for row in self.waiting()}
        self.assertEqual({"instances", "ram", "volumes", "backups"}, set(told))
        self.assertEqual((2, 0, 5), tuple(told["instances"][key] for key in ("in_use", "reserved", "limit")))

    def test_a_host_with_a_wrong_clock_tells_of_the_same_periods(self) -> None:
        with self.db.writer() as session:
            rows.make_instance(session, launched_at=self.db.now(session))
            quota.consume(session, "p", {"instances": 2}, {"instances": 5})
        every = {"exists_notification_interval": 600, "quota_notification_interval": 600}
        conf = self.new_conf(exists_notifications=True, **every)
        for seconds in (7200, -7200, 700):
            with self.db.writer() as session:
                session.execute(sa.delete(models.PeriodicMark))
                session.execute(sa.delete(models.Notification))
                before = self.db.now(session)
            with WrongClock(seconds):
                notifications.Sender(conf, self.db, "a", FailingBus(0)).look()
            with self.db.reader() as session:
                after = self.db.now(session)
            told = {row["event_type"]: row["payload"] for row in self.waiting()}
            ends = [periodic_mark.period_of(moment, 600) * 600 for moment in (before, after)]
            ended = told["trove.instance.exists"]["audit_period_ending"]
            self.assertIn(ended, [notifications._moment(end) for end in ends])
            self.assertTrue(clock.isoformat(before) <= told["dbaas.quota"]["updated"] <= clock.isoformat(after), told)

    def test_nothing_runs_unless_somebody_listens(self) -> None:
        self.assertEqual([], notifications.parts(self.new_conf(), self.db, "me"))
        wanted = self.new_conf(oslo_messaging_notifications__driver=["noop", "log"])
        self.assertEqual(2, len(notifications.parts(wanted, self.db, "me")))
