# SPDX-License-Identifier: Apache-2.0
"""What needs no Keystone; the rest is in trove/tests/functional/policy."""

import pathlib
from typing import Any

from oslo_config import cfg

import trove.conf
from trove.api import authn, authn_keystone
from trove.api.identity import Identity
from trove.common import exception
from trove.tests import base
from trove.tests.fixtures import clock

#: What the middleware leaves behind for a project's member.
MEMBER = {
    "HTTP_X_USER_ID": "u1",
    "HTTP_X_PROJECT_ID": "p1",
    "HTTP_X_ROLES": "member,reader",
    "HTTP_X_USER_DOMAIN_ID": "default",
    "HTTP_X_PROJECT_DOMAIN_ID": "default",
    "HTTP_X_IS_ADMIN_PROJECT": "True",
    "keystone.token_info": {"token": {}},
}


class TokenCacheTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(clock.ManualClock())
        self.cache = authn_keystone.TokenCache(size=2)

    def test_for_as_long_as_asked(self) -> None:
        self.cache.set("a", b"1", time=300)
        self.clock.advance(299)
        self.assertEqual(b"1", self.cache.get("a"))
        self.clock.advance(1)
        self.assertIsNone(self.cache.get("a"))

    def test_a_time_that_is_not_positive_stores_nothing(self) -> None:
        for seconds in (0, -1):
            self.cache.set("a", b"1", time=seconds)
            self.assertIsNone(self.cache.get("a"))

    def test_the_oldest_goes_first(self) -> None:
        for key in ("a", "b", "a", "c"):
            self.cache.set(key, key.encode(), time=300)
        self.assertEqual([b"a", None, b"c"], [self.cache.get(key) for key in "abc"])


class IdentityTest(base.UnitTestCase):
    def identity(self, **changes: Any) -> Identity:
        return authn_keystone._identity({**MEMBER, **changes})

    def test_a_member(self) -> None:
        expected = Identity("u1", "p1", ("member", "reader"), None, "default", "default", True, ())
        self.assertEqual(expected, self.identity())

    def test_the_system(self) -> None:
        token = {"token": {"system": {"all": True}}}
        found = self.identity(HTTP_X_PROJECT_ID=None, **{"keystone.token_info": token})
        self.assertEqual((None, "all"), (found.project_id, found.system_scope))

    def test_the_scope_is_that_of_the_callers_token(self) -> None:
        """Neither a client nor a service that passes a request on can lend the system's scope to a member."""
        self.assertIsNone(self.identity(HTTP_OPENSTACK_SYSTEM_SCOPE="all").system_scope)

    def test_a_service_passes_it_on(self) -> None:
        self.assertEqual(("service", "x"), self.identity(HTTP_X_SERVICE_ROLES="service,x").service_roles)

    def test_the_administrators_project(self) -> None:
        self.assertFalse(self.identity(HTTP_X_IS_ADMIN_PROJECT="False").is_admin_project)

    def test_neither_project_nor_system(self) -> None:
        error = self.assertRaises(exception.Forbidden, self.identity, HTTP_X_PROJECT_ID=None)
        self.assertIn("project or of the system", str(error))


class ConfigurationTest(base.UnitTestCase):
    def strategy(self, text: str) -> Any:
        path: pathlib.Path = self.tempdir() / "trove.conf"
        path.write_text(f"[DEFAULT]\nauth_strategy = keystone\n[keystone_authtoken]\n{text}")
        return authn.make_strategy(trove.conf.new(files=[str(path)]))

    def test_it_says_what_is_missing(self) -> None:
        error = self.assertRaises(cfg.Error, self.strategy, "")
        self.assertIn("auth_url", str(error))
        error = self.assertRaises(cfg.Error, self.strategy, "auth_type = password\n")
        self.assertIn("[keystone_authtoken]", str(error))
        self.assertIn("auth_url", str(error))

    def test_nobody_is_asked_at_the_start(self) -> None:
        settings = "auth_type = password\nauth_url = http://127.0.0.1:9/v3\nusername = trove\npassword = p\n"
        made = self.strategy(settings + "www_authenticate_uri = https://keystone.example/v3\n")
        self.assertEqual('Keystone uri="https://keystone.example/v3"', made.challenge)
        self.assertTrue(made.proves_project)
