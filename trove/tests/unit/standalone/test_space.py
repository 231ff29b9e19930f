# SPDX-License-Identifier: Apache-2.0
import shutil
from unittest import mock

from trove.standalone import space
from trove.tests import base


class SpaceTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = self.tempdir()

    def test_of_a_directory_that_is_still_to_be_made(self) -> None:
        usage = shutil.disk_usage(self.root)._replace(free=7 * space.MIB + 1)
        with mock.patch("shutil.disk_usage", autospec=True, return_value=usage) as asked:
            self.assertEqual(7, space.free_mib(self.root / "a" / "b"))
        asked.assert_called_once_with(self.root)

    def test_too_little_is_said_with_both_numbers_and_the_remedy(self) -> None:
        usage = shutil.disk_usage(self.root)._replace(free=7 * space.MIB)
        with mock.patch("shutil.disk_usage", autospec=True, return_value=usage):
            space.require(self.root, 7, "a new database needs")
            err = self.assertRaises(space.NoSpace, space.require, self.root, 8, "a new database needs")
        self.assertIn(f"a new database needs 8 MiB, and the file system of {self.root} has 7 MiB free", str(err))
        self.assertIn("--data-dir", str(err))
