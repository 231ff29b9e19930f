# SPDX-License-Identifier: Apache-2.0
# covers: trove/objects/association.py
# covers: trove/objects/catalog.py
# covers: trove/objects/datastore.py
# covers: trove/objects/flavor.py
"""The catalogue: registration, resolution, removal."""

import contextlib
from typing import Any

import sqlalchemy as sa

from trove.common import clock, exception, ids
from trove.db import models
from trove.objects import association, catalog, errors
from trove.objects.catalog import Datastore, DatastoreVersion, Flavor
from trove.tests.fixtures import rows
from trove.tests.functional.db import case


class Catalog(case.EveryDatabase):
    def setUp(self) -> None:
        super().setUp()
        self.sixteen = self._register(name="16", version="16.4", default=True)

    def _register(self, **what: Any) -> DatastoreVersion:
        with self.db.writer() as session:
            return catalog.register_version(session, **{"datastore": "postgresql", "manager": "postgresql", **what})

    def _resolve(self, *reference: str | None, **options: Any) -> str:
        with self.db.reader() as session:
            return str(catalog.resolve_version(session, *reference, **options).id)

    def test_registering_again_updates_what_is_named_and_keeps_the_rest(self) -> None:
        first = self._register(name="17", engine_home="/opt/pg17", image_tags=["a", "b"])
        again = self._register(name="17", engine_home="/opt/pg17.1", active=False)
        self.assertEqual(first.id, again.id)
        self.assertEqual(
            ("17", "/opt/pg17.1", ["a", "b"], False, False, "postgresql"),
            (again.version, again.engine_home, again.image_tags, again.active, again.is_default, again.datastore_name),
        )
        self.assertIs(True, self.sixteen.is_default)

    def test_the_same_version_registered_by_several_processes_at_once(self) -> None:
        results = self.at_once(*[lambda: self._register(datastore="new", name="1")] * 3)
        self.assertEqual(1, len({getattr(r, "id", r) for r in results}))

    def test_resolution_follows_the_reference(self) -> None:
        default, store = self.sixteen.id, self.sixteen.datastore_id
        for reference in (
            ("postgresql", "16"),
            ("postgresql", None),
            (store, "16", "16.4"),
            (store.upper(), default.upper()),
            (None, None, None, "postgresql"),
            (None, "16", None, "postgresql"),
        ):
            self.assertEqual(default, self._resolve(*reference, *([None] * (4 - len(reference)))), reference)

    def test_a_name_with_several_numbers_needs_the_number(self) -> None:
        other = self._register(name="16", version="16.5")
        self.assertRaises(errors.VersionAmbiguous, self._resolve, "postgresql", "16")
        self.assertEqual(other.id, self._resolve("postgresql", "16", "16.5"))

    def test_refusals_have_the_codes_that_clients_expect(self) -> None:
        off = self._register(name="9", active=False)
        self._register(datastore="other", name="1")
        for reference, error, code in (
            ((None, None), errors.DatastoreMissing, 400),
            (("nothing", None), errors.DatastoreNotFound, 404),
            ((ids.new_id(), None), errors.DatastoreNotFound, 404),
            (("other", None), errors.VersionMissing, 400),
            (("postgresql", "11"), errors.VersionUnknown, 400),
            (("postgresql", "16", "1"), errors.VersionUnknown, 400),
            (("postgresql", ids.new_id()), errors.VersionNotFound, 404),
            (("other", self.sixteen.id), errors.VersionNotFound, 404),
            (("postgresql", "9"), errors.VersionInactive, 400),
        ):
            self.assertEqual(code, self.assertRaises(error, self._resolve, *reference).code, reference)
        self.assertEqual(off.id, self._resolve("postgresql", "9", allow_inactive=True))

    def test_listing(self) -> None:
        self._register(name="9", active=False)
        self._register(datastore="mysql", name="8", manager="mysql")
        with self.db.reader() as session:
            self.assertEqual(["mysql", "postgresql"], [d.name for d in Datastore.list(session)])
            self.assertEqual(["8", "16", "9"], [v.name for v in DatastoreVersion.list(session)])
            active = DatastoreVersion.list(session, datastore_id=self.sixteen.datastore_id, active_only=True)
            self.assertEqual([self.sixteen.id], [v.id for v in active])

    def test_change_and_removal(self) -> None:
        with self.db.writer() as session:
            version = DatastoreVersion.get(session, self.sixteen.id)
            version.active, version.packages = False, "a,b"
            version.save(session)
            store = Datastore.get_by_name_or_id(session, "postgresql")
            self.assertRaises(errors.DatastoreInUse, store.delete, session)
            self.assertEqual("a,b", DatastoreVersion.get(session, version.id).packages)
            version.delete(session)
            self.assertRaises(errors.VersionNotFound, DatastoreVersion.get, session, version.id)
            self.assertIsNone(Datastore.get_by_name_or_id(session, "postgresql").default_version_id)
            store.delete(session)
            self.assertEqual([], Datastore.list(session))

    def test_a_version_in_use_stays_and_the_refusal_names_the_users(self) -> None:
        used = [str(self.make_instance().id) for _ in range(2)]
        group = self._configuration()
        with self.db.writer() as session:
            refusal = self.assertRaises(errors.VersionInUse, self.sixteen.delete, session)
        self.assertEqual(400, refusal.code)
        for name in (*used, f"configuration group {group}"):
            self.assertIn(name, refusal.message)
        for _ in range(5):
            self.make_instance()
        with self.db.writer() as session:
            refusal = self.assertRaises(errors.VersionInUse, self.sixteen.delete, session)
        self.assertIn("more instances", refusal.message)
        self.assertEqual(5, refusal.message.count(" instance "))

    def _configuration(self) -> str:
        now, group = clock.utcnow(), ids.new_id()
        with self.db.writer() as session:
            session.add(
                models.Configuration(
                    id=group, project_id="p", name="g", description=None, datastore_version_id=self.sixteen.id,
                    values={}, revision=1, created_at=now, updated_at=now,
                )
            )  # fmt: skip
        return group

    def test_a_version_of_deleted_instances_is_hidden_and_comes_back(self) -> None:
        instance = self.make_instance()
        with self.db.writer() as session:
            gone = sa.update(models.Instance).where(models.Instance.id == instance.id)
            session.execute(gone.values(deleted=True, deleted_at=clock.utcnow()))
            association.add(session, self.sixteen, association.Kind.FLAVOR, ["1"])
            self.sixteen.delete(session)
        with self.db.writer() as session:
            store = Datastore.get_by_name_or_id(session, "postgresql")
            self.assertIsNone(store.default_version_id)
            self.assertEqual([], DatastoreVersion.list(session))
            self.assertRaises(errors.VersionNotFound, DatastoreVersion.get, session, self.sixteen.id)
            self.assertRaises(errors.VersionNotFound, self.sixteen.hold, session)
            self.assertRaises(errors.VersionUnknown, DatastoreVersion.get_by_name_or_id, session, store, "16")
            kept = DatastoreVersion.get(session, self.sixteen.id, include_deleted=True)
            self.assertEqual(("16", "postgresql"), (kept.name, kept.datastore_name))
            store.delete(session)
        with self.db.reader() as session:
            self.assertEqual([], Datastore.list(session))
            self.assertRaises(errors.DatastoreNotFound, Datastore.get_by_name_or_id, session, "postgresql")
        again = self._register(name="16", version="16.4", packages="x")
        self.assertEqual((self.sixteen.id, "x", None, True), (again.id, again.packages, again.deleted_at, again.active))
        with self.db.reader() as session:
            self.assertEqual([], association.values(session, again.id, association.Kind.FLAVOR))

    def test_creating_a_version_that_exists_is_refused(self) -> None:
        with self.db.writer() as session:
            made = catalog.create_version(
                session, datastore="new", name="1", manager="postgresql", image_tags=["a"], default=True
            )
        self.assertEqual(("1", ["a"], True), (made.version, made.image_tags, made.is_default))
        with self.db.writer() as session:
            self.assertRaises(
                errors.VersionExists, catalog.create_version, session, datastore="new", name="1", manager="mysql"
            )
        with self.db.writer() as session:
            made.delete(session)
            again = catalog.create_version(session, datastore="new", name="1", manager="mysql")
        self.assertEqual(("mysql", [], False), (again.manager, again.image_tags, again.is_default))

    def test_of_several_who_create_the_same_version_one_does(self) -> None:
        def create() -> DatastoreVersion:
            with self.db.writer() as session:
                return catalog.create_version(session, datastore="new", name="1", manager="postgresql")

        results = self.at_once(create, create, create)
        self.assertEqual(1, len([r for r in results if isinstance(r, DatastoreVersion)]), results)

    def test_renaming_onto_another_version_is_refused(self) -> None:
        other = self._register(name="17", version="16.4")
        with contextlib.suppress(errors.VersionExists), self.db.writer() as session:
            other.name = "16"
            other.save(session)
            self.fail("two versions with the same name and number")
        with self.db.reader() as session:
            self.assertEqual(["16", "17"], [version.name for version in DatastoreVersion.list(session)])

    def test_an_instance_that_is_being_stored_keeps_its_version(self) -> None:
        def store() -> str:
            with self.db.writer() as session:
                self.sixteen.hold(session)
                return str(rows.make_instance(session).id)

        def delete() -> None:
            with self.db.writer() as session:
                self.sixteen.delete(session)

        stored, deleted = self.at_once(store, delete)
        self.assertNotEqual(isinstance(stored, Exception), isinstance(deleted, Exception), (stored, deleted))
        (refusal,) = [result for result in (stored, deleted) if isinstance(result, Exception)]
        self.assertIsInstance(refusal, exception.TroveError)

    def test_associations(self) -> None:
        kind = association.Kind.FLAVOR
        with self.db.writer() as session:
            for number in "123":
                catalog.register_flavor(session, id=number, name=f"f{number}", vcpus=1, ram_mib=512)
            self.assertEqual(3, len(association.flavors(session, self.sixteen)))
            association.check_flavor(session, self.sixteen, "1")
            association.add(session, self.sixteen, kind, ["2", "3", "2"])
            association.add(session, self.sixteen, kind, ["3"])
            self.assertEqual(["2", "3"], association.values(session, self.sixteen.id, kind))
            self.assertEqual(["2", "3"], [flavor.id for flavor in association.flavors(session, self.sixteen)])
            refusal = self.assertRaises(errors.FlavorNotAllowed, association.check_flavor, session, self.sixteen, "1")
            self.assertIn("2, 3", refusal.message)
            association.remove(session, self.sixteen, kind, ["2", "9"])
            self.assertEqual(["3"], association.values(session, self.sixteen.id, kind))
            association.remove(session, self.sixteen, kind, ["3"])
            association.check_flavor(session, self.sixteen, "1")

    def test_the_volume_type_of_a_new_instance(self) -> None:
        def choose(wanted: str | None, default: str | None = None, *, private: bool = False) -> str | None:
            with self.db.reader() as session:
                return association.choose_volume_type(session, self.sixteen, wanted, default, private=private)

        with self.db.writer() as session:
            catalog.register_volume_type(session, id="a", name="fast")
            catalog.register_volume_type(session, id="b", name="slow", description="spinning")
            catalog.register_volume_type(session, id="c", name="hidden", is_public=False)
        self.assertIsNone(choose(None))
        self.assertEqual(["fast", "slow", "fast"], [choose("fast"), choose(None, "slow"), choose("a", "slow")])
        self.assertRaises(errors.VolumeTypeUnknown, choose, "nope")
        self.assertRaises(errors.VolumeTypeUnknown, choose, "hidden")
        self.assertEqual("hidden", choose("hidden", private=True))
        with self.db.writer() as session:
            association.add(session, self.sixteen, association.Kind.VOLUME_TYPE, ["c"])
        self.assertEqual(["hidden", "hidden"], [choose(None), choose("c")])
        refusal = self.assertRaises(errors.VolumeTypeNotAllowed, choose, "fast")
        self.assertIn("one of: hidden", refusal.message)
        self.assertRaises(errors.VolumeTypeNotAllowed, choose, None, "slow")
        with self.db.writer() as session:
            association.add(session, self.sixteen, association.Kind.VOLUME_TYPE, ["a"])
            shown = association.volume_types(session, self.sixteen, private=False)
        self.assertEqual(["fast", "hidden"], [row.name for row in shown])
        self.assertIn("fast, hidden", self.assertRaises(errors.VolumeTypeNotAllowed, choose, None).message)

    def test_flavors(self) -> None:
        with self.db.writer() as session:
            catalog.register_flavor(session, id="2", name="big", vcpus=4, ram_mib=4096, disk_gib=20)
            catalog.register_flavor(session, id="1", name="small", vcpus=1, ram_mib=512)
            catalog.register_flavor(session, id="1", name="smaller", vcpus=1, ram_mib=256)
            self.assertEqual(
                [("1", "smaller", 256), ("2", "big", 4096)], [(f.id, f.name, f.ram_mib) for f in Flavor.list(session)]
            )
            self.assertRaises(errors.FlavorNotFound, Flavor.get, session, "3")
