# SPDX-License-Identifier: Apache-2.0
# covers: trove/objects/guest_identity.py
# covers: trove/objects/inventory.py
# covers: trove/objects/root_history.py
# covers: trove/objects/secret.py
"""Guests: identity, heartbeats, inventory, root, secrets."""

import datetime

import sqlalchemy as sa

from trove.common import ids
from trove.objects import errors, heartbeat, inventory, root_history, secret
from trove.objects.guest_identity import ENROLLED, GuestIdentity
from trove.objects.heartbeat import HeartbeatRecord
from trove.tests.fixtures import rows
from trove.tests.functional.db import case
from trove.wire import report


class Identities(case.EveryDatabase):
    def test_issuing_again_gives_the_same_key_until_the_guest_has_enrolled(self) -> None:
        instance = self.make_instance()
        with self.db.writer() as session:
            first = GuestIdentity.issue(session, instance.id, "gateway")
        with self.db.writer() as session:
            self.assertEqual(first, GuestIdentity.issue(session, instance.id, "gateway"))
            identity = GuestIdentity.get(session, instance.id, for_update=True)
            identity.state, identity.keys, identity.boot, identity.sequence = ENROLLED, {"master": "00"}, 3, 2**40
            identity.save(session)
            GuestIdentity.next_sequence(session, instance.id)
        with self.db.writer() as session:
            again = GuestIdentity.issue(session, instance.id, "messaging")
            fresh = GuestIdentity.get(session, instance.id, for_update=False)
        self.assertRegex(first, "^[0-9a-f]{64}$")
        self.assertNotEqual(first, again)
        self.assertEqual(
            ("ISSUED", {"one_time": again}, 0, 0, 1, "messaging"),
            (fresh.state, fresh.keys, fresh.boot, fresh.sequence, fresh.sent_sequence, fresh.transport),
        )

    def test_keys_are_encrypted_at_rest(self) -> None:
        instance_id = self.make_guest()
        with self.db.writer() as session:
            key = GuestIdentity.issue(session, instance_id, "gateway")
            self.assertNotIn(key, session.execute(sa.text("SELECT * FROM guest_identities")).one()._mapping["keys"])

    def test_saving_does_not_touch_what_another_has_counted(self) -> None:
        instance_id = self.make_guest()
        with self.db.writer() as session:
            identity = GuestIdentity.get(session, instance_id, for_update=False)
            GuestIdentity.next_sequence(session, instance_id)
            identity.boot = 7
            identity.save(session)
            found = GuestIdentity.get(session, instance_id, for_update=False)
        self.assertEqual((7, 1), (found.boot, found.sent_sequence))

    def test_sequences_are_unique_under_concurrency(self) -> None:
        instance_id = self.make_guest()

        def count() -> list[int]:
            found = []
            for _ in range(10):
                with self.db.writer() as session:
                    found.append(GuestIdentity.next_sequence(session, instance_id))
            return found

        results = self.at_once(count, count, count)
        self.assertEqual(list(range(1, 31)), sorted(n for result in results for n in result))

    def test_absent(self) -> None:
        with self.db.writer() as session:
            GuestIdentity.remove(session, ids.new_id())
            self.assertRaises(errors.GuestNotFound, GuestIdentity.get, session, ids.new_id(), for_update=True)
            self.assertRaises(errors.GuestNotFound, GuestIdentity.next_sequence, session, ids.new_id())


class Heartbeats(case.EveryDatabase):
    def test_many_in_one_transaction_and_the_last_counts(self) -> None:
        now = datetime.datetime(2026, 5, 2, 8, 0, 0, 123456)
        with self.db.writer() as session:
            known = [rows.make_instance(session).id for _ in range(3)]
            heartbeat.record(session, [HeartbeatRecord(i, "building", now) for i in known])
        with self.db.writer() as session:
            later = now + datetime.timedelta(seconds=10)
            heartbeat.record(
                session,
                [
                    HeartbeatRecord(known[0], "blocked", now, reason="x" * 300),
                    HeartbeatRecord(known[1], "healthy", later, wal_bytes=5, agent_version="1"),
                    HeartbeatRecord(known[0], "healthy", later),
                ],
            )
            heartbeat.record(session, [])
            found = [heartbeat.get(session, i) for i in known]
        self.assertEqual(
            [
                HeartbeatRecord(known[0], "healthy", later),
                HeartbeatRecord(known[1], "healthy", later, wal_bytes=5, agent_version="1"),
                HeartbeatRecord(known[2], "building", now),
            ],
            found,
        )

    def test_reset_forgets_the_status_until_the_next_heartbeat(self) -> None:
        instance = self.make_instance()
        with self.db.writer() as session:
            heartbeat.reset(session, instance.id)
            self.assertEqual(HeartbeatRecord(instance.id, "unknown", None), heartbeat.get(session, instance.id))
            now = self.db.now(session)
            heartbeat.record(session, [HeartbeatRecord(instance.id, "failed", now, reason="why")])
            heartbeat.reset(session, instance.id)
            self.assertEqual(HeartbeatRecord(instance.id, "unknown", now), heartbeat.get(session, instance.id))


class Inventory(case.EveryDatabase):
    def _replace(self, databases: list[str], users: list[tuple[str, str, list[str]]]) -> None:
        with self.db.writer() as session:
            parts = inventory.compare(
                session,
                self.instance_id,
                [report.InventoryDatabase(name=n) for n in databases],
                [report.InventoryUser(name=n, host=h, databases=d) for n, h, d in users],
                limit=1000,
            )
            for part in parts:
                inventory.apply(session, self.instance_id, part)

    def setUp(self) -> None:
        super().setUp()
        self.instance_id = self.make_instance().id

    def test_it_becomes_equal_to_the_report(self) -> None:
        self._replace(["a", "b"], [("u", "%", ["a"]), ("v", "%", [])])
        self._replace(["b", "Ç📚"], [("u", "%", ["b"]), ("u", "10.0.0.1", [])])
        with self.db.reader() as session:
            self.assertEqual(
                {"b", "Ç📚"}, {d.name for d in inventory.list_databases(session, self.instance_id, limit=9)}
            )
            users = inventory.list_users(session, self.instance_id, limit=9)
            self.assertEqual([("u", "%", ["b"]), ("u", "10.0.0.1", [])], [tuple(u) for u in users])
            self.assertEqual(["b"], inventory.get_user(session, self.instance_id, "u").databases)
            self.assertEqual("b", inventory.get_database(session, self.instance_id, "b").name)
            self.assertRaises(errors.UserNotFound, inventory.get_user, session, self.instance_id, "v")
            self.assertRaises(errors.DatabaseNotFound, inventory.get_database, session, self.instance_id, "a")

    def test_pages(self) -> None:
        self._replace([f"d{i}" for i in range(5)], [("u", "%", []), ("u", "h", []), ("v", "%", [])])
        with self.db.reader() as session:
            page = inventory.list_databases(session, self.instance_id, limit=2, marker="d1")
            self.assertEqual(["d2", "d3"], [d.name for d in page])
            users = inventory.list_users(session, self.instance_id, limit=5, marker=("u", "%"))
            self.assertEqual([("u", "h"), ("v", "%")], [(u.name, u.host) for u in users])

    def test_a_hostile_report_hurts_nobody(self) -> None:
        names = ["a", "a ", "a\x00b", "'; DROP TABLE instances; --", "%", "\\", "x" * 255]
        self._replace(names, [(n, "%", names) for n in names])
        with self.db.reader() as session:
            found = {d.name.rstrip() for d in inventory.list_databases(session, self.instance_id, limit=20)}
        self.assertEqual({n.rstrip() for n in names if "\x00" not in n}, found)

    def test_thousands(self) -> None:
        self._replace([f"d{i}" for i in range(2500)], [])
        with self.db.writer() as session:
            self.assertEqual(2500, len(inventory.list_databases(session, self.instance_id, limit=9999)))
            inventory.clear(session, self.instance_id)
            self.assertEqual([], inventory.list_databases(session, self.instance_id, limit=9999))


class RootAndSecrets(case.EveryDatabase):
    def test_who_enabled_root_first_is_kept(self) -> None:
        instance = self.make_instance()
        with self.db.writer() as session:
            root_history.set_enabled(session, instance.id, False, "nobody")
            self.assertIsNone(root_history.get(session, instance.id))
            root_history.set_enabled(session, instance.id, True, "ann")
            first = root_history.get(session, instance.id)
            root_history.set_enabled(session, instance.id, False, None)
            root_history.set_enabled(session, instance.id, True, "bob")
            self.assertEqual(first, root_history.get(session, instance.id))
            root_history.set_enabled(session, instance.id, False, None)
            self.assertIs(False, root_history.get(session, instance.id).enabled)
        self.assertEqual("ann", first.first_enabled_by)

    def test_secrets(self) -> None:
        resource = ids.new_id()
        with self.db.writer() as session:
            one = secret.put(session, resource, "create", {"password": "päss"})
            two = secret.put(session, resource, "admin", "x")
            self.assertNotIn("päss", str(session.execute(sa.text("SELECT * FROM secrets")).all()))
            self.assertEqual({"password": "päss"}, secret.get(session, one))
            self.assertEqual("x", secret.find(session, resource, "admin"))
            secret.delete_for(session, resource, "create")
            self.assertRaises(errors.SecretNotFound, secret.get, session, one)
            self.assertEqual("x", secret.get(session, two))
            secret.delete_for(session, resource)
            self.assertIsNone(secret.find(session, resource, "admin"))
