# SPDX-License-Identifier: Apache-2.0
# covers: trove/db/migrations/versions/expand
"""Migrations make the schema that the models describe, keep data, and tolerate each other."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import autogenerate, command, script
from alembic.migration import MigrationContext
from oslo_db import exception as db_exception

from trove.common import clock, ids
from trove.db import api, crypto, migration, models
from trove.objects import catalog, instance_listing
from trove.objects.guest_identity import GuestIdentity
from trove.objects.instance import Instance
from trove.objects.instance_set import InstanceSet
from trove.objects.scope import Scope
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.functional.db import case


class ModelsEqualMigrations(case.EveryDatabase):
    create_tables = False

    def setUp(self) -> None:
        super().setUp()
        migration.upgrade(self.db)

    def test_autogenerate_finds_nothing_to_do(self) -> None:
        with self.db.engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "compare_server_default": True}
            )
            self.assertEqual([], autogenerate.compare_metadata(context, models.Base.metadata))

    def test_recreating_empties_every_table(self) -> None:
        self.make_guest()
        with self.db.engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE stray (id INTEGER)"))
        migration.recreate(self.db)
        self.assertEqual([], migration.check(self.db))
        with self.db.reader() as session:
            self.assertEqual([], catalog.Datastore.list(session))
            self.assertEqual([], session.execute(sa.select(models.Instance.id)).all())
        self.assertNotIn("stray", sa.inspect(self.db.engine).get_table_names())

    def test_a_column_too_many_would_be_found(self) -> None:
        with self.db.engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE flavors ADD COLUMN surplus INTEGER"))
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            self.assertEqual(1, len(autogenerate.compare_metadata(context, models.Base.metadata)))

    def test_names_options_and_collations_are_equal_too(self) -> None:
        # Autogenerate does not compare names of keys, collations or storage engines.
        other = self.useFixture(DatabaseFixture(self.dialect)).db
        self.assertEqual(_describe(other), _describe(self.db))


class Walk(case.EveryDatabase):
    """Every revision in turn, with data in the tables."""

    create_tables = False

    def test_walk_with_data(self) -> None:
        revisions = [r.revision for branch in migration.BRANCHES for r in _revisions(branch)]
        self.assertEqual(set(revisions), set(_AFTER), "say in _AFTER what each revision's data must be like")
        for revision in revisions:
            with self.db.engine.begin() as connection:
                command.upgrade(migration.alembic_config(connection), revision)
            _AFTER[revision](self, self.db)
        self.assertEqual([], migration.check(self.db))

    def store_first_rows(self, db: api.Database) -> None:
        # Not through the objects: they know columns that this revision does not have yet.
        tables = sa.MetaData()
        tables.reflect(db.engine)
        with db.writer() as session:
            for table, values in _first_rows().items():
                session.execute(sa.insert(tables.tables[table]).values(values))

    def rows_are_unharmed(self, db: api.Database) -> None:
        tables = sa.MetaData()
        tables.reflect(db.engine)
        instances, guests = tables.tables["instances"].c, tables.tables["guest_identities"].c
        with db.reader() as session:
            row = session.execute(sa.select(instances.name, instances.access, instances.status)).one()
            self.assertEqual(("Bücher 📚", '{"is_public": false}', "BUILD"), tuple(row))
            keys = crypto.current().open(session.scalars(sa.select(guests["keys"])).one(), _PLACE)
        self.assertEqual({"one_time": _KEY}, json.loads(keys))

    def instances_get_sets(self, db: api.Database) -> None:
        self.objects_read_them(db)
        with db.writer() as session:
            instance = Instance.get(session, Scope.ALL, _INSTANCE_ID)
            members = InstanceSet.of(session, instance)
            self.assertEqual([_INSTANCE_ID], members.members(session))
        self.assertEqual(("p", "replication", 0, 1), (members.project_id, members.kind, members.term, members.revision))
        self.assertEqual((_INSTANCE_ID, _INSTANCE_ID), (members.target_primary, members.current_primary))
        self.assertEqual((None, None, None, None), (instance.role, instance.provider, instance.host, instance.zone))

    def objects_read_them(self, db: api.Database) -> None:
        """Once all columns are there."""
        self.rows_are_unharmed(db)
        with db.reader() as session:
            row = instance_listing.get_row(session, Scope.project("p"), _INSTANCE_ID)
            self.assertEqual(("Bücher 📚", {"is_public": False}, "BUILD"), (row.name, row.access, row.status))
            identity = GuestIdentity.get(session, _INSTANCE_ID, for_update=False)
            self.assertEqual(({"one_time": _KEY}, 0, 0), (
                identity.keys, identity.inventory_boot, identity.inventory_sequence
            ))  # fmt: skip


_INSTANCE_ID = ids.new_id()
_KEY = "5a" * 32
_PLACE = crypto.Place("guest_identities.keys", (_INSTANCE_ID,))


def _first_rows() -> dict[str, dict[str, Any]]:
    """Return one row each of what an instance needs, as the first schema has it."""
    datastore_id, version_id = ids.new_id(), ids.new_id()
    times = dict.fromkeys(("created_at", "updated_at"), clock.utcnow().replace(tzinfo=None))
    version = {"datastore_id": datastore_id, "manager": "postgresql", "version": "17", "image_tags": "[]"}
    numbers = dict.fromkeys(("vcpus", "ram_mib", "disk_gib", "volume_gib", "revision"), 1)
    instance = {"project_id": "p", "name": "Bücher 📚", "status": "BUILD", "flavor_id": "f", "addresses": "[]"}
    return {
        "datastores": {"id": datastore_id, "name": "postgresql", **times},
        "datastore_versions": {"id": version_id, "name": "17", "active": True, **version, **times},
        "instances": {
            "id": _INSTANCE_ID,
            "datastore_version_id": version_id,
            "access": '{"is_public": false}',
            "deleted": False,
            **instance,
            **numbers,
            **times,
        },
        "guest_identities": {
            "instance_id": _INSTANCE_ID,
            "state": "ISSUED",
            "transport": "gateway",
            # As the release that had this schema wrote it.
            "keys": crypto.Keyring(crypto.current().writer, version=1).seal(
                json.dumps({"one_time": _KEY}).encode(), _PLACE
            ),
            "window": "",
            "created_at": times["created_at"],
            **dict.fromkeys(("generation", "boot", "sequence", "sent_sequence"), 0),
        },
    }


_AFTER: dict[str, Any] = {
    "expand_0001": Walk.store_first_rows,
    "expand_0002": Walk.rows_are_unharmed,
    "expand_0003": Walk.rows_are_unharmed,
    "expand_0004": Walk.rows_are_unharmed,
    "expand_0005": Walk.rows_are_unharmed,
    "expand_0006": Walk.rows_are_unharmed,
    "expand_0007": Walk.rows_are_unharmed,
    "expand_0008": Walk.rows_are_unharmed,
    "expand_0009": Walk.rows_are_unharmed,
    "expand_0010": Walk.rows_are_unharmed,
    "expand_0011": Walk.instances_get_sets,
    "contract_0001": Walk.objects_read_them,
}


class Upgrade(case.EveryDatabase):
    create_tables = False

    def test_an_empty_database_is_refused_with_the_remedy(self) -> None:
        self.assertEqual(["the database has no schema; run: trove-manage db_sync"], migration.check(self.db))
        self.assertEqual((), migration.current(self.db))

    def test_contract_is_refused_before_expand(self) -> None:
        self.assertRaisesRegex(migration.MigrationRefused, "--expand", migration.upgrade, self.db, migration.CONTRACT)
        migration.upgrade(self.db, migration.EXPAND)
        self.assertEqual(1, len(migration.check(self.db)))
        migration.upgrade(self.db, migration.CONTRACT)
        self.assertEqual([], migration.check(self.db))
        self.assertEqual(migration.heads(), migration.current(self.db))

    def test_upgrading_twice_changes_nothing(self) -> None:
        migration.upgrade(self.db)
        before = _describe(self.db)
        migration.upgrade(self.db)
        self.assertEqual(before, _describe(self.db))

    def test_two_upgrades_at_the_same_time_both_succeed(self) -> None:
        others = [api.Database(self.url) for _ in range(2)]
        for other in others:
            self.addCleanup(other.dispose)
        self.assertEqual([None, None], self.at_once(*(lambda db=other: migration.upgrade(db) for other in others)))
        self.assertEqual([], migration.check(self.db))

    def test_a_schema_expanded_by_a_newer_release_is_accepted_a_contracted_one_is_not(self) -> None:
        migration.upgrade(self.db)
        self._replace(next(h for h in migration.heads() if h.startswith("expand")), "expand_9999")
        self.assertEqual([], migration.check(self.db))
        self._replace("contract_0001", "contract_9999")
        self.assertEqual(1, len(migration.check(self.db)))

    def _replace(self, old: str, new: str) -> None:
        with self.db.engine.begin() as connection:
            statement = sa.text("UPDATE alembic_version SET version_num = :new WHERE version_num = :old")
            self.assertEqual(1, connection.execute(statement, {"old": old, "new": new}).rowcount)


class Interrupted(base.FunctionalTestCase):
    """The databases that commit each change of a table by itself; the others take an interrupted migration back."""

    def test_after_any_statement_the_upgrade_goes_on(self) -> None:
        whole, db = (self.useFixture(DatabaseFixture("mysql", create_tables=False)).db for _ in range(2))
        migration.upgrade(whole)

        def crash(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if statement.lstrip().upper().startswith(("CREATE", "ALTER")):
                raise RuntimeError("killed here")

        sa.event.listen(db.engine, "after_cursor_execute", crash)
        interrupted = 0
        while True:
            try:
                migration.upgrade(db)
            except (RuntimeError, db_exception.DBError) as err:  # as oslo.db tells of it
                self.assertIn("killed here", str(err))
                interrupted += 1
            else:
                break
        self.assertGreater(interrupted, 60)
        self.assertEqual([], migration.check(db))
        self.assertEqual(_describe(whole), _describe(db))


class Collation(case.EveryDatabase):
    create_tables = False

    def test_names_differ_by_case_and_accent(self) -> None:
        migration.upgrade(self.db)
        with self.db.writer() as session:
            for name in ("store", "Store", "störe"):
                catalog.register_version(session, datastore=name, name="1", manager="postgresql")
            self.assertEqual(3, len(catalog.Datastore.list(session)))


def _revisions(branch: str) -> list[script.Script]:
    directory = script.ScriptDirectory.from_config(migration.alembic_config())
    return [s for s in reversed(list(directory.walk_revisions())) if s.revision.startswith(f"{branch}_")]


def _describe(db: api.Database) -> dict[str, Any]:
    inspector = sa.inspect(db.engine)
    result = {}
    for table in inspector.get_table_names():
        if table != "alembic_version":
            result[table] = {
                # Sorted: a column that was added stands last, wherever its model has it.
                "columns": sorted(
                    (c["name"], repr(c["type"]), c["nullable"], repr(c["default"]))
                    for c in inspector.get_columns(table)
                ),
                "key": inspector.get_pk_constraint(table),
                "foreign": sorted(map(repr, inspector.get_foreign_keys(table))),
                "unique": sorted(repr(sorted(u.items(), key=str)) for u in inspector.get_unique_constraints(table)),
                "indexes": sorted(repr(sorted(i.items(), key=str)) for i in inspector.get_indexes(table)),
                "options": inspector.get_table_options(table),
            }
    return result
