# SPDX-License-Identifier: Apache-2.0
"""Shapes."""

from trove.domain.shape import Shape
from trove.tests import base


class TestShape(base.UnitTestCase):
    def test_impossible_shapes(self) -> None:
        self.assertEqual(0, Shape(1, 1).disk_gib)
        for vcpus, ram, disk in ((0, 1, 0), (1, 0, 0), (1, 1, -1)):
            self.assertRaises(ValueError, Shape, vcpus, ram, disk)
