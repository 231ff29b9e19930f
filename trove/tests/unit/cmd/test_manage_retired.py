# SPDX-License-Identifier: Apache-2.0
"""Commands that have nothing left to do need no database, and succeed."""

from trove.tests.unit.cmd import case


class TestRetired(case.ManageCase):
    def test_set_nova_tags(self) -> None:
        for words in ((), ("--force",)):
            self.assertIn("Nothing to do", self.done("set_nova_tags", *words))
        self.assertFalse(self.database.exists())
