# SPDX-License-Identifier: Apache-2.0
"""Identifiers, tags and passwords."""

from trove.common import ids
from trove.tests import base


class TestIds(base.UnitTestCase):
    def test_uuid(self) -> None:
        made = ids.new_id()
        for good in (made, made.upper()):
            self.assertTrue(ids.is_uuid(good))
        for bad in (made[:-1], made + "\n", " " + made, made.replace("-", ""), f"{{{made}}}", "", None, 7, made + "0"):
            self.assertFalse(ids.is_uuid(bad), repr(bad))

    def test_tag(self) -> None:
        self.assertEqual("instance:x/server", ids.instance_tag("x", "server"))

    def test_password(self) -> None:
        made = {ids.new_password(12) for _ in range(100)}
        self.assertEqual(100, len(made))
        self.assertLessEqual(set("".join(made)), set(ids.PASSWORD_ALPHABET))
        self.assertFalse(set("0O1lI") & set(ids.PASSWORD_ALPHABET))
        self.assertEqual((12, 36), (len(next(iter(made))), len(ids.new_password())))
