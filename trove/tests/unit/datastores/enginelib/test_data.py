# SPDX-License-Identifier: Apache-2.0

from trove.datastores import spi
from trove.datastores.enginelib import data
from trove.tests import base


class TestDataDirectory(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.volume = self.tempdir()
        self.directory = data.DataDirectory(self.volume, "pgdata")

    def test_begin_and_finish(self) -> None:
        self.assertFalse(self.directory.finished())
        self.directory.begin().mkdir()
        self.assertFalse(self.directory.finished())
        self.directory.finish()
        self.assertTrue(self.directory.finished())
        self.assertEqual(["pgdata"], [path.name for path in self.volume.iterdir()])

    def test_an_unfinished_one_and_its_parts_are_thrown_away(self) -> None:
        (self.directory.begin() / "sub").mkdir(parents=True)
        (self.volume / ".pgdata.abcdef").mkdir()
        (self.volume / "lost+found").mkdir()
        again = data.DataDirectory(self.volume, "pgdata")
        self.assertFalse(again.begin().exists())
        self.assertEqual({".trove-initialising", "lost+found"}, {path.name for path in self.volume.iterdir()})

    def test_a_finished_one_is_never_touched(self) -> None:
        self.directory.begin().mkdir()
        self.directory.finish()
        error = self.assertRaises(spi.EngineError, self.directory.begin)
        self.assertEqual("engine.data_exists", error.symbol)
        self.assertTrue(self.directory.finished())
