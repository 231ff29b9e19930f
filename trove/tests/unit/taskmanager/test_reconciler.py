# SPDX-License-Identifier: Apache-2.0
"""What a taskmanager finds, reports and removes; in simulated time, on SQLite."""

import dataclasses
from typing import Any

import sqlalchemy as sa

from trove.common import ids
from trove.db import models
from trove.domain import operations
from trove.domain.reconciliation import Problem
from trove.domain.shape import Shape
from trove.objects import finding, server_group
from trove.objects.instance import Instance
from trove.objects.reconciliation import Scope
from trove.providers import base as providers
from trove.providers.fake import Call, FakeProvider
from trove.providers.registry import Providers
from trove.taskmanager import reconciler
from trove.taskmanager.environment import Environment
from trove.tests import base
from trove.tests.fixtures import rows
from trove.tests.fixtures.databases import DatabaseFixture
from trove.workflow.store import Store
from trove.workflow.testing import MovableClock

SCOPE = Scope("fake")


class _Case(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        self.clock = MovableClock(self.db)
        self.cloud = FakeProvider()
        self.one = self.new_reconciler("one")

    def new_reconciler(self, owner: str, **options: Any) -> reconciler.Reconciler:
        conf = self.new_conf(**{f"reconciler__{name}": value for name, value in options.items()})
        env = Environment(conf=conf, db=self.db, providers=Providers.only(self.cloud), plugins={}, conductor=None)  # type: ignore[arg-type]
        return reconciler.Reconciler(env, owner, self.cloud, SCOPE)

    def make(self, *, instance_id: str | None = None, group: str | None = None) -> str:
        """Make port, volume and server of an instance outside; return its id."""
        instance_id = instance_id or ids.new_id()
        tags = {kind: ids.instance_tag(instance_id, kind) for kind in ("port", "volume", "server")}
        self.cloud.ensure_port(providers.PortSpec(tags["port"], 5432))
        self.cloud.ensure_volume(providers.VolumeSpec(tags["volume"], 1))
        spec = providers.ServerSpec(tags["server"], "n", Shape(1, 512), tags["port"], tags["volume"], "none")
        if group is not None:
            spec = dataclasses.replace(spec, group=providers.ServerGroup(f"server-group:{group}", "affinity"))
        self.cloud.ensure_server(spec)
        return instance_id

    def live(self, **columns: Any) -> str:
        """Store a live instance with everything outside; return its id."""
        with self.db.writer() as session:
            instance = rows.make_instance(session, **columns)
        self.make(instance_id=instance.id)
        with self.db.writer() as session:
            known = {"server_id": "s", "volume_id": "v", "port": 5432}
            Instance.publish(session, instance.id, known)
            session.execute(sa.update(models.Instance).where(models.Instance.id == instance.id).values(status="ACTIVE"))
        return str(instance.id)

    def deleted(self, **columns: Any) -> str:
        """Store a deleted instance with everything outside, late; return its id."""
        instance_id = self.live(**columns)
        with self.db.writer() as session:
            values = {"status": "DELETED", "deleted": True, "server_id": None, "volume_id": None, "port": None}
            session.execute(sa.update(models.Instance).where(models.Instance.id == instance_id).values(values))
        return instance_id

    def left(self) -> set[str]:
        return {tag for things in self.cloud.resources().values() for tag in things} | set(self.cloud.groups())

    def found(self) -> list[tuple[str, str]]:
        """Return problems and tags."""
        with self.db.reader() as session:
            return sorted((row.finding.seen.problem.value, row.finding.seen.tag) for row in finding.list_rows(session))

    def pass_by(self, seconds: float, *, every: float = 60.0, who: reconciler.Reconciler | None = None) -> None:
        """Let the time pass, looking every minute."""
        for _ in range(int(seconds / every)):
            self.clock.advance(every)
            (who or self.one).look()

    @staticmethod
    def tags(instance_id: str, *kinds: str) -> set[str]:
        return {ids.instance_tag(instance_id, kind) for kind in kinds or ("port", "volume", "server")}


class TestOrphans(_Case):
    def test_what_belongs_to_a_deleted_instance_is_removed_after_the_grace_period(self) -> None:
        living, gone = self.live(), self.deleted()
        self.one.look()
        self.assertEqual([("orphaned", tag) for tag in sorted(self.tags(gone))], self.found())
        self.pass_by(3540)
        self.assertLessEqual(self.tags(gone), self.left())
        self.pass_by(720)
        self.assertEqual(self.tags(living), self.left())
        self.assertEqual([], self.found())
        removals = [call for call in self.cloud.calls if call.method.startswith("remove")]
        order = ("server", "volume", "port")
        self.assertEqual([Call(f"remove_{kind}", ids.instance_tag(gone, kind)) for kind in order], removals)
        self.assertIn(f"Removed volume instance:{gone}/volume", self.logs.text())

    def test_what_goes_by_itself_is_forgotten(self) -> None:
        gone = self.deleted()
        self.one.look()
        self.cloud.remove_server(ids.instance_tag(gone, "server"))
        self.pass_by(660)
        self.assertEqual([("orphaned", tag) for tag in sorted(self.tags(gone, "port", "volume"))], self.found())

    def test_a_server_that_comes_last_goes_first_and_all_wait_for_it(self) -> None:
        gone = self.deleted()
        server = ids.instance_tag(gone, "server")
        self.cloud.remove_server(server)
        self.one.look()
        self.pass_by(3000)
        self.make(instance_id=gone)
        self.pass_by(3000)
        self.assertEqual(self.tags(gone), self.left())
        self.pass_by(1500)
        self.assertEqual(set(), self.left())

    def test_a_slow_removal_goes_on_at_the_next_looks(self) -> None:
        self.cloud.delay_until("remove_server", 2)
        gone = self.deleted()
        self.one.look()
        self.pass_by(4200)
        self.assertEqual(set(), self.left() & self.tags(gone))

    def test_one_that_cannot_be_removed_does_not_keep_the_others(self) -> None:
        self.patch(reconciler, "OWNERS", 1)
        owners = [self.deleted() for _ in range(3)]
        self.cloud.fail_next("remove_server", providers.FatalError("no"), times=2)
        self.one.look()
        self.pass_by(4200)
        self.pass_by(600)
        self.assertEqual(set(), self.left())
        self.assertEqual(5, [call.method for call in self.cloud.calls].count("remove_server"), owners)

    def test_why_it_cannot_be_removed_is_kept(self) -> None:
        self.deleted()
        self.cloud.fail_next("remove_server", providers.FatalError("no"), times=1000)
        self.one.look()
        self.pass_by(4200)
        with self.db.reader() as session:
            (error,) = {row.error for row in finding.list_rows(session)}
        self.assertIn("FatalError: no", str(error))

    def test_the_group_of_deleted_instances(self) -> None:
        with self.db.writer() as session:
            kept = server_group.create(session, "p", "affinity")
        lost, unknown = ids.new_id(), ids.new_id()
        self.deleted(server_group_id=lost)
        living = self.live(server_group_id=kept)
        for group in (lost, kept, unknown):
            other = self.make(group=group)
            while not self.cloud.remove_server(ids.instance_tag(other, "server")):
                pass
        self.one.look()
        self.pass_by(4200)
        left = {tag for tag in self.left() if tag.startswith("server-group:")}
        self.assertEqual({f"server-group:{kept}", f"server-group:{unknown}"}, left)
        self.assertLessEqual(self.tags(living), self.left())


class TestNotTouched(_Case):
    def test_what_our_rows_have_never_known_is_only_reported(self) -> None:
        unknown = self.make()
        self.one.look()
        self.pass_by(20_000, every=600)
        self.assertEqual(self.tags(unknown), self.left())
        self.assertEqual([("unknown", tag) for tag in sorted(self.tags(unknown))], self.found())
        self.assertEqual(3, self.logs.text().count("which has an id that is not ours"))  # once for each

    def test_what_has_a_strange_tag_is_not_even_reported(self) -> None:
        self.cloud.ensure_port(providers.PortSpec("instance:production/port", 1))
        self.one.look()
        self.assertEqual([], self.found())

    def test_nothing_of_an_instance_that_is_not_deleted(self) -> None:
        for status in ("BUILD", "ERROR", "SHUTDOWN", "ACTIVE"):
            instance_id = self.live()
            with self.db.writer() as session:
                change = sa.update(models.Instance).where(models.Instance.id == instance_id).values(status=status)
                session.execute(change)
        before = self.left()
        self.one.look()
        self.pass_by(8000, every=200)
        self.assertEqual((before, []), (self.left(), self.found()))

    def test_nothing_while_a_workflow_is_on_it(self) -> None:
        gone = self.deleted()
        with self.db.writer() as session:
            workflow = Store(self.db).submit(
                session, kind=operations.INSTANCE_DELETE, resource_type="instance", resource_id=gone, project_id="p",
                request_id=None, inputs={}, claim=None,
            )  # fmt: skip
        self.one.look()
        self.pass_by(8000, every=200)
        self.assertEqual((self.tags(gone), []), (self.left(), self.found()))
        with self.db.writer() as session:
            Store(self.db).abandon(session, workflow, "x", None)
        self.pass_by(8000, every=200)
        self.assertEqual(set(), self.left())

    def test_what_began_to_live_again_in_the_last_moment(self) -> None:
        """Nothing does; but the decision is made on the rows as they are, not as they were."""
        gone, revived = self.deleted(), self.deleted()
        self.one.look()
        real = self.one._report

        def revive() -> None:  # after the look that confirms it, before the removal
            with self.db.writer() as session:
                change = sa.update(models.Instance).where(models.Instance.id == revived)
                session.execute(change.values(deleted=False, status="ACTIVE"))
            real()

        self.pass_by(3540)
        self.one._report = revive  # type: ignore[method-assign]
        self.pass_by(60)
        self.assertEqual(self.tags(revived), self.left(), gone)

    def test_report_only(self) -> None:
        gone = self.deleted()
        who = self.new_reconciler("two", action="report")
        who.look()
        self.pass_by(8000, every=200, who=who)
        self.assertEqual(self.tags(gone), self.left())
        self.assertEqual(3, self.logs.text().count("which belongs to something deleted"))

    def test_off(self) -> None:
        self.deleted()
        who = self.new_reconciler("two", action="off")
        who.look()
        self.assertEqual([], [call for call in self.cloud.calls if call.method == "list"])


class TestMissing(_Case):
    def test_it_is_reported_and_never_healed(self) -> None:
        whole, halved = self.live(), self.live()
        self.cloud.remove_server(ids.instance_tag(halved, "server"))
        self.cloud.remove_volume(ids.instance_tag(halved, "volume"))
        self.one.look()
        self.assertEqual([("missing", tag) for tag in sorted(self.tags(halved, "server", "volume"))], self.found())
        self.assertNotIn("of a live instance", self.logs.text())
        self.pass_by(4200)
        self.assertEqual(2, self.logs.text().count("of a live instance"))
        self.pass_by(4200)
        self.assertEqual(2, self.logs.text().count("of a live instance"))
        self.assertEqual(self.tags(whole) | self.tags(halved, "port"), self.left())

    def test_notification(self) -> None:
        lost = self.live()
        self.cloud.remove_server(ids.instance_tag(lost, "server"))
        self.one._conf.set_override("driver", ["log"], "oslo_messaging_notifications")
        self.one.look()
        self.pass_by(8400)
        with self.db.reader() as session:
            (row,) = session.scalars(sa.select(models.Notification))
        self.assertEqual(reconciler.MISSING_EVENT, row.event_type)
        self.assertEqual((lost, "server", "fake"), tuple(row.payload[k] for k in ("instance_id", "kind", "provider")))

    def test_what_came_back_is_forgotten(self) -> None:
        lost = self.live()
        self.cloud.remove_server(ids.instance_tag(lost, "server"))
        self.one.look()
        self.make(instance_id=lost)
        self.pass_by(660)
        self.assertEqual([], self.found())

    def test_nothing_is_missing_of_what_has_nothing_or_a_workflow(self) -> None:
        with self.db.writer() as session:
            rows.make_instance(session)
        busy = self.live()
        with self.db.writer() as session:
            Store(self.db).submit(
                session, kind=operations.INSTANCE_RESTART, resource_type="instance", resource_id=busy, project_id="p",
                request_id=None, inputs={}, claim=None,
            )  # fmt: skip
        self.cloud.remove_server(ids.instance_tag(busy, "server"))
        self.one.look()
        self.assertEqual([], self.found())

    def test_in_pages_of_any_size_the_same_is_found(self) -> None:
        living = sorted(self.live() for _ in range(6))
        for index in (0, 2, 3, 5):
            self.cloud.remove_server(ids.instance_tag(living[index], "server"))
        gone, unknown = self.deleted(), self.make()
        expected = sorted(
            [("missing", ids.instance_tag(living[index], "server")) for index in (0, 2, 3, 5)]
            + [("orphaned", tag) for tag in self.tags(gone)]
            + [("unknown", tag) for tag in self.tags(unknown)]
        )
        who = self.new_reconciler("two", action="report")
        for size in (1, 2, 3, 7, 100):
            self.patch(reconciler, "PAGE", size)
            self.pass_by(1800, who=who)
            self.assertEqual(expected, self.found(), size)


class TestPace(_Case):
    def lists(self) -> int:
        return [call.method for call in self.cloud.calls].count("list")

    def test_one_comparison_in_an_interval(self) -> None:
        self.one.look()
        self.assertEqual(2, self.lists())  # one page for each prefix
        self.pass_by(540)
        self.assertEqual(2, self.lists())
        self.pass_by(60)
        self.assertEqual(4, self.lists())

    def test_a_look_has_an_end_and_the_next_goes_on_there(self) -> None:
        for _ in range(10):
            self.make()
        self.patch(reconciler, "PAGE", 3)
        for looked in (5, 10, 11, 11):
            self.one.look()
            self.assertEqual(looked, self.lists())
        self.assertEqual(30, len(self.found()))

    def test_one_taskmanager_at_a_time(self) -> None:
        two = self.new_reconciler("two")
        self.cloud.list = self.looking_meanwhile(self.cloud.list, two)  # type: ignore[method-assign]
        self.one.look()
        self.assertEqual(2, self.lists())

    @staticmethod
    def looking_meanwhile(real: Any, other: reconciler.Reconciler) -> Any:
        def look(*args: Any) -> providers.Page:
            other.look()
            page: providers.Page = real(*args)
            return page

        return look

    def test_who_was_frozen_leaves_it_to_who_took_over(self) -> None:
        """Its claim has run out while it asked the provider; what it then finds is not recorded."""
        gone, two = self.deleted(), self.new_reconciler("two")
        real = self.cloud.list

        def look(*args: Any) -> providers.Page:
            self.cloud.list = real  # type: ignore[method-assign]
            self.clock.advance(reconciler.CLAIM_SECONDS + 1)
            two.look()
            page = real(*args)
            self.make()  # between two looks
            return page

        self.cloud.list = look  # type: ignore[method-assign]
        self.one.look()
        self.assertIn("is left to another taskmanager", self.logs.text())
        self.assertNotIn("Traceback", self.logs.text())
        self.assertEqual([("orphaned", tag) for tag in sorted(self.tags(gone))], self.found())

    def test_who_was_frozen_removes_nothing(self) -> None:
        gone = self.deleted()
        self.one.look()
        self.pass_by(3540)
        self.patch(reconciler, "CLAIM_SECONDS", 0.0)
        self.pass_by(1200)
        self.assertEqual(self.tags(gone), self.left())
        self.assertIn("remove_server of provider fake was not called", self.logs.text())

    def test_a_provider_that_does_not_answer_is_asked_again(self) -> None:
        gone = self.deleted()
        self.cloud.fail_next("list", providers.RetryableError("away"), times=5)
        for _ in range(5):
            self.one.look()
        self.assertEqual([], self.found())
        self.assertEqual(1, self.logs.text().count("could not be compared"))
        self.one.look()
        self.assertEqual(3, len(self.found()), gone)

    def test_problems_have_a_word_each(self) -> None:
        self.assertEqual({"orphaned", "unknown", "missing"}, {item.value for item in Problem})
