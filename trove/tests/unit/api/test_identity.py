# SPDX-License-Identifier: Apache-2.0
"""Roles and those they imply."""

from trove.api.identity import with_implied
from trove.tests import base


class ImpliedRolesTest(base.UnitTestCase):
    def test_each_role_brings_those_below_it(self) -> None:
        for roles, expected in (
            ([], ()),
            (["admin"], ("admin", "manager", "member", "reader")),
            (["Member"], ("Member", "reader")),
            (["auditor", "reader"], ("auditor", "reader")),
            (["reader", "member"], ("reader", "member")),
        ):
            with self.subTest(roles):
                self.assertEqual(expected, with_implied(roles))
