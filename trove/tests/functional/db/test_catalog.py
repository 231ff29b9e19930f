# SPDX-License-Identifier: Apache-2.0
"""The catalogue: registration, resolution, removal."""

from typing import Any

from trove.common import ids
from trove.objects import catalog, errors
from trove.objects.catalog import Datastore, DatastoreVersion, Flavor
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

    def test_a_version_that_an_instance_was_made_from_stays(self) -> None:
        self.make_instance()
        with self.db.writer() as session:
            self.assertRaises(errors.VersionInUse, self.sixteen.delete, session)

    def test_flavors(self) -> None:
        with self.db.writer() as session:
            catalog.register_flavor(session, id="2", name="big", vcpus=4, ram_mib=4096, disk_gib=20)
            catalog.register_flavor(session, id="1", name="small", vcpus=1, ram_mib=512)
            catalog.register_flavor(session, id="1", name="smaller", vcpus=1, ram_mib=256)
            self.assertEqual(
                [("1", "smaller", 256), ("2", "big", 4096)], [(f.id, f.name, f.ram_mib) for f in Flavor.list(session)]
            )
            self.assertRaises(errors.FlavorNotFound, Flavor.get, session, "3")
