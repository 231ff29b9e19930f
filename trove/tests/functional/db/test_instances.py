# SPDX-License-Identifier: Apache-2.0
# covers: trove/objects/fault.py
"""Instances, their rows and faults."""

from trove.common import exception, ids
from trove.objects import errors, fault, heartbeat, instance_listing
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.tests.fixtures import rows
from trove.tests.functional.db import case


class Instances(case.EveryDatabase):
    def test_create_and_get(self) -> None:
        created = self.make_instance(addresses=[{"address": "10.0.0.1", "type": "private"}], name="Bücher 📚")
        with self.db.reader() as session:
            found = Instance.get(session, Scope.project("p"), created.id)
        self.assertEqual(created.obj_to_primitive(), found.obj_to_primitive())
        self.assertEqual(("BUILD", 1, False), (found.status, found.revision, found.deleted))

    def test_another_project_sees_nothing(self) -> None:
        instance = self.make_instance()
        with self.db.reader() as session:
            for getter in (Instance.get, instance_listing.get_row):
                self.assertRaises(errors.InstanceNotFound, getter, session, Scope.project("q"), instance.id)
                self.assertEqual(instance.id, getter(session, Scope.ALL, instance.id).id)
            self.assertEqual([], instance_listing.list_rows(session, Scope.project("q"), limit=5))

    def test_save_writes_only_what_was_assigned(self) -> None:
        instance = self.make_instance()
        with self.db.writer() as session:
            instance.port = 5432
            instance.save(session)
            other = Instance.get(session, Scope.ALL, instance.id)
        self.assertEqual((5432, 2, "db"), (other.port, other.revision, other.name))

    def test_save_on_an_old_revision_is_refused(self) -> None:
        mine = self.make_instance()
        with self.db.writer() as session:
            other = Instance.get(session, Scope.ALL, mine.id)
            other.name = "theirs"
            other.save(session)
        with self.db.writer() as session:
            mine.name = "mine"
            self.assertRaises(exception.StaleObject, mine.save, session)
        with self.db.reader() as session:
            self.assertEqual("theirs", Instance.get(session, Scope.ALL, mine.id).name)

    def test_an_event_moves_status_and_columns_together(self) -> None:
        instance = self.make_instance()
        with self.db.writer() as session:
            instance.process_event(session, "created", port=5432)
        with self.db.reader() as session:
            row = instance_listing.get_row(session, Scope.ALL, instance.id)
        self.assertEqual(("ACTIVE", 5432, 2), (row.status, row.port, row.revision))

    def test_a_refused_event_changes_nothing_and_names_the_state(self) -> None:
        instance = self.make_instance()
        with self.db.writer() as session:
            err = self.assertRaises(errors.InvalidInstanceState, instance.process_event, session, "restart")
        self.assertEqual(("instance.state", 422), (err.symbol, err.code))
        self.assertIn("BUILD", err.message)
        with self.db.reader() as session:
            self.assertEqual(1, Instance.get(session, Scope.ALL, instance.id).revision)

    def test_a_deleted_instance_is_seen_only_when_asked_for(self) -> None:
        instance = self.make_instance()
        with self.db.writer() as session:
            instance.process_event(session, "delete")
            instance.mark_deleted(session)
        with self.db.reader() as session:
            self.assertRaises(errors.InstanceNotFound, Instance.get, session, Scope.ALL, instance.id)
            gone = Instance.get(session, Scope.ALL, instance.id, include_deleted=True)
            self.assertEqual([], instance_listing.list_rows(session, Scope.ALL, limit=5))
            self.assertEqual(
                [gone.id], [r.id for r in instance_listing.list_rows(session, Scope.ALL, limit=5, deleted=True)]
            )
        self.assertEqual(("DELETED", True), (gone.status, gone.deleted_at is not None))


class Rows(case.EveryDatabase):
    def test_pages_are_complete_and_in_order(self) -> None:
        with self.db.writer() as session:
            mine = sorted(rows.make_instance(session, "p").id for _ in range(7))
            rows.make_instance(session, "q")
        seen: list[str] = []
        with self.db.reader() as session:
            while True:
                page = instance_listing.list_rows(
                    session, Scope.project("p"), limit=3, marker=seen[-1] if seen else None
                )
                if not page:
                    break
                seen += [row.id for row in page]
            self.assertEqual(8, len(instance_listing.list_rows(session, Scope.ALL, limit=20)))
        self.assertEqual(mine, seen)

    def test_a_row_carries_version_heartbeat_and_fault(self) -> None:
        instance = self.make_instance()
        with self.db.writer() as session:
            bare = instance_listing.get_row(session, Scope.ALL, instance.id)
            now = self.db.now(session)
            heartbeat.record(session, [heartbeat.HeartbeatRecord(instance.id, "healthy", now, volume_used_bytes=2**40)])
            fault.set_fault(session, instance.id, "engine.start", "It did not start.", "log")
            full = instance_listing.get_row(session, Scope.ALL, instance.id)
        self.assertEqual(("new", None, None), (bare.service_status, bare.reported_at, bare.fault_symbol))
        self.assertEqual(
            ("postgresql", "16", "16.4", "postgresql"),
            (full.datastore_name, full.version_name, full.version_number, full.manager),
        )
        self.assertEqual(("healthy", now, 2**40), (full.service_status, full.reported_at, full.volume_used_bytes))
        self.assertEqual(
            ("engine.start", "It did not start.", "log"), (full.fault_symbol, full.fault_message, full.fault_details)
        )
        self.assertIs(False, full.deleted)

    def test_an_unknown_instance_is_not_found(self) -> None:
        with self.db.reader() as session:
            err = self.assertRaises(errors.InstanceNotFound, instance_listing.get_row, session, Scope.ALL, ids.new_id())
        self.assertEqual("instance.not_found", err.symbol)


class Faults(case.EveryDatabase):
    def test_the_last_fault_replaces_the_one_before_and_success_removes_it(self) -> None:
        instance = self.make_instance()
        with self.db.writer() as session:
            fault.set_fault(session, instance.id, "a.b", "first", "d")
            fault.set_fault(session, instance.id, "c.d", "second")
            row = instance_listing.get_row(session, Scope.ALL, instance.id)
            self.assertEqual(("c.d", "second", None), (row.fault_symbol, row.fault_message, row.fault_details))
            fault.clear_fault(session, instance.id)
            self.assertIsNone(instance_listing.get_row(session, Scope.ALL, instance.id).fault_symbol)

    def test_text_of_any_size_and_alphabet_fits(self) -> None:
        instance = self.make_instance()
        with self.db.writer() as session:
            fault.set_fault(session, instance.id, "a.b", "m" * 1000 + "\x00", "📚" * 20000 + "\x00the end")
            row = instance_listing.get_row(session, Scope.ALL, instance.id)
        self.assertEqual(255, len(row.fault_message or ""))
        self.assertTrue((row.fault_details or "").endswith("the end"))
