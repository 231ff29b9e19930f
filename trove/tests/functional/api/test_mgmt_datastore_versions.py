# SPDX-License-Identifier: Apache-2.0
"""Operators make, change and delete datastore versions, through the whole application."""

from pathlib import Path
from typing import Any

from trove.common import ids
from trove.datastores import spi
from trove.objects import association, catalog
from trove.providers import base as provider
from trove.tests.functional.api import base, world

PATH = "/mgmt/datastore-versions"


class InstalledEngine(world.KeyValueEngine):
    """An engine that this host has in two versions."""

    name = "installed"

    def detect(self, root: Path = Path("/")) -> list[spi.EngineInstallation]:
        """Find both, newest first."""
        return [spi.EngineInstallation(number, Path("/opt", number), "distribution") for number in ("2.10", "2.9")]


class MgmtVersionsTest(world.InstanceTestCase):
    def plugins(self) -> dict[str, spi.Plugin]:
        return {**super().plugins(), "installed": InstalledEngine()}

    def body(self, **changes: Any) -> dict[str, Any]:
        """Return what the command-line client sends; ``None`` takes a member out."""
        given = {
            "name": "9", "datastore_name": "fresh", "datastore_manager": "tiny", "image_tags": [], "packages": [],
            "active": True, "default": False, "image": ids.new_id(), **changes,
        }  # fmt: skip
        return {"version": {key: value for key, value in given.items() if value is not None}}

    def made(self, **changes: Any) -> dict[str, Any]:
        """Make a version and return it as operators see it."""
        body = self.body(**changes)
        answer = self.call("POST", PATH, body, status=202, app=self.admin)
        self.assertEqual(b"", answer.body)
        versions = self.call("GET", PATH, status=200, app=self.admin).json["versions"]
        wanted = body["version"]
        (found,) = [
            v for v in versions if (v["datastore_name"], v["name"]) == (wanted["datastore_name"], wanted["name"])
        ]
        self.assertEqual(found, self.shown(found["id"]))
        return dict(found)

    def shown(self, version_id: str) -> dict[str, Any]:
        """Return a version as operators see it."""
        return dict(self.call("GET", f"{PATH}/{version_id}", status=200, app=self.admin).json["version"])

    def edit(self, version_id: str, status: int = 202, **body: Any) -> Any:
        """Change a version."""
        return self.call("PATCH", f"{PATH}/{version_id}", body, status=status, app=self.admin)

    def test_a_new_version_with_its_datastore(self) -> None:
        image = ids.new_id()
        found = self.made(image=image.upper(), packages=["a", "b"], default=True)
        self.assertEqual(
            {
                "id": found["id"], "name": "9", "version": "9", "datastore_id": found["datastore_id"],
                "datastore_name": "fresh", "datastore_manager": "tiny", "image": image, "image_tags": [],
                "packages": ["a", "b"], "active": True, "default": True, "registry_ext": "tiny", "repl_strategy": "",
            },
            found,
        )  # fmt: skip
        store = self.call("GET", "/datastores/fresh", status=200).json["datastore"]
        self.assertEqual((found["id"], ["9"]), (store["default_version"], [v["name"] for v in store["versions"]]))
        seen = self.call("GET", "/datastores/fresh/versions/9", status=200, app=self.admin).json["version"]
        self.assertEqual((image, "a,b", "tiny"), (seen["image"], seen["packages"], seen["registry_ext"]))

    def test_number_tags_and_strategies_are_kept(self) -> None:
        found = self.made(
            name="nine", version="9.1", image=None, image_tags=["trove", "tiny"], packages=None, default=None,
            active=False, registry_ext="my.Manager", repl_strategy="my.Strategy",
        )  # fmt: skip
        self.assertEqual(("9.1", None, ["trove", "tiny"], [], False), tuple(
            found[key] for key in ("version", "image", "image_tags", "packages", "active")
        ))  # fmt: skip
        self.assertEqual(("my.Manager", "my.Strategy"), (found["registry_ext"], found["repl_strategy"]))
        self.call("GET", "/datastores/fresh/versions/nine", status=200)
        self.assertNotIn("fresh", [d["name"] for d in self.call("GET", "/datastores", status=200).json["datastores"]])

    def test_the_engine_of_this_host_is_joined_to_the_version(self) -> None:
        found = self.made(name="2", datastore_manager="installed", image=None)
        with self.db.reader() as session:
            row = catalog.DatastoreVersion.get(session, found["id"])
        self.assertEqual(("/opt/2.10", None), (row.engine_home, row.root_image))
        self.edit(found["id"], active=False)
        self.assertFalse(self.shown(found["id"])["active"])

    def test_a_version_whose_engine_is_not_here_cannot_be_ordered(self) -> None:
        self.made(name="3", datastore_manager="installed", default=True)
        wanted = self.wanted(datastore={"type": "fresh", "version": "3"}, volume=None)
        message = self.refused("POST", "/instances", wanted, status=400)
        self.assertIn("no engine with the number 3 was found", message)
        self.made(name="2.9", datastore_manager="installed")
        self.create(datastore={"type": "fresh", "version": "2.9"}, volume=None)

    def test_what_cannot_be_made_is_refused_and_changes_nothing(self) -> None:
        self.made()
        for changes, words in (
            ({}, "already has a version '9'"),
            ({"datastore_manager": "oracle"}, "installed are: hosts, installed, postgresql, tiny"),
            ({"name": "10", "image": None}, "needs image or image_tags"),
            ({"image": "latest"}, "version.image must be a UUID"),
            ({"image_tags": ["x" * 21]}, "version.image_tags[0] must have 1 to 20 characters"),
            ({"image_tags": list("abcdef")}, "at most 5 items"),
            ({"active": "yes"}, "version.active must be true or false"),
            ({"datastore_name": None}, "version.datastore_name is required"),
            ({"name": "-"}, "version.name must have"),
            ({"colour": "red"}, "version.colour is not allowed"),
            ({"name": "10", "packages": ["p" * 200] * 3}, "at most 511 characters"),
        ):
            with self.subTest(words):
                self.assertIn(words, self.refused("POST", PATH, self.body(**changes), status=400, app=self.admin))

    def test_a_change_leaves_the_rest(self) -> None:
        first, second, image = self.made(name="9"), self.made(name="10", default=True), ids.new_id()
        version_id = first["id"]
        self.edit(version_id, packages=["p"], registry_ext="x")
        self.assertEqual({**first, "packages": ["p"], "registry_ext": "x"}, self.shown(version_id))
        self.edit(version_id, image_tags=["t"])
        self.assertEqual((None, ["t"]), tuple(self.shown(version_id)[key] for key in ("image", "image_tags")))
        self.edit(version_id, image=image)
        self.assertEqual((image, ["t"]), tuple(self.shown(version_id)[key] for key in ("image", "image_tags")))
        self.edit(version_id, name="nine", datastore_manager="postgresql")
        self.assertEqual(("nine", "9", "postgresql"), tuple(
            self.shown(version_id)[key] for key in ("name", "version", "datastore_manager")
        ))  # fmt: skip
        self.edit(version_id, default=True)
        self.assertEqual((True, False), (self.shown(version_id)["default"], self.shown(second["id"])["default"]))
        self.edit(second["id"], default=False)
        self.assertTrue(self.shown(version_id)["default"])
        self.edit(version_id, default=False)
        self.assertFalse(self.shown(version_id)["default"])
        self.edit(version_id)

    def test_a_deactivated_default_stays_the_default(self) -> None:
        found = self.made(default=True)
        self.edit(found["id"], active=False)
        self.assertTrue(self.shown(found["id"])["default"])
        self.refused("POST", "/instances", self.wanted(datastore={"type": "fresh"}, volume=None), status=400)

    def test_changes_that_are_refused(self) -> None:
        found, other = self.made(), self.made(name="10", version="9")
        for body, words in (
            ({"version": "11"}, "version is not allowed"),
            ({"colour": "red"}, "colour is not allowed"),
            ({"image_tags": []}, "needs image or image_tags"),
            ({"datastore_manager": "oracle"}, "There is no datastore manager 'oracle'"),
            ({"name": other["name"]}, "already has a version '10'"),
        ):
            with self.subTest(words):
                message = self.refused("PATCH", f"{PATH}/{found['id']}", body, status=400, app=self.admin)
                self.assertIn(words, message)
        for version_id in (ids.new_id(), "9"):
            for method, body in (("GET", None), ("PATCH", {"active": True}), ("DELETE", None)):
                self.call(method, f"{PATH}/{version_id}", body, status=404, app=self.admin)

    def test_deletion(self) -> None:
        found = self.made(default=True)
        self.assertIn("still has versions", self.refused("DELETE", "/datastores/fresh", status=400, app=self.admin))
        self.call("DELETE", f"{PATH}/{found['id']}", status=202, app=self.admin)
        self.call("GET", f"{PATH}/{found['id']}", status=404, app=self.admin)
        self.call("GET", f"/datastores/versions/{found['id']}", status=404)
        self.assertNotIn("default_version", self.call("GET", "/datastores/fresh", status=200).json["datastore"])
        self.call("DELETE", "/datastores/fresh", status=202, app=self.admin)
        self.call("GET", "/datastores/fresh", status=404)

    def test_a_version_in_use_is_not_deleted_until_its_instance_is_gone(self) -> None:
        instance_id = self.active()
        path = f"{PATH}/{self.version.id}"
        self.assertIn(f"instance {instance_id}", self.refused("DELETE", path, status=400, app=self.admin))
        self.call("DELETE", f"/instances/{instance_id}", status=202)
        self.settle()
        self.call("DELETE", path, status=202, app=self.admin)
        self.call("DELETE", "/datastores/postgresql", status=202, app=self.admin)
        made = self.made(datastore_name="postgresql", name="16", datastore_manager="postgresql")
        self.assertEqual(self.version.id, made["id"])

    def test_only_administrators(self) -> None:
        version_id = self.version.id
        for method, path, body in (
            ("GET", PATH, None),
            ("POST", PATH, {"nonsense": 1}),
            ("GET", f"{PATH}/{version_id}", None),
            ("PATCH", f"{PATH}/{version_id}", {"nonsense": 1}),
            ("DELETE", f"{PATH}/{version_id}", None),
        ):
            with self.subTest(f"{method} {path}"):
                self.refused(method, path, body, status=401)
        self.refused("DELETE", "/datastores/postgresql", status=403)


class RestrictionsTest(world.InstanceTestCase):
    def restrict(self, kind: association.Kind, *values: str) -> None:
        """Restrict PostgreSQL 16."""
        with self.db.writer() as session:
            association.add(session, self.version, kind, values)

    def types(self) -> None:
        """Make volume types ``fast``, ``slow`` and ``hidden``."""
        with self.db.writer() as session:
            catalog.register_volume_type(session, id="a", name="fast", description="flash")
            catalog.register_volume_type(session, id="b", name="slow")
            catalog.register_volume_type(session, id="c", name="hidden", is_public=False)

    def names(self, path: str, **options: Any) -> list[str]:
        """Return the names in a list of volume types."""
        return [row["name"] for row in self.call("GET", path, status=200, **options).json["volume_types"]]

    def test_volume_types(self) -> None:
        self.types()
        self.assertEqual(["fast", "slow"], self.names("/volume-types"))
        self.assertEqual(["fast", "hidden", "slow"], self.names("/volume-types", app=self.admin))
        shown = self.call("GET", "/volume-types/fast", status=200).json["volume_type"]
        self.assertEqual({"id": "a", "name": "fast", "is_public": True, "description": "flash"}, shown)
        self.assertEqual(shown, self.call("GET", "/volume-types/a", status=200).json["volume_type"])
        for name in ("hidden", "nope"):
            self.call("GET", f"/volume-types/{name}", status=404)
        self.call("GET", "/volume-types/hidden", status=200, app=self.admin)
        path = "/datastores/postgresql/versions/16/volume-types"
        self.assertEqual(["fast", "slow"], self.names(path))
        self.restrict(association.Kind.VOLUME_TYPE, "b", "c")
        self.assertEqual(["hidden", "slow"], self.names(path))

    def test_a_volume_of_a_type(self) -> None:
        self.types()
        self.assertIn("'nope'", self.refused("POST", "/instances", self.typed("nope"), status=400))
        self.refused("POST", "/instances", self.typed("hidden"), status=400)
        asked, ensure_volume = [], self.cloud.ensure_volume

        def listening(spec: provider.VolumeSpec) -> provider.Volume:
            asked.append((spec.size_gib, spec.type))
            return ensure_volume(spec)

        self.cloud.ensure_volume = listening
        instance_id = self.active(volume={"size": 2, "type": "a"})
        self.action(instance_id, {"resize": {"volume": {"size": 3}}})
        self.settle()
        self.assertEqual({(2, "fast"), (3, "fast")}, set(asked))
        self.restrict(association.Kind.VOLUME_TYPE, "b")
        self.assertIn("one of: slow", self.refused("POST", "/instances", self.typed("fast"), status=400))
        other = self.create(volume={"size": 1})
        (row,) = [row for row in self.rows(world.models.Instance) if row["id"] == other["id"]]
        self.assertEqual("slow", row["volume_type"])

    def test_the_configured_type(self) -> None:
        self.types()
        self.conf.set_override("cinder_volume_type", "slow")
        self.create(volume={"size": 1, "type": None})
        self.assertEqual(["slow"], [row["volume_type"] for row in self.rows(world.models.Instance)])

    def typed(self, volume_type: str) -> dict[str, Any]:
        """Return a body that wants a volume of a type."""
        return self.wanted(volume={"size": 2, "type": volume_type})

    def test_flavors(self) -> None:
        instance_id = self.active()
        self.restrict(association.Kind.FLAVOR, "medium", "gone")
        path = "/datastores/postgresql/versions/16/flavors"
        self.assertEqual(["medium"], [f["str_id"] for f in self.call("GET", path, status=200).json["flavors"]])
        self.assertIn("use one of gone, medium", self.refused("POST", "/instances", self.wanted(), status=400))
        self.refused("POST", f"/instances/{instance_id}/action", {"resize": {"flavorRef": "5"}}, status=400)
        self.action(instance_id, {"resize": {"flavorRef": "medium"}})
        self.settle()
        self.assertEqual("medium", self.show(instance_id)["flavor"]["id"])

    def test_an_instance_outlives_its_flavor(self) -> None:
        instance_id = self.active()
        with self.db.writer() as session:
            session.execute(world.sa.delete(world.models.Flavor))
        self.assertEqual("small", self.show(instance_id)["flavor"]["id"])
        self.assertEqual((1, 512, 2), self.usages())
        self.call("DELETE", f"/instances/{instance_id}", status=202)
        self.settle()
        self.call("GET", f"/instances/{instance_id}", status=404)
        self.assertEqual((0, 0, 0), self.usages())


class EveryDatabaseTest(base.ApiTestCase):
    """A version made twice is an error of the client on every database."""

    dialect = "postgresql"

    def plugins(self) -> dict[str, spi.Plugin]:
        return {"tiny": world.KeyValueEngine()}

    def test_a_duplicate(self) -> None:
        client = self.make_app(self.new_conf(auth_strategy="noauth", noauth_admin=True))
        body = {"name": "1", "datastore_name": "d", "datastore_manager": "tiny", "active": True, "image": ids.new_id()}
        for number in ("1", "2"):
            self.call("POST", PATH, {"version": {**body, "name": number, "version": "7"}}, status=202, app=client)
        self.call("POST", PATH, {"version": {**body, "version": "7"}}, status=400, app=client)
        first, _ = self.call("GET", PATH, status=200, app=client).json["versions"]
        fault = self.fault(
            self.call("PATCH", f"{PATH}/{first['id']}", {"name": "2"}, status=400, app=client, version="1.1")
        )
        self.assertEqual("datastore_version.exists", fault["symbol"])


class OnMariaDB(EveryDatabaseTest):
    dialect = "mysql"
