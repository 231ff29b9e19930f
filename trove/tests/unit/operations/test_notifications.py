# SPDX-License-Identifier: Apache-2.0
"""Start, end and error of events, and who publishes them."""

import dataclasses

import sqlalchemy as sa

from trove.db import models
from trove.domain.notifications import Event
from trove.operations import notifications
from trove.operations.accepted import Accepted
from trove.operations.work import Work
from trove.tests.unit.operations import case
from trove.workflow.model import Failed

EVENT = Event("instance_resize_instance", {"instance_id": "i"})
SHAPES = {"old": {"ram_mib": 512}, "new": {"ram_mib": 1024}}


class NotificationsTest(case.OperationsCase):
    def start(self) -> Accepted:
        with self.work() as work:
            kept = notifications.start(work, [EVENT], "p")
        return Accepted("instance.resize_flavor", self.instance_id, {"notices": kept, **SHAPES})

    def test_nobody_wants_to_know(self) -> None:
        self.conf.set_override("driver", [], "oslo_messaging_notifications")
        with self.work() as work:
            self.assertIsNone(notifications.start(work, [EVENT], "p"))
            notifications.complete(work, EVENT, "p")
        self.assertEqual([], self.notified())

    def test_what_is_complete_at_once(self) -> None:
        with self.work() as work:
            notifications.complete(work, EVENT, "p", more=1)
        (start, payload), (end, ended) = self.notified()
        self.assertEqual(("dbaas.instance_resize_instance.start", "dbaas.instance_resize_instance.end"), (start, end))
        self.assertEqual({**payload, "more": 1}, ended)

    def test_a_success_and_the_use_of_the_instance(self) -> None:
        accepted = self.start()
        with self.work() as work:
            notifications.succeed(work, accepted)
        names = [name for name, _ in self.notified()]
        self.assertEqual(["dbaas.instance_resize_instance.end", "trove.instance.modify_flavor"], names[1:])
        use = self.notified()[-1][1]
        self.assertEqual((512, 1024), (use["old_instance_size"], use["instance_size"]))

    def test_an_error_says_why_without_secrets(self) -> None:
        accepted = self.start()
        with self.work() as work:
            notifications.fail(work, accepted, Failed("a.b", "It said password=hunter2."))
        name, payload = self.notified()[-1]
        self.assertEqual(("dbaas.instance_resize_instance.error", "a.b"), (name, payload["exception"]))
        self.assertEqual(self.instance_id, payload["instance_id"])
        self.assertNotIn("hunter2", str(payload))

    def test_what_started_nothing_ends_nothing(self) -> None:
        with self.work() as work:
            for accepted in (
                Accepted("instance.delete", self.instance_id, {}),
                Accepted("log.change", "x", {"notices": None}),
            ):
                notifications.succeed(work, accepted)
                notifications.fail(work, accepted, Failed("a.b", "c"))
        self.assertEqual([], self.notified())

    def test_the_publisher_is_the_program_of_the_caller(self) -> None:
        accepted = self.start()
        with self.work() as work:
            other = dataclasses.replace(self.caller, program="taskmanager")
            notifications.fail(Work(other, self.conf, self.store, work.session), accepted, Failed("a.b", "c"))
        with self.db.reader() as session:
            found = session.scalars(sa.select(models.Notification.publisher_id).order_by(models.Notification.sequence))
            self.assertEqual([f"{name}.{self.conf.host}" for name in ("api", "taskmanager")], list(found))
