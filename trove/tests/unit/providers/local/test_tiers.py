# SPDX-License-Identifier: Apache-2.0
"""What is said about the choice; the contract suite tries the host for real."""

import os

from trove.providers import base
from trove.providers.local import isolation, tiers
from trove.providers.local.records import Store
from trove.tests import base as tests


class TiersTest(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.store = Store(self.tempdir())
        self.around = isolation.make(self.store.base_dir)

    def test_reasons_are_in_the_text(self) -> None:
        text = str(tiers.Tier(1, "auto", {"loop": "there is none", "xfs": "too old"}))
        self.assertIn("tier 1", text)
        self.assertIn("tier 2 lacks loop (there is none); xfs (too old)", text)
        self.assertIn("tier = 1", str(tiers.Tier(1, "1")))
        self.assertNotIn("lacks", str(tiers.Tier(2, "auto")))

    def test_tier_1_by_choice_looks_for_nothing_and_is_written_down(self) -> None:
        self.assertIsNone(tiers.last(self.store.base_dir))
        chosen = tiers.choose("1", self.around, self.store)
        self.assertEqual(tiers.Tier(1, "1"), chosen)
        self.assertEqual(chosen, tiers.last(self.store.base_dir))

    def test_ordinary_user(self) -> None:
        if os.geteuid() == 0:
            self.skipTest("runs as root")
        self.assertEqual(["root"], list(tiers.choose("auto", self.around, self.store).missing))
        err = self.assertRaises(base.FatalError, tiers.choose, "2", self.around, self.store)
        self.assertIn("ordinary user", str(err))

    def test_damaged_note_counts_as_none(self) -> None:
        (self.store.base_dir / tiers.FILE).write_text("{")
        self.assertIsNone(tiers.last(self.store.base_dir))
