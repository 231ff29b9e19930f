# SPDX-License-Identifier: Apache-2.0

from trove.datastores.mysql_family.guest import configuration
from trove.tests import base


class TestSame(base.UnitTestCase):
    def test_truth_is_a_number_or_a_word(self) -> None:
        for found in (1, "ON", "1"):
            for wanted, same in ((True, True), ("ON", True), (1, True), (False, False), ("OFF", False), (0, False)):
                self.assertEqual(same, configuration._same(found, wanted), (found, wanted))

    def test_anything_else_is_compared_as_text(self) -> None:
        self.assertTrue(configuration._same(150, 150))
        self.assertTrue(configuration._same("fsync", "fsync"))
        self.assertFalse(configuration._same(150, 151))
        self.assertFalse(configuration._same(None, "x"))
        self.assertFalse(configuration._same("DEMAND", True))


class TestTyped(base.UnitTestCase):
    def test_values_of_the_template(self) -> None:
        for text, value in (("64M", 64 * 2**20), ("7", 7), ("ON", "ON"), ("2 G", "2 G"), ("1G", 2**30), ("", "")):
            self.assertEqual(value, configuration._typed(text))
