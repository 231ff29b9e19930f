# SPDX-License-Identifier: Apache-2.0
import pathlib

from trove.api import authz
from trove.common import exception
from trove.common.context import RequestContext
from trove.tests import base
from trove.tests.fixtures import clock


def context(*roles: str, project_id: str = "p1") -> RequestContext:
    return RequestContext(user_id="u", project_id=project_id, roles=list(roles), is_admin=False, overwrite=False)


class EnforcerTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(clock.ManualClock())
        self.file: pathlib.Path = self.tempdir() / "policy.yaml"
        self.enforcer = authz.make_enforcer(self.new_conf(oslo_policy__policy_file=str(self.file)))

    def test_owners_and_administrators(self) -> None:
        for who, owner, allowed in (
            (context("member"), "p1", True),
            (context("member"), "p2", False),
            (context(), "p1", True),
            (context("admin"), "p2", True),
            (context("Admin"), "p2", True),
        ):
            self.assertEqual(allowed, self.enforcer.allows(who, "instance:show", owner))

    def test_a_refusal_names_the_rule(self) -> None:
        error = self.assertRaises(exception.Forbidden, self.enforcer.require, context("member"), "instance:show", "p2")
        self.assertIn("instance:show", str(error))

    def test_catalogue_is_for_everybody_and_reset_for_administrators(self) -> None:
        self.assertTrue(self.enforcer.allows(context(), "datastore:index", None))
        self.assertFalse(self.enforcer.allows(context("member"), "instance:reset_status", "p1"))
        self.assertTrue(self.enforcer.allows(context("admin"), "instance:reset_status", "p1"))

    def test_unknown_rules_fall_back_to_owners(self) -> None:
        self.assertTrue(self.enforcer.allows(context(), "no:such:rule", "p1"))
        self.assertFalse(self.enforcer.allows(context(), "no:such:rule", "p2"))

    def test_the_operators_file_counts_when_it_changes(self) -> None:
        self.assertTrue(self.enforcer.allows(context("member"), "instance:show", "p1"))
        self.file.write_text('"instance:show": "role:auditor"\n')
        self.clock.advance(authz.RELOAD_INTERVAL)
        self.assertFalse(self.enforcer.allows(context("member"), "instance:show", "p1"))
        self.assertTrue(self.enforcer.allows(context("auditor"), "instance:show", "p2"))

    def test_is_admin(self) -> None:
        self.assertTrue(self.enforcer.is_admin(context("admin")))
        self.assertFalse(self.enforcer.is_admin(context("member")))
