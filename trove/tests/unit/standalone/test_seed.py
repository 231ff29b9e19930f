# SPDX-License-Identifier: Apache-2.0
"""What a host's catalogue is filled with, from its own engines and from those in images."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trove.datastores import spi
from trove.objects import catalog
from trove.objects.datastore import DatastoreVersion
from trove.providers.local.images.store import ROOT, Images
from trove.standalone import seed
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.unit.providers.local.images import case


class Plugin:
    """Finds on the host what it was told, and in an image what a file there names."""

    def __init__(self, *versions: str) -> None:
        self.versions = list(versions)

    def detect(self, root: Path = Path("/")) -> list[spi.EngineInstallation]:
        if root == Path("/"):
            return [spi.EngineInstallation(v, Path("/opt/tiny", v), "distribution") for v in self.versions]
        inside: Sequence[str] = (root / "versions").read_text().split() if (root / "versions").exists() else ()
        return [spi.EngineInstallation(version, Path("/usr"), "image") for version in inside]


class TestSeed(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        self.directory = self.tempdir() / "images"
        self.directory.mkdir()
        self.plugin = Plugin("9.2", "10.1")

    def image(self, name: str, *versions: str, built_at: str = "2026-01-01T00:00:00Z") -> None:
        root = self.directory / name / ROOT
        root.mkdir(parents=True)
        (root / "versions").write_text(" ".join(versions))
        case.make_image(self.directory, name, built_at=built_at)

    def seed(self) -> tuple[Mapping[str, DatastoreVersion], list[str]]:
        plugins: Any = {"tiny": self.plugin}
        with self.db.writer() as session:
            lines = seed.seed(session, plugins, Images(self.directory))
        with self.db.reader() as session:
            return {row.name: row for row in DatastoreVersion.list(session)}, lines

    def test_the_host_and_its_images(self) -> None:
        self.image("new", "11.0", "9.2")
        rows, lines = self.seed()
        self.assertEqual({"9.2", "10.1", "11.0"}, set(rows))
        self.assertEqual(("/opt/tiny/9.2", None), (rows["9.2"].engine_home, rows["9.2"].root_image))
        self.assertEqual(("/usr", "new"), (rows["11.0"].engine_home, rows["11.0"].root_image))
        self.assertIs(True, rows["11.0"].is_default)
        self.assertIn("datastore tiny 11.0 (image new)", lines)
        self.assertEqual(["11.0", "10.1", "9.2"], [line.split()[2] for line in lines if line.startswith("datastore")])

    def test_the_image_built_last_is_taken(self) -> None:
        self.image("b-old", "11.0", built_at="2026-01-01T00:00:00Z")
        self.image("a-new", "11.0", built_at="2026-02-01T00:00:00Z")
        self.assertEqual("a-new", self.seed()[0]["11.0"].root_image)

    def test_a_version_of_the_operator_that_an_engine_fits_stays(self) -> None:
        self.seed()
        with self.db.writer() as session:
            catalog.register_version(
                session, datastore="tiny", name="10", manager="tiny", engine_home="/opt/tiny/10.1", default=True
            )
        rows, _ = self.seed()
        self.assertEqual((True, True), (rows["10"].active, rows["10"].is_default))
        self.plugin.versions.remove("10.1")
        self.assertFalse(self.seed()[0]["10"].active)
        self.plugin.versions.append("10.3")
        rows, _ = self.seed()
        self.assertEqual((True, "/opt/tiny/10.3"), (rows["10"].active, rows["10"].engine_home))

    def test_what_an_operator_has_deactivated_stays_so(self) -> None:
        rows, _ = self.seed()
        with self.db.writer() as session:
            row = DatastoreVersion.get(session, rows["10.1"].id)
            row.active = False
            row.save(session)
        rows, _ = self.seed()
        self.assertEqual((False, True), (rows["10.1"].active, rows["9.2"].active))
        self.plugin.versions.remove("9.2")
        self.assertFalse(self.seed()[0]["9.2"].active)
        self.plugin.versions.append("9.2")
        rows, _ = self.seed()
        self.assertEqual((False, True, None), (rows["10.1"].active, rows["9.2"].active, rows["9.2"].engine_missing_at))

    def test_the_volume_type(self) -> None:
        self.assertIn("volume type local local", self.seed()[1])
        with self.db.reader() as session:
            self.assertEqual(["local"], [row.id for row in catalog.VolumeType.list(session)])

    def test_a_version_that_moves_to_the_host_leaves_its_image(self) -> None:
        self.image("new", "11.0")
        self.seed()
        self.plugin.versions.append("11.0")
        row = self.seed()[0]["11.0"]
        self.assertEqual(("/opt/tiny/11.0", None, True), (row.engine_home, row.root_image, row.active))

    def test_what_is_gone_is_deactivated_and_comes_back(self) -> None:
        self.image("new", "11.0")
        self.seed()
        shutil.move(self.directory / "new", self.directory / ".elsewhere")
        rows, lines = self.seed()
        self.assertIs(False, rows["11.0"].active)
        self.assertIs(True, rows["10.1"].is_default)
        self.assertIn("datastore tiny 11.0 is no longer installed: deactivated", lines)
        shutil.move(self.directory / ".elsewhere", self.directory / "new")
        self.assertIs(True, self.seed()[0]["11.0"].active)

    def test_images_that_cannot_be_used_are_named_and_not_registered(self) -> None:
        self.image("changed", "11.0")
        (self.directory / "changed" / ROOT / "versions").write_text("11.0 12.0")
        (self.directory / ".building-half").mkdir()
        rows, lines = self.seed()
        self.assertEqual({"9.2", "10.1"}, set(rows))
        self.assertTrue(any(line.startswith("image half incomplete") for line in lines), lines)
        self.assertTrue(any("'changed' is not what was built" in line for line in lines), lines)

    def test_a_default_that_is_still_there_is_kept(self) -> None:
        self.seed()
        with self.db.writer() as session:
            store = catalog.Datastore.get_by_name_or_id(session, "tiny")
            store.set_default(session, DatastoreVersion.get_by_name_or_id(session, store, "9.2").id)
        self.image("new", "11.0")
        self.assertIs(True, self.seed()[0]["9.2"].is_default)

    def test_without_images(self) -> None:
        plugins: Any = {"tiny": self.plugin}
        with self.db.writer() as session:
            lines = seed.seed(session, plugins)
        self.assertIn("datastore tiny 10.1 (distribution)", lines)
