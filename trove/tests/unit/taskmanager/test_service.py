# SPDX-License-Identifier: Apache-2.0
"""Names of lease owners."""

from trove.taskmanager import service
from trove.tests import base


class TestOwnerName(base.UnitTestCase):
    def test_fits_and_never_repeats(self) -> None:
        names = {service.owner_name("h" * 300) for _ in range(10)}
        self.assertEqual(10, len(names))
        self.assertLessEqual(max(map(len, names)), 128)
