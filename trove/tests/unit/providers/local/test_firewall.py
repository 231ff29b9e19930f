# SPDX-License-Identifier: Apache-2.0
"""Packet rules as text; that they work is shown by the contract suite."""

from trove.providers import base
from trove.providers.local import firewall
from trove.tests import base as tests


class RulesetTest(tests.UnitTestCase):
    def test_without_networks_nothing_is_left_of_the_rules(self) -> None:
        self.assertEqual("table inet trove\ndelete table inet trove\n", firewall.ruleset(5432, ()))

    def test_networks_are_accepted_and_the_rest_dropped(self) -> None:
        text = firewall.ruleset(5432, ("192.0.2.7/24", "2001:db8::/32", "192.0.2.128/25"))
        rules = [line.strip() for line in text.splitlines() if "dport" in line]
        self.assertEqual(
            [
                "tcp dport 5432 ip saddr { 192.0.2.0/24 } accept",
                "tcp dport 5432 ip6 saddr { 2001:db8::/32 } accept",
                "tcp dport 5432 drop",
            ],
            rules,
        )

    def test_what_is_no_network_is_never_put_into_rules(self) -> None:
        for text in ("192.0.2.0/33", "all", "", "192.0.2.0/24 } accept; }"):
            self.assertRaises(base.FatalError, firewall.ruleset, 5432, (text,))
