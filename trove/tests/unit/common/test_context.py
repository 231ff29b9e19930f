# SPDX-License-Identifier: Apache-2.0
"""Request contexts."""

from trove.common import context
from trove.tests import base


class TestContext(base.UnitTestCase):
    def test_admin_follows_from_the_roles_unless_said(self) -> None:
        for roles, expected in ((["Admin", "member"], True), (["member"], False), ([], False)):
            self.assertEqual(expected, context.RequestContext(roles=roles, overwrite=False).is_admin)
        self.assertFalse(context.RequestContext(roles=["admin"], is_admin=False, overwrite=False).is_admin)
