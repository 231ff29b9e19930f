# SPDX-License-Identifier: Apache-2.0
"""One agent at a time."""

import os

from trove.guestagent.system.lock import AlreadyLocked, FileLock
from trove.tests.base import UnitTestCase


class TestFileLock(UnitTestCase):
    def test_second_is_told_who_has_it(self) -> None:
        path = self.tempdir() / "lock"
        with FileLock(path):
            error = self.assertRaises(AlreadyLocked, FileLock(path).__enter__)
            self.assertIn(str(os.getpid()), str(error))
        with FileLock(path):
            pass
