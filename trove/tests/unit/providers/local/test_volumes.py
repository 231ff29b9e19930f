# SPDX-License-Identifier: Apache-2.0
"""Volumes on this host."""

from trove.providers import base
from trove.providers.local.records import Store
from trove.providers.local.volumes import Volumes
from trove.tests import base as tests


class VolumesTest(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.store = Store(self.tempdir())
        self.volumes = Volumes(self.store)

    def test_growing_keeps_the_data(self) -> None:
        self.volumes.ensure(base.VolumeSpec("t", 1))
        (self.volumes.data_dir("t") / "file").write_text("x")
        self.assertEqual(2, self.volumes.ensure(base.VolumeSpec("t", 2)).size_gib)
        self.assertEqual("x", (self.volumes.data_dir("t") / "file").read_text())

    def test_removal_takes_the_data_along(self) -> None:
        self.volumes.ensure(base.VolumeSpec("t", 1))
        (self.volumes.data_dir("t") / "file").write_text("x")
        self.volumes.remove("t")
        self.assertFalse(self.store.directory("volume", "t").exists())
        self.assertEqual([], list((self.store.base_dir / "trash").iterdir()))

    def test_volume_of_a_server_stays(self) -> None:
        self.volumes.ensure(base.VolumeSpec("t", 1))
        self.store.make_directory("server", {"tag": "s", "volume_tag": "t"}, "state", {})
        err = self.assertRaises(base.ConflictError, self.volumes.remove, "t")
        self.assertIn("server s", str(err))
