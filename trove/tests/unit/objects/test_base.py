# SPDX-License-Identifier: Apache-2.0
"""Versioned objects: fingerprints, fields against columns, secrets in repr."""

from typing import Any

from oslo_versionedobjects import base as ovo_base
from oslo_versionedobjects import fields, fixture

from trove import objects
from trove.db import models
from trove.objects import base
from trove.objects.guest_identity import GuestIdentity
from trove.tests import base as test_base

# When this test fails you have changed an object's fields or remotable methods. Raise its VERSION, add a line to the
# history above it, teach obj_make_compatible() what an older reader must not see, and only then put the new
# fingerprint here.
FINGERPRINTS = {
    "Configuration": "1.0-5eff0bb0a0cb60f9c28e4524a73bf5b5",
    "Datastore": "1.1-19442505bb8ec7a54530dc0c9e80f953",
    "DatastoreVersion": "1.1-f7e7ddc1df598f7a230d87636e076e2a",
    "Flavor": "1.0-129502b21896e18fa4e91e1789fe24e3",
    "GuestCommand": "1.1-1e812ca64be22c24df72d62366749072",
    "GuestIdentity": "1.2-e1ed59a67e4dca3c0a0fd722e61876fe",
    "Instance": "1.2-7b71758b3fee0cfde0c041356567a98b",
    "InstanceSet": "1.0-55dbcac3eb04bfbfae793fcffcbb0fe4",
    "Module": "1.0-d550f83c513dfe22fc2d674977279d78",
    "VolumeType": "1.0-565d056bfcd290f1b016bb0f3d453d23",
}


def _registered() -> dict[str, list[type[base.TroveObject]]]:
    objects.register_all()
    found = ovo_base.VersionedObjectRegistry.obj_classes()
    return {name: classes for name, classes in found.items() if classes[0].OBJ_PROJECT_NAMESPACE == "trove"}


class Fingerprints(test_base.UnitTestCase):
    def test_no_object_changed_without_a_new_version(self) -> None:
        expected, actual = fixture.ObjectVersionChecker(_registered()).test_hashes(FINGERPRINTS)
        self.assertEqual(expected, actual)

    def test_old_versions_can_be_made(self) -> None:
        fixture.ObjectVersionChecker(_registered()).test_compatibility_routines()


class Fields(test_base.UnitTestCase):
    def test_fields_are_exactly_the_columns(self) -> None:
        for name, (cls, *_) in _registered().items():
            columns = {c.name: c.nullable for c in cls.table().columns}
            fields = {n: f.nullable for n, f in cls.fields.items() if n not in cls.joined}
            self.assertEqual(columns, fields, name)

    def test_objects_survive_serialisation(self) -> None:
        identity = GuestIdentity(instance_id="3f0ac4c5-0a0f-4d6a-9a0c-2f8b1d6f1c11", keys={"one_time": "aa"}, boot=3)
        again = GuestIdentity.obj_from_primitive(identity.obj_to_primitive())
        self.assertEqual(({"one_time": "aa"}, 3), (again.keys, again.boot))

    def test_repr_shows_the_key_and_nothing_else(self) -> None:
        identity = GuestIdentity(instance_id="3f0ac4c5-0a0f-4d6a-9a0c-2f8b1d6f1c11", keys={"one_time": "very-secret"})
        self.assertEqual("<GuestIdentity instance_id=3f0ac4c5-0a0f-4d6a-9a0c-2f8b1d6f1c11>", repr(identity))
        self.assertEqual("<GuestIdentity instance_id=?>", repr(GuestIdentity()))
        self.assertNotIn("very-secret", str(identity))


class Pins(test_base.UnitTestCase):
    """What is written while a process of an older release runs is written as that one reads it."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(base.pin, {})
        self.useFixture(fixture.VersionedObjectRegistryFixture())
        ovo_base.VersionedObjectRegistry.register(Newer)

    def written(self, pins: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
        base.pin(pins)
        flavor = Newer(name="tiny", ram=512)
        whole = flavor.column_values()
        flavor.obj_reset_changes()
        flavor.name = "small"
        return whole, flavor.changed_columns()

    def test_nobody_older_runs(self) -> None:
        for pins in ({}, {"Flavor": "1.0"}, {"Newer": "1.10"}, {"Newer": "2.0"}):
            self.assertEqual(({"name": "tiny", "ram": 512}, {"name": "small"}), self.written(pins), pins)

    def test_an_older_one_runs(self) -> None:
        self.assertEqual(({"name": "TINY", "ram": 512}, {"name": "SMALL"}), self.written({"Newer": "1.9"}))

    def test_the_object_itself_stays(self) -> None:
        base.pin({"Newer": "1.9"})
        flavor = Newer(name="tiny")
        flavor.column_values()
        self.assertEqual("tiny", flavor.name)


class Newer(base.TroveObject):
    """An object whose version before the present one knew capital letters only."""

    VERSION = "1.10"
    model = models.Flavor
    fields = {"name": fields.StringField(), "ram": fields.IntegerField()}

    def obj_make_compatible(self, primitive: dict[str, Any], target_version: str) -> None:
        super().obj_make_compatible(primitive, target_version)
        if base.version_key(target_version) < (1, 10) and "name" in primitive:
            primitive["name"] = primitive["name"].upper()


class Clip(test_base.UnitTestCase):
    def test_clip_keeps_the_end_and_drops_nul(self) -> None:
        self.assertEqual("cd", base.clip("a\x00bcd", 2))
        self.assertIsNone(base.clip(None))
        self.assertEqual("short", base.clip("short"))
