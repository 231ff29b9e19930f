# SPDX-License-Identifier: Apache-2.0
"""From where connections are taken."""

from trove.domain import access
from trove.tests import base


class AccessTest(base.UnitTestCase):
    def test_networks_of_both_families_and_hosts(self) -> None:
        for cidrs in (["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"], ["192.0.2.1/24"], [], None):
            self.assertEqual([], access.reasons({"allowed_cidrs": cidrs}), cidrs)
        self.assertEqual([], access.reasons({}))

    def test_all_that_are_no_network_are_named(self) -> None:
        found = access.reasons({"allowed_cidrs": ["192.0.2.0/33", "192.0.2.0/24", "näh", "192.0.2.0/24"]})
        self.assertEqual(2, len(found))
        self.assertIn("'192.0.2.0/33'", found[0])
        self.assertIn("'n\\xe4h'", found[1])

    def test_one_network_twice(self) -> None:
        twice = {"allowed_cidrs": ["192.0.2.0/24", "2001:db8::/32", "192.0.2.0/24"]}
        self.assertEqual(["access.allowed_cidrs has a network twice"], access.reasons(twice))

    def test_what_is_left_out_stays(self) -> None:
        self.assertEqual({"is_public": False, "allowed_cidrs": ["a"]}, access.merge({}, {"allowed_cidrs": ["a"]}))
        present = {"is_public": True, "allowed_cidrs": ["a"]}
        self.assertEqual(present, access.merge(present, {"is_public": None, "allowed_cidrs": None}))
        self.assertEqual({"is_public": True, "allowed_cidrs": []}, access.merge(present, {"allowed_cidrs": []}))

    def test_everywhere_somewhere_and_nowhere(self) -> None:
        self.assertEqual((), access.restriction({}))
        self.assertEqual((), access.restriction({"allowed_cidrs": None}))
        for everywhere in ("0.0.0.0/0", "::/0"):
            self.assertEqual((), access.restriction({"allowed_cidrs": ["192.0.2.0/24", everywhere]}))
        self.assertEqual(("192.0.2.0/24",), access.restriction({"allowed_cidrs": ["192.0.2.0/24"]}))
        self.assertEqual(access.NOBODY, access.restriction({"allowed_cidrs": []}))
