# SPDX-License-Identifier: Apache-2.0
"""Which engine of this host a datastore version means."""

from pathlib import Path
from typing import Any

from trove.api import engines
from trove.common import ids
from trove.datastores import spi
from trove.objects.datastore import DatastoreVersion
from trove.providers.local.images.store import ROOT
from trove.tests import base
from trove.tests.unit.providers.local.images import case


class Plugin:
    """Has two versions on the host, and in an image what a file there names."""

    def detect(self, root: Path = Path("/")) -> list[spi.EngineInstallation]:
        if root == Path("/"):
            return [spi.EngineInstallation(v, Path("/opt", v), "distribution") for v in ("16.9", "16.10")]
        inside = (root / "versions").read_text().split() if (root / "versions").exists() else ()
        return [spi.EngineInstallation(version, Path("/usr"), "image") for version in inside]


class TestLocate(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir() / "images"
        root = self.directory / "trixie" / ROOT
        root.mkdir(parents=True)
        (root / "versions").write_text("17.2")
        case.make_image(self.directory, "trixie")
        self.conf = self.new_conf(local__image_dir=str(self.directory))
        self.plugin: Any = Plugin()

    def located(self, number: str, conf: Any = None) -> tuple[str, str | None] | None:
        """Return the version that was found, and its image."""
        found = engines.locate(conf or self.conf, self.plugin, number)
        return (found.installation.version, found.image) if found else None

    def test_a_number_is_itself_or_a_series(self) -> None:
        self.assertEqual(("16.9", None), self.located("16.9"))
        self.assertEqual(("16.10", None), self.located("16"))
        self.assertIsNone(self.located("1"))
        self.assertIsNone(self.located("16.1"))

    def test_images_are_looked_into(self) -> None:
        self.assertEqual(("17.2", "trixie"), self.located("17"))
        self.assertIsNone(self.located("17", self.new_conf()))

    def test_other_providers_have_no_use_for_it(self) -> None:
        self.assertIsNone(self.located("16", self.new_conf(provider="fake")))

    def test_what_is_named_and_not_found_cannot_be_ordered(self) -> None:
        plain = {
            "name": "16", "version": "16", "datastore_name": "d", "image_id": None, "image_tags": [],
            "engine_home": None, "root_image": None,
        }  # fmt: skip
        engines.require_engine(self.conf, DatastoreVersion(**plain))
        for named in ({"image_id": ids.new_id()}, {"image_tags": ["t"]}):
            version = DatastoreVersion(**{**plain, **named})
            refusal = self.assertRaises(engines.EngineMissing, engines.require_engine, self.conf, version)
            self.assertEqual(400, refusal.code)
            engines.require_engine(self.new_conf(provider="fake"), version)
            for here in ({"engine_home": "/opt"}, {"root_image": "trixie"}):
                engines.require_engine(self.conf, DatastoreVersion(**{**plain, **named, **here}))
