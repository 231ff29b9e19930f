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


class PersonaTest(base.UnitTestCase):
    """Who is told apart by default, and what goes on as before; the whole table is in trove/tests/functional/policy."""

    #: One rule of each kind: read, change, of a project's managers, of administrators.
    RULES = ("instance:show", "instance:delete", "instance:force_delete", "instance:reset_status")

    def may(self, enforcer: authz.Enforcer, who: RequestContext) -> list[bool]:
        return [enforcer.allows(who, rule, "p1") for rule in self.RULES]

    def test_new_defaults(self) -> None:
        enforcer = authz.make_enforcer(self.new_conf(oslo_policy__enforce_new_defaults=True))
        for roles, expected in (
            (("admin",), [True, True, True, True]),
            (("manager", "member", "reader"), [True, True, True, False]),
            (("member", "reader"), [True, True, False, False]),
            (("reader",), [True, False, False, False]),
            (("developer",), [False, False, False, False]),
            (("service",), [False, False, False, False]),
        ):
            self.assertEqual(expected, self.may(enforcer, context(*roles)), roles)
            if "admin" not in roles:
                self.assertEqual([False] * 4, self.may(enforcer, context(*roles, project_id="p2")), roles)

    def test_old_defaults_beside_them(self) -> None:
        enforcer = authz.make_enforcer(self.new_conf())
        for roles, expected in (
            (("member", "reader"), [True, True, True, False]),
            (("reader",), [True, False, False, False]),
            (("developer",), [True, True, True, False]),
            (("service",), [False, False, False, False]),
        ):
            self.assertEqual(expected, self.may(enforcer, context(*roles)), roles)
            self.assertEqual([False] * 4, self.may(enforcer, context(*roles, project_id="p2")), roles)

    def test_the_system(self) -> None:
        """A role on the system is none in a project, whichever one the path names."""
        for new in (True, False):
            enforcer = authz.make_enforcer(self.new_conf(oslo_policy__enforce_new_defaults=new))
            for roles, expected in ((("admin",), True), (("member", "reader"), False), (("developer",), False)):
                who = context(*roles)
                who.system_scope = "all"
                self.assertEqual([expected] * 4, self.may(enforcer, who), (new, roles))

    def test_an_operators_rule_may_ask_for_a_service(self) -> None:
        path: pathlib.Path = self.tempdir() / "policy.yaml"
        path.write_text('"instance:delete": "role:member and service_roles:service"\n')
        enforcer = authz.make_enforcer(self.new_conf(oslo_policy__policy_file=str(path)))
        who = context("member")
        self.assertFalse(enforcer.allows(who, "instance:delete", "p1"))
        who.service_roles = ["service"]
        self.assertTrue(enforcer.allows(who, "instance:delete", "p1"))
